import Drafters
import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

/// A draft model for the tiny target: another random model of its vocabulary, half as wide.
private func draftModel(in folder: TemporaryFolder, seed: UInt64 = 8) throws -> TrainingDraft {
  var random = SeededRandom(seed: seed)
  let shape = BlockShape(hidden: 32, intermediate: 64, heads: 2, kvHeads: 1, headSize: 16)
  let network = TinyLMNetwork(
    shape, layers: 2, vocabularySize: TinyTarget.vocabularySize,
    frequencies: RotaryConfiguration(theta: 10_000).frequencies(headDim: 16), random: &random)
  network.embedding.value.scale(by: 8)
  let path = folder.file("draft")
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  try TinyLMTrainer.export(
    network, theta: 10_000, contextLength: 256,
    cut: VocabularyCut(vocabularySize: TinyTarget.vocabularySize)
  ).writeModel(to: path)
  return TrainingDraft(
    model: try TransformerModel(folder: path, pool: ComputePool(threads: 2)), name: "draft",
    sha256: "d1")
}

private let provenance = Provenance(
  data: [], seeds: [:], versions: .init(nunchi: "0", swift: "6", system: "test", blas: "none"),
  target: nil)

@Suite struct AlignmentTrainerTests {
  private let folder: TemporaryFolder
  private let tiny: TinyTarget

  init() throws {
    folder = try TemporaryFolder()
    tiny = try TinyTarget(in: folder)
  }

  private func figures(_ trainer: AlignmentTrainer) throws -> [String: Double] {
    Dictionary(uniqueKeysWithValues: try trainer.validate().map { ($0.name, $0.value) })
  }

  @Test("The target aligned with itself is itself, and its head finds the same tokens")
  func itself() throws {
    let trainer = try AlignmentTrainer(
      AlignmentConfiguration(), setup: tiny.setup(),
      draft: TrainingDraft(model: tiny.model, name: "tiny", sha256: "00"))
    try trainer.prepare()
    let figures = try figures(trainer)
    #expect(figures["relative error", default: 1] < 1e-3)
    #expect(figures["cosine", default: 0] > 0.999)
    #expect(figures["top-1 aligned", default: 0] > 0.95)
    #expect(figures["divergence aligned", default: 1] < 0.02)
  }

  @Test("Least squares come nearer than nothing, and the gradient nearer to the logits")
  func gradient() throws {
    let draft = try draftModel(in: folder)
    let trainer = try AlignmentTrainer(
      AlignmentConfiguration(), setup: tiny.setup(), draft: draft)
    let nothing = try figures(trainer)
    try trainer.prepare()
    let fitted = try figures(trainer)
    #expect(fitted["relative error", default: 9] < nothing["relative error", default: 0])
    func divergence() throws -> Double {
      let graph = Graph(pool: tiny.model.pool)
      return try trainer.loss(of: 0, in: graph).terms[1].value
    }
    let before = try divergence()
    _ = try train(trainer, steps: 30, pool: tiny.model.pool)
    #expect(try divergence() < before)
  }

  @Test("The exported map does what the trainer's does", arguments: [false, true])
  func export(layerNorm: Bool) throws {
    let draft = try draftModel(in: folder)
    var configuration = AlignmentConfiguration()
    configuration.layerNorm = layerNorm
    let setup = try tiny.setup()
    let trainer = try AlignmentTrainer(
      configuration, setup: setup, draft: draft)
    try trainer.prepare()
    let expected = try figures(trainer)
    try trainer.export(to: folder.path, provenance: provenance)
    let map = try AffineMap(
      path: folder.file("alignment.safetensors"), draft: draft.model.hiddenSize,
      target: TinyTarget.hidden, pool: tiny.model.pool)
    #expect(map.normalises == layerNorm && map.hasBias)
    // The rows that there are, fewer than may be used.
    var used = 0
    try setup.training.forEachBatch(seed: 0, rows: 160) {
      used += $0.answerRows.count
      return true
    }
    #expect(used > 0 && used < configuration.rows && map.origin.rows == used)
    let pairs = try PairedStates(draft: draft.model, target: setup.target, contextLength: 160)
    var (sum, count) = (0.0, 0)
    try setup.forEachValidationBatch { batch in
      let rows = batch.answerRows
      let states = try pairs.states(of: batch).gathered(rows)
      let target = batch.states(.final).gathered(rows)
      let aligned = Tensor(shape: target.shape)
      map.apply(states.data, rows: rows.count, into: aligned.data)
      for index in 0..<target.count {
        let error = Double(aligned.data[index] - target.data[index])
        sum += error * error
      }
      count += target.count
    }
    #expect(abs(sum / Double(count) / expected["mse", default: 0] - 1) < 0.05)
  }

  @Test("A draft model of another vocabulary is refused")
  func vocabulary() throws {
    var random = SeededRandom(seed: 1)
    let network = TinyLMNetwork(
      BlockShape(hidden: 32, intermediate: 64, heads: 2, kvHeads: 1, headSize: 16), layers: 1,
      vocabularySize: 96, frequencies: RotaryConfiguration(theta: 1e4).frequencies(headDim: 16),
      random: &random)
    try TinyLMTrainer.export(
      network, theta: 1e4, contextLength: 64, cut: VocabularyCut(vocabularySize: 96)
    ).writeModel(to: folder.path)
    let other = try TransformerModel(folder: folder.path, pool: tiny.model.pool)
    let error = #expect(throws: TrainingError.self) {
      try AlignmentTrainer(
        AlignmentConfiguration(), setup: tiny.setup(),
        draft: TrainingDraft(model: other, name: "other", sha256: "01"))
    }
    #expect(error?.description.contains("a vocabulary of 160 tokens") == true)
  }
}

@Suite struct PredictorTrainerTests {
  private let folder: TemporaryFolder
  private let tiny: TinyTarget

  init() throws {
    folder = try TemporaryFolder()
    tiny = try TinyTarget(in: folder)
  }

  private func configuration(_ input: AcceptancePredictor.Input) -> PredictorConfiguration {
    var configuration = PredictorConfiguration()
    configuration.input = input
    (configuration.first, configuration.second) = (32, 16)
    (configuration.candidates, configuration.depth) = (4, 3)
    return configuration
  }

  @Test("What was collected is what the two models say, row by row")
  func examples() throws {
    let draft = try draftModel(in: folder)
    let setup = try tiny.setup()
    let examples = try CandidateExamples.collect(
      setup.training, draft: draft.model, target: setup.target, batchRows: 160, seed: 3,
      limit: 30, candidates: 4, width: 2)
    let batch = try setup.training.batch(at: 0, seed: 3, rows: 160)
    let tokens = Array(batch.tokens[batch.segments[0]])
    func rows(_ model: TransformerModel) throws -> [[Float]] {
      let cache = try model.makeCache(capacity: 64)
      let output = try model.forward(chain: tokens, cache: cache)
      return (0..<tokens.count).map { Array(output.logits[$0]) }
    }
    func softmax(_ x: [Float]) -> [Double] {
      let most = Double(x.max() ?? 0)
      let weights = x.map { exp(Double($0) - most) }
      let total = weights.reduce(0, +)
      return weights.map { $0 / total }
    }
    let (q, p) = (try rows(draft.model).map(softmax), try rows(tiny.model).map(softmax))
    var reach = 0
    for (index, row) in batch.answerRows.prefix(20).enumerated() {
      let best = q[row].indices.sorted { q[row][$0] > q[row][$1] }.prefix(4)
      for (rank, token) in best.enumerated() {
        let place = index * 4 + rank
        #expect(abs(Double(examples.logProbabilities[place]) - log(q[row][token])) < 0.05)
        #expect(abs(Double(examples.sampled[place]) - p[row][token]) < 0.05)
      }
      let first = p[row].indices.max { p[row][$0] < p[row][$1] }
      let greedy = (0..<4).first { examples.greedy[index * 4 + $0] == 1 }
      #expect(greedy.map { best[$0] } == best.first { $0 == first })
      let entropy = q[row].reduce(0) { $0 - $1 * log($1) }
      #expect(abs(Double(examples.entropies[index]) - entropy) < 0.05)
      #expect(Int(examples.reach[index]) == reach)
      reach = best.prefix(2).contains(Int(tokens[row + 1])) ? reach + 1 : 0
    }
  }

  @Test(
    "Training makes the loss fall, whatever the network sees",
    arguments: AcceptancePredictor.Input.allCases)
  func lossFalls(_ input: AcceptancePredictor.Input) throws {
    let draft = try draftModel(in: folder)
    let setup = try tiny.setup()
    let alignment = try AlignmentTrainer(
      AlignmentConfiguration(), setup: setup, draft: draft)
    try alignment.prepare()
    try alignment.export(to: folder.path, provenance: provenance)
    let map = try AffineMap(
      path: folder.file("alignment.safetensors"), draft: draft.model.hiddenSize,
      target: TinyTarget.hidden, pool: tiny.model.pool)
    let trainer = try PredictorTrainer(
      configuration(input), setup: setup, draft: draft, alignment: map)
    func loss() throws -> Double { try trainer.validate()[0].value }
    let before = try loss()
    _ = try train(trainer, steps: 60, pool: tiny.model.pool)
    #expect(try loss() < before)

    // The exported network gives candidates the chances that the trainer's does.
    let figures = try trainer.validate()
    try trainer.export(to: folder.path, provenance: provenance)
    let predictor = try AcceptancePredictor(
      path: folder.file("predictor.safetensors"),
      stateSize: { $0 == .draft ? draft.model.hiddenSize : TinyTarget.hidden },
      pool: tiny.model.pool)
    #expect(predictor.card.input == input)
    let rows = Array(0..<min(40, trainer.held.rows))
    var random = SeededRandom(seed: 1)
    let batch = trainer.held.batch(rows, &random)
    let states = trainer.held.stateSize > 0 ? trainer.held.states(rows) : nil
    for (answer, isGreedy) in [true, false].enumerated() {
      let expected = trainer.chances(batch, answer: answer)
      let found = predictor.probabilities(
        of: batch.families, states: states.map { UnsafePointer($0.data) }, isGreedy: isGreedy)
      for (one, other) in zip(found.joined(), expected) { #expect(abs(one - other) < 0.03) }
      #expect(found.joined().count == expected.count)
    }
    let table = try String(contentsOfFile: folder.file("reliability.csv"), encoding: .utf8)
    #expect(table.hasPrefix("answer,predicted,observed,count\ngreedy,"))
    #expect(figures.contains { $0.name == "AUC greedy first" && $0.value > 0 && $0.value <= 1 })
  }

  @Test("Kept examples are found again, and those of another origin are refused")
  func kept() throws {
    let draft = try draftModel(in: folder)
    let setup = try tiny.setup()
    var configuration = configuration(.draft)
    var counted = 0
    func trainer() throws -> PredictorTrainer {
      try PredictorTrainer(
        configuration, setup: setup, draft: draft, alignment: nil,
        examples: folder.file("examples")
      ) { _ in counted += 1 }
    }
    let first = try trainer().validate()
    let passes = counted
    #expect(passes > 0)
    #expect(try trainer().validate() == first)
    #expect(counted == passes)
    configuration.candidates = 3
    let error = #expect(throws: TrainingError.self) { try trainer() }
    #expect(error?.description.contains("origin: expected d1, 00, ") == true)
  }

  @Test("The input 'aligned' without an alignment is refused")
  func noAlignment() throws {
    let draft = try draftModel(in: folder)
    let error = #expect(throws: TrainingError.self) {
      try PredictorTrainer(
        configuration(.aligned), setup: tiny.setup(), draft: draft,
        alignment: nil)
    }
    #expect(error?.description.contains("alignment: expected a file") == true)
  }
}

@Suite struct ReliabilityTests {
  @Test("Calibration error, Brier score and area are those computed by hand")
  func byHand() {
    let found = Reliability([
      (chance: 0.1, label: 0), (chance: 0.1, label: 1), (chance: 0.9, label: 1),
      (chance: 0.8, label: 1), (chance: 0.5, label: 0),
    ])
    // Bins of 1/15: the two 0.1 together, 2 · 0.4; the others alone, 0.1, 0.2 and 0.5.
    #expect(abs(found.calibrationError - 1.6 / 5) < 1e-12)
    // 0.01 + 0.81 + 0.01 + 0.04 + 0.25
    #expect(abs(found.brier - 1.12 / 5) < 1e-12)
    // Of the six pairs of accepted and rejected: 0.1 against 0.1 is half, against 0.5 lost; 0.9 and
    // 0.8 win both.
    #expect(abs(found.area - 4.5 / 6) < 1e-12)
  }

  @Test("Labels between 0 and 1 count as both by their share")
  func soft() {
    let found = Reliability([(chance: 0.2, label: 0.25), (chance: 0.8, label: 0.75)])
    #expect(abs(found.calibrationError - 0.05) < 1e-12)
    // Accepted 0.25 low, 0.75 high; rejected 0.75 low, 0.25 high: 0.5625 won, 0.375 tied.
    #expect(abs(found.area - 0.75) < 1e-12)
  }

  @Test("Calibration finds the temperature and bias that were applied")
  func calibration() {
    var random = SeededRandom(seed: 4)
    let judgements = (0..<20_000).map { _ in
      let truth = Double(random.signed()) * 3
      // The predictor is twice as sure as it should be, and off by one.
      return Judgement(
        logit: 2 * truth + 1, label: 1 / (1 + exp(-truth)), isFirst: true, calibrates: true)
    }
    let found = Judgement.calibration(judgements)
    #expect(abs(found.temperature - 2) < 0.01 && abs(found.bias + 0.5) < 0.01)
  }
}
