import Drafters
import Foundation
import LanguageModels

/// How an affine map from a draft model's states to the target's is fitted.
public struct AlignmentConfiguration: DrafterConfiguration {
  /// Whether the map has a b.
  public var bias = true
  /// Whether rows are normalised before they are mapped.
  public var layerNorm = false
  /// Rows that the least squares are fitted to, at most.
  public var rows = 40_000
  /// What the divergence of the logits counts in the loss that the gradient follows, beside the
  /// distance of the states.
  public var divergenceWeight = 1.0

  public init() {}

  public func check() throws {
    try checkRange("drafter.rows", rows, 64...100_000_000)
    try checkRange("drafter.divergenceWeight", divergenceWeight, 0...1000)
  }

  var options: [String: String] {
    [
      "bias": "\(bias)", "layer norm": "\(layerNorm)", "fitted rows": "\(rows)",
      "divergence weight": "\(divergenceWeight)",
    ]
  }
}

/// Fits h_target ≈ W · h_draft + b: by regularised least squares in one pass over paired states,
/// and, where the run has steps, on by gradient, towards the states and the logits that the
/// target's head makes of them.
///
/// The map is kept between states whose columns all have the size 1.
public final class AlignmentTrainer: Trainer {
  public let method = "alignment"
  public var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
  public var options: [String: String] {
    setup.options.merging(configuration.options) { $1 }.merging(["draft model": draft.sha256]) {
      $1
    }
  }

  private let configuration: AlignmentConfiguration
  private let setup: StateTraining
  private let pairs: PairedStates
  private let draft: TrainingDraft
  private let weight: Parameter
  private let bias: Parameter?
  /// The sizes of the columns of the two states.
  private var draftSizes: [Float]
  private let targetSizes: [Float]
  /// The target's head on states of size 1. (cut, hidden)
  private let head: Tensor
  private let draftHead: OutputHead

  /// - Throws: `TrainingError.setting` when the models do not fit, `LanguageModelError`.
  public init(
    _ configuration: AlignmentConfiguration, setup: StateTraining, draft: TrainingDraft
  ) throws {
    try configuration.check()
    self.configuration = configuration
    self.setup = setup
    self.draft = draft
    pairs = try PairedStates(
      draft: draft.model, target: setup.target, contextLength: setup.batchRows)
    let (inputs, outputs) = (draft.model.hiddenSize, setup.target.hiddenSize)
    weight = Parameter(
      name: "weight", value: Tensor(shape: [outputs, inputs]), decays: true)
    bias =
      configuration.bias
      ? Parameter(name: "bias", value: Tensor(shape: [outputs]), decays: false) : nil
    targetSizes = try setup.sizes(of: [.final]).states[0]
    draftSizes = [Float](repeating: 1, count: inputs)
    head = try setup.target.head(setup.cut)
    head.scaleColumns(by: targetSizes)
    draftHead =
      setup.cut.isWhole || draft.model.headTokens != nil
      ? try draft.model.ownOutputHead() : try draft.model.outputHead(tokens: setup.cut.tokens)
    draftSizes = try measuredSizes()
  }

  // MARK: - Rows

  private struct Rows {
    /// Normalised as configured, then of size 1. (rows, inputs)
    var draft: Tensor
    /// As the draft model gave them. (rows, inputs)
    var plain: Tensor
    /// Of size 1. (rows, outputs)
    var target: Tensor
  }

  private func rows(of batch: StateBatch) throws -> Rows? {
    let chosen = batch.answerRows
    guard !chosen.isEmpty else { return nil }
    let plain = try pairs.states(of: batch).gathered(chosen)
    let draft = plain.copy()
    if configuration.layerNorm {
      for row in 0..<draft.rows {
        AffineMap.normalise(draft.data + row * draft.columns, count: draft.columns)
      }
    }
    draft.scaleColumns(by: draftSizes.map { 1 / $0 })
    let target = batch.states(.final).gathered(chosen)
    target.scaleColumns(by: targetSizes.map { 1 / $0 })
    return Rows(draft: draft, plain: plain, target: target)
  }

  /// The root mean square of each column of the draft model's states, on the first batches.
  private func measuredSizes() throws -> [Float] {
    var squares = [Double](repeating: 0, count: draftSizes.count)
    var count = 0
    for index in 0..<4 {
      guard let draft = try rows(of: setup.batch(index))?.draft else { continue }
      for row in 0..<draft.rows {
        for column in squares.indices {
          let value = Double(draft.data[row * draft.columns + column])
          squares[column] += value * value
        }
      }
      count += draft.rows
    }
    return squares.map { max(1e-6, Float(($0 / Double(max(1, count))).squareRoot())) }
  }

  // MARK: - Fitting

  /// Least squares in one pass; nothing is kept of the rows but sums of products.
  public func prepare() throws {
    let (inputs, outputs) = (weight.value.columns, weight.value.rows)
    let extra = configuration.bias ? 1 : 0
    let pool = setup.target.model.pool
    let fit = LinearFit(inputs: inputs + extra, outputs: outputs, pool: pool)
    try forEachFittedBatch { batch in
      guard let rows = try rows(of: batch) else { return }
      fit.add(extra == 0 ? rows.draft : rows.draft.withColumn(of: 1), rows.target)
    }
    let solution = fit.solution()
    for row in 0..<outputs {
      (weight.value.data + row * inputs).update(
        from: solution.data + row * (inputs + extra), count: inputs)
      bias?.value.data[row] = solution.data[row * (inputs + extra) + inputs]
    }
  }

  /// The batches that the least squares are fitted to: whole ones, until there are enough rows.
  /// - Returns: their rows.
  @discardableResult
  private func forEachFittedBatch(_ body: (StateBatch) throws -> Void) throws -> Int {
    var count = 0
    try setup.training.forEachBatch(seed: setup.seed, rows: setup.batchRows) { batch in
      count += batch.answerRows.count
      try body(batch)
      return count < configuration.rows
    }
    return count
  }

  public func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    guard let rows = try rows(of: setup.batch(microBatch)) else {
      return StepLoss(total: graph.constant(Tensor(shape: [])), tokens: 0)
    }
    let weights = [Float](repeating: 1, count: rows.draft.rows)
    let image = graph.linear(
      graph.constant(rows.draft), graph.parameter(weight), bias: bias.map(graph.parameter))
    let distance = graph.smoothL1(image, rows.target, weights: weights)
    let logits = graph.headLoss(
      image, head: graph.constant(head), teacher: .hidden(rows.target, weight: head),
      weights: weights)
    return StepLoss(
      total: graph.sum([(distance, 1), (logits.loss, Float(configuration.divergenceWeight))]),
      terms: [
        TrainingFigure(name: "distance", value: distance.scalar),
        TrainingFigure(name: "divergence", value: logits.divergence),
      ], tokens: rows.draft.rows)
  }

  // MARK: - Quality

  /// How near the aligned states are to the target's, and how near the logits that the target's
  /// head makes of them; those of the draft model's own head beside them. Over the cut vocabulary.
  public func validate() throws -> [TrainingFigure] {
    var quality = AlignmentQuality()
    try setup.forEachValidationBatch { batch in
      guard let rows = try rows(of: batch) else { return }
      let graph = Graph(pool: setup.target.model.pool)
      let image = graph.linear(
        graph.constant(rows.draft), graph.constant(weight.value),
        bias: bias.map { graph.constant($0.value) })
      let aligned = graph.linear(image, graph.constant(head)).value
      let target = graph.linear(graph.constant(rows.target), graph.constant(head)).value
      if let failure = graph.failure { throw failure }
      quality.add(image.value, rows.target, sizes: targetSizes)
      quality.add(target: target, aligned: aligned, draft: draftLogits(rows.plain))
    }
    return quality.figures
  }

  /// The logits of the draft model's own head for the cut's tokens; very low ones for tokens that it
  /// does not have.
  private func draftLogits(_ states: Tensor) -> Tensor {
    let all = Tensor(shape: [states.rows, draftHead.count])
    draftHead.logits(of: states.data, rows: states.rows, into: all.data)
    guard let known = draftHead.tokens, known != setup.cut.tokens else { return all }
    let places = Dictionary(uniqueKeysWithValues: zip(known, known.indices))
    let result = Tensor(shape: [states.rows, setup.cut.tokens.count])
    for row in 0..<states.rows {
      for (column, token) in setup.cut.tokens.enumerated() {
        result.data[row * result.columns + column] =
          places[token].map { all.data[row * all.columns + $0] } ?? -30
      }
    }
    return result
  }

  public func export(to folder: String, provenance: Provenance) throws {
    let (inputs, outputs) = (weight.value.columns, weight.value.rows)
    let map = weight.value.copy()
    map.scaleRows(by: targetSizes)
    map.scaleColumns(by: draftSizes.map { 1 / $0 })
    let shift = bias.map { zip($0.value.values, targetSizes).map { $0 * $1 } }
    let identity = setup.target.identity
    try AffineMap.write(
      to: "\(folder)/alignment.safetensors", weight: map.values, bias: shift, inputs: inputs,
      outputs: outputs, normalises: configuration.layerNorm,
      origin: AffineMap.Origin(
        draft: draft.name, target: identity.name, vocabulary: identity.vocabularyFingerprint,
        method: (provenance.figures.first { $0.name == "step" }?.value ?? 0) > 0
          ? "gradient" : "least-squares",
        // Counted again: a run that was taken up did not fit them itself.
        rows: try forEachFittedBatch { _ in },
        figures: Dictionary(
          provenance.figures.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })))
    try provenance.write(to: folder)
  }
}

/// Sums up how good a map is, row by row.
struct AlignmentQuality {
  private var sums: [String: Double] = [:]
  private var rows = 0.0

  /// - Parameters:
  ///   - image: aligned states of size 1. (rows, hidden)
  ///   - target: the target's. (rows, hidden)
  ///   - sizes: what brings both back to the target's own. (hidden)
  mutating func add(_ image: Tensor, _ target: Tensor, sizes: [Float]) {
    for row in 0..<image.rows {
      var (error, cross, ours, theirs, plain) = (0.0, 0.0, 0.0, 0.0, 0.0)
      for column in 0..<image.columns {
        let (a, b) = (
          Double(image.data[row * image.columns + column]),
          Double(target.data[row * image.columns + column])
        )
        let size = Double(sizes[column] * sizes[column])
        error += (a - b) * (a - b)
        plain += (a - b) * (a - b) * size
        cross += a * b * size
        ours += a * a * size
        theirs += b * b * size
      }
      sums["relative error", default: 0] += error / Double(image.columns)
      sums["mse", default: 0] += plain / Double(image.columns)
      sums["cosine", default: 0] += cross / max(1e-12, (ours * theirs).squareRoot())
    }
    rows += Double(image.rows)
  }

  /// Logits of the same rows. (rows, vocabulary)
  mutating func add(target: Tensor, aligned: Tensor, draft: Tensor) {
    let both = draft.copy()
    for index in 0..<both.count { both.data[index] = (draft.data[index] + aligned.data[index]) / 2 }
    for row in 0..<target.rows {
      let p = target.row(row)
      for (name, logits) in [("aligned", aligned), ("draft", draft), ("both", both)] {
        let q = logits.row(row)
        sums["divergence \(name)", default: 0] += Self.divergence(p, q)
        let (ours, theirs) = (Self.best(5, q), Self.best(5, p))
        sums["top-1 \(name)", default: 0] += ours[0] == theirs[0] ? 1 : 0
        sums["top-5 \(name)", default: 0] +=
          Double(Set(ours).intersection(theirs).count) / Double(theirs.count)
      }
    }
  }

  /// KL(p ‖ q) of the softmaxes, in nats.
  static func divergence(_ p: UnsafeBufferPointer<Float>, _ q: UnsafeBufferPointer<Float>) -> Double
  {
    func logSum(_ x: UnsafeBufferPointer<Float>) -> (most: Double, logSum: Double) {
      let most = Double(x.max() ?? 0)
      return (most, most + log(x.reduce(0.0) { $0 + exp(Double($1) - most) }))
    }
    let (a, b) = (logSum(p).logSum, logSum(q).logSum)
    var sum = 0.0
    for index in p.indices {
      let (x, y) = (Double(p[index]) - a, Double(q[index]) - b)
      sum += exp(x) * (x - y)
    }
    return sum
  }

  /// The places of the largest values, largest first.
  static func best(_ count: Int, _ values: UnsafeBufferPointer<Float>) -> [Int] {
    var best: [Int] = []
    for index in values.indices {
      if best.count == count, values[index] <= values[best[count - 1]] { continue }
      let place = best.firstIndex { values[$0] < values[index] } ?? best.count
      best.insert(index, at: place)
      if best.count > count { best.removeLast() }
    }
    return best
  }

  var figures: [TrainingFigure] {
    let means = sums.mapValues { $0 / max(1, rows) }
    let loss = (means["relative error"] ?? 0) + (means["divergence aligned"] ?? 0)
    return [TrainingFigure(name: "loss", value: loss)]
      + means.sorted { $0.key < $1.key }.map { TrainingFigure(name: $0.key, value: $0.value) }
  }
}

extension Tensor {
  func row(_ row: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: data + row * columns, count: columns)
  }

  /// The same rows with a further column.
  fileprivate func withColumn(of value: Float) -> Tensor {
    let result = Tensor(shape: [rows, columns + 1])
    for row in 0..<rows {
      let to = result.data + row * (columns + 1)
      to.update(from: data + row * columns, count: columns)
      to[columns] = value
    }
    return result
  }
}
