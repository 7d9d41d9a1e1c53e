import Drafters
import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

@Suite struct TrainerTests {
  private let folder: TemporaryFolder
  private let tiny: TinyTarget

  init() throws {
    folder = try TemporaryFolder()
    tiny = try TinyTarget(in: folder)
  }

  @Test("Training makes the loss fall", arguments: TrainerKind.unsolved)
  func lossFalls(_ kind: TrainerKind) throws {
    let trainer = try kind.trainer(tiny.setup())
    func loss() throws -> Double {
      try trainer.loss(of: 0, in: Graph(pool: tiny.model.pool)).total.scalar
    }
    let before = try loss()
    _ = try train(trainer, steps: 40, pool: tiny.model.pool)
    #expect(try loss() < before)
    let figures = try trainer.validate()
    #expect(figures.map(\.name).prefix(2) == ["loss", "chain acceptance length"])
    #expect(figures.allSatisfy { $0.value.isFinite })
  }

  @Test("A short validation looks at documents from anywhere, always the same; a long one at all")
  func validatedDocuments() throws {
    var setup = try StateTraining(
      target: tiny.target, training: tiny.states, validation: tiny.states,
      cut: VocabularyCut(vocabularySize: tiny.model.vocabularySize), batchRows: 160, seed: 3,
      validationRows: 160)
    func validated() throws -> [Int32] {
      var tokens: [Int32] = []
      try setup.forEachValidationBatch { tokens += $0.tokens }
      return tokens
    }
    let short = try validated()
    #expect(short.count == 160)
    #expect(short != (try tiny.states.batch(inOrder: 0, rows: 160))?.tokens)
    #expect(try validated() == short)
    setup.validationRows = .max
    var all: [Int32] = []
    while let batch = try tiny.states.batch(inOrder: all.count / 160, rows: 160) {
      all += batch.tokens
    }
    #expect(try validated().sorted() == all.sorted())

    // Documents of 40 tokens, cut to batches of 30: each once.
    setup = try StateTraining(
      target: tiny.target, training: tiny.states, validation: tiny.states,
      cut: VocabularyCut(vocabularySize: tiny.model.vocabularySize), batchRows: 30, seed: 3)
    #expect(try validated().count == 30 * tiny.states.documentCount)
  }

  @Test("Gradients reach every parameter", arguments: TrainerKind.allCases)
  func gradients(_ kind: TrainerKind) throws {
    let trainer = try kind.trainer(tiny.setup())
    let graph = Graph(pool: tiny.model.pool)
    graph.backward(try trainer.loss(of: 0, in: graph).total)
    #expect(Set(trainer.parameters.map(\.name)).count == trainer.parameters.count)
    for parameter in trainer.parameters {
      let largest = parameter.gradient.values.map(abs).max() ?? 0
      #expect(largest > 0 && largest.isFinite, "\(parameter.name)")
    }
  }

  @Test("Gradients are the loss's slope", arguments: TrainerKind.unsolved)
  func slope(_ kind: TrainerKind) throws {
    let trainer = try kind.trainer(tiny.setup())
    _ = try train(trainer, steps: 5, pool: tiny.model.pool)
    for parameter in trainer.parameters { parameter.gradient.zero() }
    let graph = Graph(pool: tiny.model.pool)
    graph.backward(try trainer.loss(of: 0, in: graph).total)
    let length = trainer.parameters.reduce(0.0) { sum, parameter in
      parameter.gradient.values.reduce(sum) { $0 + Double($1) * Double($1) }
    }.squareRoot()
    func loss(moved distance: Double) throws -> Double {
      let kept = trainer.parameters.map { $0.value.copy() }
      for parameter in trainer.parameters {
        for index in 0..<parameter.value.count {
          parameter.value.data[index] += Float(distance / length) * parameter.gradient.data[index]
        }
      }
      defer {
        for (parameter, value) in zip(trainer.parameters, kept) { parameter.value.set(value) }
      }
      return try trainer.loss(of: 0, in: Graph(pool: tiny.model.pool)).total.scalar
    }
    let distance = 0.01 / length
    let slope = try (loss(moved: distance) - loss(moved: -distance)) / (2 * distance)
    #expect(abs(slope / length - 1) < 0.03, "\(slope) against \(length)")
  }

  @Test("The same seed gives the same micro-batches", arguments: TrainerKind.allCases)
  func repeats(_ kind: TrainerKind) throws {
    let setup = try tiny.setup()
    let losses = try (0..<2).map { _ in
      try train(kind.trainer(setup), steps: 3, pool: tiny.model.pool)
    }
    #expect(losses[0] == losses[1])
  }

  @Test(
    "A cut drafter proposes frequent tokens only and says which", arguments: TrainerKind.allCases)
  func cut(_ kind: TrainerKind) throws {
    let setup = try tiny.setup(coverage: 0.6)
    let count = setup.cut.tokens.count
    #expect(count % 16 == 0 && count < TinyTarget.vocabularySize)
    #expect(setup.cut.coverage >= 0.6)
    let trainer = try kind.trainer(setup)
    let path = try export(trainer)
    let frequent = try FrequentTokens(
      path: path + "/" + FrequentTokens.fileName, vocabularySize: TinyTarget.vocabularySize)
    #expect(frequent.tokens.sorted() == setup.cut.tokens)
    let card = try #require(try DrafterCard(folder: path))
    #expect(card.frequentTokens == FrequentTokens.fileName)
    #expect(card.method == kind.rawValue)
    #expect(card.target.vocabularyFingerprint == "7f")
    _ = try TrainedDrafter.load(folder: path, target: tiny.model)
  }

  @Test(
    "An exported drafter decodes, and validation measures how far", arguments: TrainerKind.allCases)
  func decodes(_ kind: TrainerKind) throws {
    let trainer = try kind.trainer(tiny.setup(probe: true))
    let figures = try trainer.validate()
    let length = try #require(figures.first { $0.name == "acceptance length" }).value
    #expect((1...4).contains(length))
  }

  @Test("A run that was stopped goes on as if it had not been", arguments: TrainerKind.allCases)
  func resumes(_ kind: TrainerKind) throws {
    var configuration = RunConfiguration()
    configuration.steps = 4
    configuration.batchTokens = 160
    configuration.validateEvery = 0
    configuration.checkpointMinutes = 0
    func run(_ name: String, stoppingAfter stop: Int = .max) throws -> [[Float]] {
      let trainer = try kind.trainer(tiny.setup())
      var steps = 0
      let run = try TrainingRun(
        trainer: trainer, configuration: configuration, folder: folder.file(name),
        pool: tiny.model.pool, provenance: Self.provenance,
        isCancelled: { steps >= stop },
        report: { if case .step = $0 { steps += 1 } })
      try run.run()
      return trainer.parameters.map(\.value.values)
    }
    let whole = try run("whole")
    let half = try run("parts", stoppingAfter: 2)
    #expect(half != whole)
    #expect(try run("parts") == whole)
  }

  @Test("States of another width are refused")
  func otherStates() throws {
    let other = try TinyTarget(in: TemporaryFolder())
    let writer = try HiddenStateWriter(
      folder: folder.file("narrow"), metadata: HiddenStateMetadata(target: "tiny"), hiddenSize: 32,
      layers: [])
    try writer.append(
      TokenizedConversation(id: "0", tokens: [1, 2, 3], answers: [0..<3]),
      states: [[UInt16](repeating: 0, count: 96)])
    try writer.finish()
    let narrow = try HiddenStateSet(folder: writer.folder)
    #expect(throws: TrainingError.self) {
      try StateTraining(
        target: other.target, training: narrow, validation: narrow,
        cut: VocabularyCut(vocabularySize: TinyTarget.vocabularySize), batchRows: 160, seed: 1)
    }
  }

  @Test("EAGLE-3 names the layers whose states it misses")
  func missingLayers() throws {
    let only = try HiddenStateSet(folder: folder.file("states"), layers: [2])
    let (training, validation) = try only.split(validation: 0.2, seed: 1)
    let setup = try StateTraining(
      target: tiny.target, training: training, validation: validation,
      cut: VocabularyCut(vocabularySize: TinyTarget.vocabularySize), batchRows: 160, seed: 1)
    #expect(
      throws: TrainingError.setting(
        name: "states", expected: "layers [2, 4, 5] of the target", found: "[2]")
    ) { try TrainerKind.eagle3.trainer(setup) }
  }

  static let provenance = Provenance(
    command: ["test"], commit: nil, versions: .current(nunchi: "0"))

  private func export(_ trainer: any Trainer) throws -> String {
    let path = folder.file(trainer.method)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try trainer.export(to: path, provenance: Self.provenance)
    return path
  }
}
