import Drafters
import Foundation
import LanguageModels
import ModelFiles

/// The sizes of an acceptance predictor, and what it sees.
public struct PredictorConfiguration: DrafterConfiguration {
  /// Which state it sees.
  public var input = AcceptancePredictor.Input.aligned
  /// Units of the first and the second layer.
  public var first = 256
  public var second = 128
  /// Candidates of a node that it learns from.
  public var candidates = 8
  /// The deepest nodes that it learns from.
  public var depth = 4
  /// Groups of features that it is not told: probability, entropy, depth, rank.
  public var without: [String] = []
  /// Rows of text that it learns from, at most; a tenth of it is held out besides.
  public var rows = 40_000

  public init() {}

  public func check() throws {
    try checkRange("drafter.first", first, 1...4096)
    try checkRange("drafter.second", second, 1...4096)
    try checkRange("drafter.candidates", candidates, 1...64)
    try checkRange("drafter.depth", depth, 1...64)
    try checkRange("drafter.rows", rows, 64...100_000_000)
    let known = CandidateFeatures.Group.allCases.map(\.rawValue)
    for name in without where !known.contains(name) {
      throw TrainingError.setting(
        name: "drafter.without", expected: known.joined(separator: ", "), found: name)
    }
  }

  var options: [String: String] {
    [
      "input": input.rawValue, "units": "\(first), \(second)", "candidates": "\(candidates)",
      "depth": "\(depth)", "without": without.joined(separator: ", "), "rows": "\(rows)",
    ]
  }
}

/// Trains the network that predicts whether the target accepts a candidate: on the draft model's
/// candidates along the target's own text, labelled with the target's acceptance. Its probabilities
/// are calibrated on one half of the held-out rows, and measured on the other.
public final class PredictorTrainer: Trainer {
  public let method = "acceptance-predictor"
  public let parameters: [Parameter]
  public var options: [String: String] {
    setup.options.merging(configuration.options) { $1 }
      .merging(["draft model": draft.sha256, "alignment": alignmentSHA256]) { $1 }
  }

  private let configuration: PredictorConfiguration
  private let setup: StateTraining
  private let draft: TrainingDraft
  private let alignmentSHA256: String
  private let training: CandidateSet
  let held: CandidateSet
  private let state: Parameter?
  private let features, firstBias: Parameter
  private let second, secondBias: Parameter
  private let last, lastBias: Parameter
  private var calibrations = [AcceptancePredictor.Calibration](
    repeating: .init(), count: 2)
  private var reliability: [Reliability] = []

  /// Goes over the text with the draft model: some minutes.
  /// - Parameters:
  ///   - alignment: of the draft model to the target, for the input `aligned`.
  ///   - examples: a folder where what it goes over is kept, and found again; nil keeps nothing.
  ///   - report: told how many rows there are.
  public init(
    _ configuration: PredictorConfiguration, setup: StateTraining, draft: TrainingDraft,
    alignment: AffineMap?, examples folder: String? = nil,
    report: (Int) -> Void = { _ in }
  ) throws {
    try configuration.check()
    if configuration.input == .aligned, alignment == nil {
      throw TrainingError.setting(
        name: "alignment", expected: "a file, which the input 'aligned' needs", found: "none")
    }
    self.configuration = configuration
    self.setup = setup
    self.draft = draft
    let alignment = configuration.input == .aligned ? alignment : nil
    alignmentSHA256 = try alignment.map { try sha256(ofFile: $0.path) } ?? "none"
    if let folder {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    func examples(
      _ name: String, _ source: any StateSource, _ limit: Int
    ) throws -> CandidateExamples {
      let path = folder.map { "\($0)/\(name).safetensors" }
      let origin =
        "\(draft.sha256), \(setup.target.identity.sha256), \(source.documentCount) documents, "
        + "\(source.rowCount) rows, seed \(setup.seed), \(limit) rows, "
        + "\(configuration.candidates) candidates, batches of \(setup.batchRows)"
      if let path,
        let kept = try CandidateExamples(
          path: path, origin: origin, candidates: configuration.candidates,
          draftSize: draft.model.hiddenSize)
      {
        return kept
      }
      let found = try CandidateExamples.collect(
        source, draft: draft.model, target: setup.target, batchRows: setup.batchRows,
        seed: setup.seed, limit: limit, candidates: configuration.candidates,
        width: min(5, configuration.candidates), report: report)
      if let path { try found.write(to: path, origin: origin) }
      return found
    }
    training = CandidateSet(
      try examples("training", setup.training, configuration.rows), configuration,
      alignment: alignment)
    held = CandidateSet(
      try examples("held", setup.validation, max(64, configuration.rows / 10)), configuration,
      alignment: alignment, scales: training.scales)
    var random = SeededRandom(seed: setup.seed, stream: .max)
    let (first, middle) = (configuration.first, configuration.second)
    func zeros(_ name: String, _ count: Int) -> Parameter {
      Parameter(name: name, value: Tensor(shape: [count]), decays: false)
    }
    typealias Name = AcceptancePredictor.Name
    state =
      training.stateSize == 0
      ? nil
      : .matrix(Name.state, rows: first, columns: training.stateSize, scale: 0.5, &random)
    features = .matrix(
      Name.features, rows: first, columns: CandidateFeatures.count, scale: 1, &random)
    firstBias = zeros(Name.first, first)
    second = .matrix("\(Name.second).weight", rows: middle, columns: first, &random)
    secondBias = zeros("\(Name.second).bias", middle)
    last = .matrix("\(Name.last).weight", rows: 2, columns: middle, scale: 0.1, &random)
    lastBias = zeros("\(Name.last).bias", 2)
    parameters =
      [state].compactMap { $0 } + [features, firstBias, second, secondBias, last, lastBias]
  }

  /// Two logits for each candidate of some rows. (rows · candidates, 2)
  private func logits(
    _ batch: CandidateSet.Batch, in graph: Graph, learning: Bool
  ) -> Variable {
    func leaf(_ parameter: Parameter) -> Variable {
      learning ? graph.parameter(parameter) : graph.constant(parameter.value)
    }
    var hidden = graph.linear(
      graph.constant(batch.features), leaf(features), bias: leaf(firstBias))
    if let state, let states = batch.states {
      let seen = graph.linear(graph.constant(states), leaf(state))
      let spread = (0..<batch.features.rows).map { $0 / configuration.candidates }
      hidden = graph.add(hidden, graph.rows(seen, spread))
    }
    let narrow = graph.linear(graph.gelu(hidden), leaf(second), bias: leaf(secondBias))
    return graph.linear(graph.gelu(narrow), leaf(last), bias: leaf(lastBias))
  }

  public func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    var random = SeededRandom(seed: setup.seed, stream: UInt64(microBatch))
    let rows = (0..<max(1, setup.batchRows / configuration.candidates)).map { _ in
      Int(random.next() % UInt64(training.rows))
    }
    let batch = training.batch(rows, &random)
    let loss = graph.binaryCrossEntropy(
      logits(batch, in: graph, learning: true), batch.labels)
    return StepLoss(total: loss, tokens: rows.count)
  }

  // MARK: - Validation

  public func validate() throws -> [TrainingFigure] {
    var answers = [[Judgement]](repeating: [], count: 2)
    var random = SeededRandom(seed: setup.seed, stream: .max - 1)
    var (loss, batches) = (0.0, 0.0)
    for first in stride(from: 0, to: held.rows, by: 256) {
      let rows = Array(first..<min(first + 256, held.rows))
      let batch = held.batch(rows, &random)
      let graph = Graph(pool: setup.target.model.pool)
      let logits = self.logits(batch, in: graph, learning: false)
      loss += graph.binaryCrossEntropy(logits, batch.labels).scalar * Double(rows.count)
      batches += Double(rows.count)
      if let failure = graph.failure { throw failure }
      for index in 0..<batch.features.rows {
        for answer in 0..<2 {
          answers[answer].append(
            Judgement(
              logit: Double(logits.value.data[2 * index + answer]),
              label: Double(batch.labels.data[2 * index + answer]),
              isFirst: index % configuration.candidates == 0,
              // Whole rows go to the one half or the other.
              calibrates: (rows[0] + index / configuration.candidates) % 2 == 0))
        }
      }
    }
    var figures = [TrainingFigure(name: "loss", value: loss / max(1, batches))]
    reliability = []
    for (answer, name) in [(0, "greedy"), (1, "sampled")] {
      let judged = answers[answer]
      calibrations[answer] = Judgement.calibration(judged.filter(\.calibrates))
      let measured = judged.filter { !$0.calibrates }
      let calibration = calibrations[answer]
      for (part, some) in [("", measured), (" first", measured.filter(\.isFirst))] {
        let figuresOfPart = Reliability(some, calibration)
        figures += [
          TrainingFigure(name: "ECE \(name)\(part)", value: figuresOfPart.calibrationError),
          TrainingFigure(name: "Brier \(name)\(part)", value: figuresOfPart.brier),
          TrainingFigure(name: "AUC \(name)\(part)", value: figuresOfPart.area),
        ]
        if part.isEmpty { reliability.append(figuresOfPart) }
      }
    }
    return figures
  }

  /// The calibrated chances of a batch's candidates, one after another.
  func chances(_ batch: CandidateSet.Batch, answer: Int) -> [Double] {
    let graph = Graph(pool: setup.target.model.pool)
    let logits = logits(batch, in: graph, learning: false).value
    return (0..<logits.rows).map {
      calibrations[answer].probability(Double(logits.data[2 * $0 + answer]))
    }
  }

  // MARK: - Export

  public func export(to folder: String, provenance: Provenance) throws {
    let path = "\(folder)/predictor.safetensors"
    let identity = setup.target.identity
    // What the network sees was brought to size 1: the first layer takes that over.
    var tensors: [(String, Tensor, TensorType)] = []
    if let state {
      let weight = state.value.copy()
      weight.scaleColumns(by: training.scales)
      tensors.append((state.name, weight, .bf16))
    }
    for parameter in [features, second, last] {
      tensors.append((parameter.name, parameter.value, .bf16))
    }
    for parameter in [firstBias, secondBias, lastBias] {
      tensors.append((parameter.name, parameter.value, .f32))
    }
    try AcceptancePredictor.write(
      to: path, tensors: tensors.map { ($0.0, $0.1.shape, $0.1.values, $0.2) },
      card: AcceptancePredictor.Card(
        input: configuration.input, draft: draft.name, target: identity.name,
        vocabulary: identity.vocabularyFingerprint, calibrations: calibrations,
        figures: Dictionary(
          provenance.figures.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })))
    if reliability.count == 2 {
      try ReliabilityPicture(folder: folder, greedy: reliability[0], sampled: reliability[1])
        .write()
    }
    try provenance.write(to: folder)
  }
}

/// Candidates with what the predictor sees of them.
struct CandidateSet {
  /// The rows of one step.
  struct Batch {
    var families: [CandidateFamily]
    /// (rows, stateSize); nil where the predictor sees none.
    var states: Tensor?
    /// (rows · candidates, features)
    var features: Tensor
    /// Greedy and sampled. (rows · candidates, 2)
    var labels: Tensor
  }

  let stateSize: Int
  /// What brings each column of the states to size 1. (stateSize)
  let scales: [Float]
  private let examples: CandidateExamples
  private let configuration: PredictorConfiguration
  private let alignment: AffineMap?
  private let silenced: [Range<Int>]

  var rows: Int { examples.rows }

  /// - Parameters:
  ///   - alignment: for the input `aligned`.
  ///   - known: those of the rows that are learned from; nil measures them.
  init(
    _ examples: CandidateExamples, _ configuration: PredictorConfiguration,
    alignment: AffineMap?, scales known: [Float]? = nil
  ) {
    self.examples = examples
    self.configuration = configuration
    self.alignment = alignment
    stateSize =
      switch configuration.input {
      case .aligned: alignment?.outputs ?? 0
      case .draft: examples.draftSize
      case .none: 0
      }
    silenced = configuration.without.compactMap(CandidateFeatures.Group.init(rawValue:))
      .map(CandidateFeatures.range)
    guard known == nil else {
      scales = known ?? []
      return
    }
    var squares = [Double](repeating: 0, count: stateSize)
    let some = Array(0..<min(examples.rows, 512))
    if stateSize > 0, !some.isEmpty {
      let states = Self.states(some, examples, self.alignment, stateSize)
      for row in 0..<states.rows {
        for column in 0..<stateSize {
          let value = Double(states.data[row * stateSize + column])
          squares[column] += value * value
        }
      }
    }
    scales = squares.map {
      1 / max(1e-6, Float(($0 / Double(max(1, some.count))).squareRoot()))
    }
  }

  /// What the predictor sees of rows, as the models have it. (rows, stateSize)
  func states(_ rows: [Int]) -> Tensor { Self.states(rows, examples, alignment, stateSize) }

  private static func states(
    _ rows: [Int], _ examples: CandidateExamples, _ alignment: AffineMap?, _ size: Int
  ) -> Tensor {
    let width = examples.draftSize
    let draft = Tensor(shape: [rows.count, width])
    examples.states.withUnsafeBufferPointer { bits in
      guard let base = bits.baseAddress else { return }
      for (place, row) in rows.enumerated() {
        BFloat16.widen(base + row * width, count: width, into: draft.data + place * width)
      }
    }
    guard let alignment else { return draft }
    let aligned = Tensor(shape: [rows.count, size])
    alignment.apply(draft.data, rows: rows.count, into: aligned.data)
    return aligned
  }

  /// - Parameter random: draws how deep each row lies in a tree.
  func batch(_ rows: [Int], _ random: inout SeededRandom) -> Batch {
    let (count, width) = (configuration.candidates, CandidateFeatures.count)
    let features = Tensor(shape: [rows.count * count, width])
    let labels = Tensor(shape: [rows.count * count, 2])
    let families = rows.map { row in
      let deepest = min(Int(examples.reach[row]) + 1, configuration.depth)
      return CandidateFamily(
        depth: 1 + Int(random.next() % UInt64(deepest)),
        logProbabilities: examples.logProbabilities[row * count..<(row + 1) * count].map(
          Double.init),
        entropy: Double(examples.entropies[row]))
    }
    for (place, row) in rows.enumerated() {
      for rank in 0..<count {
        let index = place * count + rank
        let to = features.data + index * width
        CandidateFeatures.write(families[place], rank: rank, to: to)
        for range in silenced {
          (to + range.lowerBound).update(repeating: 0, count: range.count)
        }
        labels.data[2 * index] = examples.greedy[row * count + rank]
        labels.data[2 * index + 1] = examples.sampled[row * count + rank]
      }
    }
    var batch = Batch(families: families, states: nil, features: features, labels: labels)
    if stateSize > 0 {
      let states = states(rows)
      states.scaleColumns(by: scales)
      batch.states = states
    }
    return batch
  }
}
