import Foundation
import ModelFiles

/// One shard of hidden states: a safetensors file with `tokens`, `answer`, `documents`, `final` and
/// `layer.N`. Mapped into memory; checked when it is opened.
public final class HiddenStateFile: Sendable {
  public let path: String
  /// Of all documents.
  public let rowCount: Int
  public let hiddenSize: Int
  /// Layers that were captured, ascending.
  public let layers: [Int]
  /// The rows of each document.
  public let documents: [Range<Int>]
  /// Which target made the states, and from what.
  public let metadata: HiddenStateMetadata

  private let file: SafetensorsFile

  /// - Throws: `ModelFileError`, or `TrainingError.field` when the tensors do not fit each other.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    self.file = file
    self.path = path
    metadata = HiddenStateMetadata(fields: file.metadata)

    func info(_ name: String, _ types: [TensorType], dimensions: Int) throws -> TensorInfo {
      guard let info = file.tensors[name] else {
        throw ModelFileError.missingTensor(path: path, name: name)
      }
      guard types.contains(info.type), info.shape.count == dimensions else {
        throw TrainingError.field(
          path: path, field: "tensor '\(name)'",
          expected: "\(types.map(\.name).joined(separator: " or ")) of \(dimensions) dimensions",
          found: "\(info.type.name) of shape \(info.shape)")
      }
      return info
    }
    func check(_ name: String, _ found: [Int], _ expected: [Int]) throws {
      guard found == expected else {
        throw TrainingError.field(
          path: path, field: "shape of tensor '\(name)'", expected: "\(expected)",
          found: "\(found)")
      }
    }
    let final = try info(StateKind.final.name, [.bf16], dimensions: 2)
    (rowCount, hiddenSize) = (final.shape[0], final.shape[1])
    try check("tokens", info("tokens", [.i32], dimensions: 1).shape, [rowCount])
    try check("answer", info("answer", [.u8, .bool], dimensions: 1).shape, [rowCount])
    layers = file.tensors.keys.compactMap { name in
      name.hasPrefix("layer.") ? Int(name.dropFirst("layer.".count)) : nil
    }.sorted()
    for layer in layers {
      let name = StateKind.layer(layer).name
      try check(name, info(name, [.bf16], dimensions: 2).shape, [rowCount, hiddenSize])
    }

    _ = try info("documents", [.i32], dimensions: 1)
    let starts = try file.data(of: "documents").bindMemory(to: Int32.self).map { Int($0) }
    guard starts.first == 0, starts.last == rowCount,
      zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw TrainingError.field(
        path: path, field: "tensor 'documents'",
        expected: "rising first rows, from 0 to \(rowCount)", found: "\(starts.prefix(8))…")
    }
    documents = zip(starts, starts.dropFirst()).map { $0..<$1 }
  }

  /// The tokens of some rows.
  public func tokens(_ rows: Range<Int>) throws -> [Int32] {
    let tokens = try file.data(of: "tokens").bindMemory(to: Int32.self)
    return withExtendedLifetime(self) { Array(tokens[rows]) }
  }

  /// For each of some rows 1 where its token is the target's own answer, else 0.
  public func answer(_ rows: Range<Int>) throws -> [UInt8] {
    let answer = try file.data(of: "answer")
    return withExtendedLifetime(self) { answer[rows].map { min($0, 1) } }
  }

  /// The states of all rows, in bfloat16; valid as long as this object lives.
  /// (rowCount, hiddenSize)
  /// - Throws: `ModelFileError.missingTensor` for a layer that was not captured.
  public func states(_ kind: StateKind) throws -> UnsafeBufferPointer<UInt16> {
    try file.data(of: kind.name).bindMemory(to: UInt16.self)
  }
}
