import Foundation
import ModelFiles

/// A run's checkpoint: one safetensors file with the weights, the optimizer's moments and, in its
/// metadata, the state. As it is one file, it is replaced at once or not at all. `state.json`
/// beside it is a copy of the state for people and scripts; nothing reads it back.
struct Checkpoint {
  let folder: String

  var path: String { "\(folder)/checkpoint.safetensors" }

  private static let stateKey = "state"
  private static let firstMoments = "adam.first/"
  private static let secondMoments = "adam.second/"

  /// The tensors of a checkpoint. Frozen parameters never change, so they are left out.
  private static func tensors(of optimizer: AdamW) -> [(name: String, tensor: Tensor)] {
    zip(optimizer.parameters, optimizer.moments).flatMap { parameter, moments in
      moments.map {
        [
          (parameter.name, parameter.value), (firstMoments + parameter.name, $0.first),
          (secondMoments + parameter.name, $0.second),
        ]
      } ?? []
    }
  }

  /// Writes the checkpoint in place of the one before it.
  /// - Throws: `ModelFileError`; then the one before it is still there.
  func save(_ state: RunState, _ optimizer: AdamW) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let json = try encoder.encode(state)
    let tensors = Self.tensors(of: optimizer)
    let writer = try SafetensorsWriter(
      path: path,
      tensors: tensors.map { TensorInfo(name: $0.name, type: .f32, shape: $0.tensor.shape) },
      metadata: [Self.stateKey: String(decoding: json, as: UTF8.self)])
    for (name, tensor) in tensors {
      try writer.append(UnsafeBufferPointer(start: tensor.data, count: tensor.count), to: name)
    }
    try writer.finish()
    try AtomicFile.write(json, to: "\(folder)/state.json")
  }

  /// Opens the checkpoint and reads its state; nil when there is none.
  /// - Throws: `ModelFileError` or `TrainingError.field` for a damaged one.
  func open() throws -> (file: SafetensorsFile, state: RunState)? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try SafetensorsFile(path: path)
    do {
      let json = Data((file.metadata[Self.stateKey] ?? "").utf8)
      return (file, try JSONDecoder().decode(RunState.self, from: json))
    } catch {
      throw TrainingError.field(
        path: path, field: "metadata '\(Self.stateKey)'", expected: "the state of a training run",
        found: "\(error)")
    }
  }

  /// Puts the file's numbers into the parameters and the moments.
  /// - Throws: `TrainingError.otherRun` when they are not those of the file.
  func restore(_ file: SafetensorsFile, step: Int, into optimizer: AdamW) throws {
    let tensors = Self.tensors(of: optimizer)
    for (name, tensor) in tensors where file.tensors[name]?.shape != tensor.shape {
      throw TrainingError.otherRun(
        folder: folder, field: "shape of '\(name)'",
        begunWith: file.tensors[name].map { "\($0.shape)" } ?? "nothing", found: "\(tensor.shape)")
    }
    let known = Set(tensors.map(\.name))
    if let name = file.tensors.keys.filter({ !known.contains($0) }).min() {
      throw TrainingError.otherRun(
        folder: folder, field: "tensor '\(name)'", begunWith: "it", found: "none")
    }
    for (name, tensor) in tensors {
      let data = try file.data(of: name)
      guard file.tensors[name]?.type == .f32, data.count == 4 * tensor.count else {
        throw TrainingError.field(
          path: path, field: "type of tensor '\(name)'", expected: "F32",
          found: file.tensors[name]?.type.name ?? "nothing")
      }
      UnsafeMutableRawBufferPointer(start: tensor.data, count: data.count).copyMemory(from: data)
    }
    optimizer.steps = step
  }
}
