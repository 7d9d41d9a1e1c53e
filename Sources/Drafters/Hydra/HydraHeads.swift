import LanguageModels
import ModelFiles
import Speculation

/// The weights of Hydra heads (2402.05109): as Medusa's, but head i also sees the embeddings of the
/// pending token and of the i tokens drafted after it. Immutable.
public final class HydraHeads: TrainedWeights {
  /// The most heads.
  static let mostHeads = 16

  public let headCount: Int
  public let parameterCount: Int
  public let target: TransformerModel
  let heads: LogitHeads
  /// For each head its first block: what silu is taken of, then what that is added to.
  /// (2 · hidden, (head + 2) · hidden)
  private let first: [PackedLinear]
  /// For each head its further blocks. (hidden, hidden)
  private let further: [[PackedLinear]]

  init(_ files: DrafterFiles) throws {
    let (fields, target) = (files.fields, files.target)
    let hidden = target.hiddenSize
    let headCount = try fields.int("hydra_num_heads", in: 1...Self.mostHeads)
    let layers = try fields.int("hydra_num_layers", in: 1...8, default: 1)
    try fields.require("hydra_head_arch", oneOf: ["mlp"])
    guard try fields.bool("grounded_heads", default: true) else {
      throw fields.invalid(
        "grounded_heads", expected: "true (heads that do not see tokens are Medusa's)")
    }
    try fields.requireAbsent("hidden_state_offset")
    try files.check("hidden_size", isTargets: hidden)
    try files.check("vocab_size", isTargets: target.vocabularySize)
    guard let layout = HydraLayout(of: files.tensors.tensors.keys) else {
      throw LanguageModelError.missingTensor(
        file: files.tensors.path, tensor: HydraLayout().block(head: 0, layer: 0) + ".weight",
        expected: [hidden, 2 * hidden])
    }
    self.headCount = headCount
    self.target = target
    first = try (0..<headCount).map { head in
      let columns = (head + 2) * hidden
      let names = [layout.block(head: head, layer: 0), layout.residual(head: head)]
      return try PackedLinear(
        weights: names.flatMap {
          try files.tensors.floats(of: $0 + ".weight", shape: [hidden, columns])
        }, rows: 2 * hidden, columns: columns,
        bias: names.flatMap {
          try files.bias($0 + ".bias", rows: hidden) ?? [Float](repeating: 0, count: hidden)
        }, pool: target.pool)
    }
    further = try (0..<headCount).map { head in
      try (1..<max(1, layers)).map { layer in
        try files.linear(layout.block(head: head, layer: layer), rows: hidden, columns: hidden)
      }
    }
    heads = try files.logitHeads(count: headCount) { layout.output(head: $0) }
    parameterCount = files.tensors.tensors.values.reduce(0) { $0 + ($1.elementCount ?? 0) }
  }

  public func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter {
    var configuration = HydraDrafter.defaults
    if let shape = settings.trainedShape { configuration.shape = shape }
    if let length = settings.length { configuration.length = length }
    return try HydraDrafter(heads: self, configuration: configuration)
  }

  /// One head's logits.
  /// - Parameters:
  ///   - inputs: for each row the state and the embeddings. (rows, (head + 2) · hidden)
  ///   - logits: gets the rows.
  func compute(
    head: Int, inputs: UnsafePointer<Float>, rows: Int, into logits: RowBuffer
  ) {
    let width = target.hiddenSize
    let size = rows * width
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 4 * size) { buffer in
      guard let hidden = buffer.baseAddress else { return }
      let (change, joined) = (hidden + size, hidden + 2 * size)
      first[head].apply(inputs, rows: rows, into: joined)
      for row in 0..<rows {
        let halves = joined + row * 2 * width
        (change + row * width).update(from: halves, count: width)
        (hidden + row * width).update(from: halves + width, count: width)
      }
      target.pool.addSiLU(of: change, to: hidden, count: size)
      for block in further[head] {
        block.apply(hidden, rows: rows, into: change)
        target.pool.addSiLU(of: change, to: hidden, count: size)
      }
      logits.append(count: rows) {
        heads.logits(of: hidden, rows: rows, head: head, into: $0)
      }
    }
  }
}
