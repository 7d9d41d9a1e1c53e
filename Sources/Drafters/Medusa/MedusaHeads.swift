import LanguageModels
import ModelFiles
import Speculation

/// The weights of Medusa heads (2401.10774): head i makes of the target's last state, by residual
/// blocks x + silu(W·x + b), a state whose logits predict the token i + 1 places after the one
/// that the target's own head predicts.
///
/// Heads without an output matrix of their own use the target's: then all heads together cost one
/// product with it, of as many rows. Immutable.
public final class MedusaHeads: TrainedWeights {
  /// The most heads.
  static let mostHeads = 16

  public let headCount: Int
  public let parameterCount: Int
  let hiddenSize: Int
  let heads: LogitHeads
  /// All heads' first blocks, which have one input, as one matrix. (headCount * hidden, hidden)
  private let first: PackedLinear?
  /// For each further block that of each head.
  private let further: [[PackedLinear]]

  init(_ files: DrafterFiles) throws {
    let (fields, target) = (files.fields, files.target)
    func field(_ names: String...) -> String { names.first(where: fields.has) ?? names[0] }
    let headCount = try fields.int(
      field("medusa_num_heads", "num_heads"), in: 1...Self.mostHeads)
    let layers = try fields.int(
      field("medusa_num_layers", "num_hidden_layers"), in: 0...8, default: 1)
    try files.check("hidden_size", isTargets: target.hiddenSize)
    try files.check("vocab_size", isTargets: target.vocabularySize)
    let names = files.tensors.tensors.keys
    guard let layout = MedusaLayout(of: names, layers: layers) else {
      throw LanguageModelError.missingTensor(
        file: files.tensors.path, tensor: MedusaLayout().block(head: 0, layer: 0) + ".weight",
        expected: [target.hiddenSize, target.hiddenSize])
    }
    let hidden = target.hiddenSize
    self.headCount = headCount
    hiddenSize = hidden

    var weights: [Float] = []
    var biases: [Float] = []
    for head in 0..<(layers > 0 ? headCount : 0) {
      let name = layout.block(head: head, layer: 0)
      weights += try files.tensors.floats(of: name + ".weight", shape: [hidden, hidden])
      biases +=
        try files.bias(name + ".bias", rows: hidden) ?? [Float](repeating: 0, count: hidden)
    }
    first =
      layers > 0
      ? try PackedLinear(
        weights: weights, rows: headCount * hidden, columns: hidden, bias: biases,
        pool: target.pool)
      : nil
    further = try (1..<max(1, layers)).map { layer in
      try (0..<headCount).map { head in
        try files.linear(layout.block(head: head, layer: layer), rows: hidden, columns: hidden)
      }
    }
    // vLLM's flag says that the output matrices are copies of the target's.
    let areTargets = try fields.bool("original_lm_head", default: false)
    heads = try files.logitHeads(
      count: areTargets ? 0 : headCount, map: layout.tokenMap
    ) {
      layout.output(head: $0, layers: layers)
    }
    let copies = [MedusaLayout.targetOutput, layout.tokenMap]
    parameterCount = files.tensors.tensors.values.filter { !copies.contains($0.name) }
      .reduce(0) { $0 + ($1.elementCount ?? 0) }
  }

  public func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter {
    var configuration = MedusaDrafter.defaults
    if let shape = settings.trainedShape { configuration.shape = shape }
    if let length = settings.length { configuration.length = length }
    return try MedusaDrafter(heads: self, configuration: configuration)
  }

  /// The logits of the first `count` heads.
  /// - Parameters:
  ///   - state: the target's, after its last norm. (hidden)
  ///   - logits: gets a row for each head.
  func compute(
    _ count: Int, after state: UnsafePointer<Float>, into logits: RowBuffer
  ) {
    let (size, width) = (headCount * hiddenSize, hiddenSize)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * size) { buffer in
      guard let hidden = buffer.baseAddress else { return }
      let change = hidden + size
      for head in 0..<count { (hidden + head * width).update(from: state, count: width) }
      if let first {
        first.apply(state, rows: 1, into: change)
        first.pool.addSiLU(of: change, to: hidden, count: count * width)
      }
      for blocks in further {
        for head in 0..<count {
          blocks[head].apply(hidden + head * width, rows: 1, into: change + head * width)
        }
        blocks[0].pool.addSiLU(of: change, to: hidden, count: count * width)
      }
      logits.append(count: count) { heads.logits(ofHeads: count, states: hidden, into: $0) }
    }
  }
}
