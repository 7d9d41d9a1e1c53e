import DrafterTraining
import Foundation
import LanguageModels

/// Two layers that learn a fixed function; the examples follow from seed and index.
final class TinyTrainer: Trainer {
  let method = "tiny"
  let parameters: [Parameter]
  var options: [String: String] = ["hidden": "16"]
  var workingBytes = 0
  /// Called before each micro-batch, with its index.
  var before: (Int) throws -> Void = { _ in }
  /// What a micro-batch's loss is multiplied with.
  var lossScale: (Int) -> Float = { _ in 1 }
  /// The term that is told beside the loss.
  var term: (Int) -> Double = { Double($0) }
  /// What the validation says in place of the real loss.
  var validation: ((Int) -> Double)?
  private(set) var validations = 0
  private(set) var preparations = 0
  /// The micro-batches that were asked for.
  private(set) var asked: [Int] = []
  private let seed: UInt64
  private let pool: ComputePool

  private static let rows = 8

  init(pool: ComputePool, seed: UInt64 = 1, hidden: Int = 16) {
    self.seed = seed
    self.pool = pool
    var random = Random(state: seed)
    parameters = [
      Parameter(name: "first.weight", value: random.tensor([hidden, 4]), decays: true),
      Parameter(name: "first.bias", value: Tensor(shape: [hidden]), decays: false),
      Parameter(name: "second.weight", value: random.tensor([2, hidden]), decays: true),
      Parameter(
        name: "fixed", value: random.tensor([3]), decays: true, isFrozen: true),
    ]
  }

  var weights: [[UInt32]] { parameters.map { $0.value.values.map(\.bitPattern) } }

  func prepare() { preparations += 1 }

  func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    try before(microBatch)
    asked.append(microBatch)
    let loss = build(example: UInt64(microBatch), in: graph)
    let scaled = graph.scale(loss, by: lossScale(microBatch))
    return StepLoss(
      total: scaled, terms: [TrainingFigure(name: "half, of it", value: term(microBatch))],
      tokens: Self.rows)
  }

  func validate() throws -> [TrainingFigure] {
    defer { validations += 1 }
    let graph = Graph(pool: pool)
    let loss = Double(build(example: .max, in: graph).value.data[0])
    return [
      TrainingFigure(name: "loss", value: validation?(validations) ?? loss),
      TrainingFigure(name: "acceptance length", value: -loss),
    ]
  }

  func export(to folder: String, provenance: Provenance) throws {
    let text = weights.description
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/model"))
    try JSONEncoder().encode(provenance).write(to: URL(fileURLWithPath: "\(folder)/nunchi.json"))
  }

  private func build(example: UInt64, in graph: Graph) -> Variable {
    var random = Random(state: seed &* 1000 &+ example)
    let input = random.tensor([Self.rows, 4])
    let wanted = Tensor(
      shape: [Self.rows, 2],
      (0..<Self.rows).flatMap { row in
        [sin(input.data[4 * row] + input.data[4 * row + 1]), input.data[4 * row + 2]]
      })
    let hidden = graph.silu(
      graph.linear(
        graph.constant(input), graph.parameter(parameters[0]),
        bias: graph.parameter(parameters[1])))
    let output = graph.linear(hidden, graph.parameter(parameters[2]))
    let weights = [Float](repeating: 1, count: Self.rows)
    return graph.smoothL1(output, wanted, weights: weights)
  }

  private struct Random {
    var state: UInt64

    /// Uniform in -1 ..< 1 (SplitMix64).
    mutating func next() -> Float {
      state &+= 0x9E37_79B9_7F4A_7C15
      var value = state
      value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
      return Float((value ^ (value >> 31)) >> 40) / Float(1 << 23) - 1
    }

    mutating func tensor(_ shape: [Int]) -> Tensor {
      Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in next() })
    }
  }
}

/// A folder that is removed with the last reference to it.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "nunchi-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  func text(of name: String) throws -> String {
    try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
  }
}

extension Provenance {
  /// One that is the same in every run.
  static var sample: Provenance {
    Provenance(
      command: ["nunchi", "train", "tiny"], commit: "abc", date: Date(timeIntervalSince1970: 0),
      data: [DataFile(name: "a.jsonl", bytes: 1, sha256: "aa")], seeds: ["data": 7],
      versions: Versions(nunchi: "0", swift: "0", system: "0", blas: "0"),
      target: Target(name: "m", sha256: "cc", vocabularyFingerprint: "dd"))
  }
}
