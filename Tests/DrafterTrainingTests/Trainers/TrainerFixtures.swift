import Drafters
import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

/// A tiny random target, and its states on texts with a pattern to learn.
struct TinyTarget {
  static let hidden = 64
  static let layers = 8
  static let vocabularySize = 160

  let target: TrainingTarget
  let states: HiddenStateSet

  var model: TransformerModel { target.model }

  /// - Parameter folder: for the target and its states.
  init(in folder: TemporaryFolder, documents count: Int = 24, length: Int = 40) throws {
    try self.init(Self.llama(in: folder), in: folder, documents: count, length: length)
  }

  /// A tiny Gemma, which multiplies the rows of its embedding.
  static func gemma(in folder: TemporaryFolder) throws -> TinyTarget {
    let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../LanguageModelsTests/Goldens/gemma3").path
    return try TinyTarget(
      TransformerModel(folder: goldens, pool: ComputePool(threads: 2)), in: folder,
      documents: 24, length: 40)
  }

  private static func llama(in folder: TemporaryFolder) throws -> TransformerModel {
    var random = SeededRandom(seed: 5)
    let shape = BlockShape(
      hidden: Self.hidden, intermediate: 96, heads: 4, kvHeads: 2, headSize: 16)
    let network = TinyLMNetwork(
      shape, layers: Self.layers, vocabularySize: Self.vocabularySize,
      frequencies: RotaryConfiguration(theta: 10_000).frequencies(headDim: 16), random: &random)
    // A random model's output hardly depends on its input; larger embeddings make it.
    network.embedding.value.scale(by: 8)
    let path = folder.file("target")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try TinyLMTrainer.export(
      network, theta: 10_000, contextLength: 256,
      cut: VocabularyCut(vocabularySize: Self.vocabularySize)
    ).writeModel(to: path)
    return try TransformerModel(folder: path, pool: ComputePool(threads: 2))
  }

  private init(
    _ model: TransformerModel, in folder: TemporaryFolder, documents count: Int, length: Int
  ) throws {
    var random = SeededRandom(seed: 6)
    target = TrainingTarget(
      model: model,
      identity: Provenance.Target(name: "tiny", sha256: "00", vocabularyFingerprint: "7f"))

    let layers = EagleLayout.observedLayers(layerCount: model.layerCount)
    let writer = try HiddenStateWriter(
      folder: folder.file("states"), metadata: HiddenStateMetadata(target: "tiny"),
      hiddenSize: model.hiddenSize, layers: layers)
    let prefill = try StatePrefill(model: model, layers: layers, contextLength: length)
    for document in 0..<count {
      let tokens = Self.text(length, of: Int32(min(120, model.vocabularySize)), &random)
      try writer.append(
        TokenizedConversation(id: "\(document)", tokens: tokens, answers: [6..<length]),
        states: try prefill.states(of: [tokens])[0])
    }
    try writer.finish()
    states = try HiddenStateSet(folder: writer.folder)
  }

  /// Each token has three successors, the first of them twice as likely.
  private static func text(
    _ length: Int, of vocabulary: Int32, _ random: inout SeededRandom
  ) -> [Int32] {
    var tokens = [Int32.random(in: 0..<vocabulary, using: &random)]
    while tokens.count < length {
      let last = tokens[tokens.count - 1]
      let choice: Int32 = [1, 1, 7, 31].randomElement(using: &random) ?? 1
      tokens.append((last * 3 + choice) % vocabulary)
    }
    return tokens
  }

  /// - Parameter cut: the coverage of the drafter's tokens.
  func setup(coverage: Double = 1, probe: Bool = false) throws -> StateTraining {
    let (training, validation) = try states.split(validation: 0.2, seed: 1)
    let cut = VocabularyCut(
      counts: try VocabularyCut.counts(of: training, vocabularySize: model.vocabularySize),
      coverage: coverage)
    return try StateTraining(
      target: target, training: training, validation: validation, cut: cut, batchRows: 160,
      seed: 3,
      probe: probe
        ? AcceptanceProbe(
          prompts: try AcceptanceProbe.prompts(of: validation, count: 2), draftLength: 3,
          draftNodes: 3, answerTokens: 12) : nil)
  }
}

extension TemporaryFolder {
  func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// The kinds of drafters, each as small as may be.
enum TrainerKind: String, CaseIterable, CustomTestStringConvertible {
  case eagle, eagle3, medusa, hydra
  case tinyLM = "tiny-lm"

  var testDescription: String { rawValue }

  /// Those that have something left to learn from the tiny target: the linear map that Hydra starts
  /// from predicts its states nearly exactly.
  static let unsolved: [TrainerKind] = [.eagle, .eagle3, .medusa, .tinyLM]

  /// One that is ready to learn.
  func trainer(_ setup: StateTraining) throws -> any Trainer {
    let trainer = try unprepared(setup)
    try trainer.prepare()
    return trainer
  }

  private func unprepared(_ setup: StateTraining) throws -> any Trainer {
    var heads = HeadsConfiguration()
    heads.heads = 3
    switch self {
    case .eagle:
      return try StateTrainer(eagle: .eagle1, Self.eagle(featureWeight: 1), setup: setup)
    case .eagle3:
      return try StateTrainer(
        eagle: .eagle3, Self.eagle(featureWeight: 0), setup: setup)
    case .medusa: return try StateTrainer(medusa: heads, setup: setup)
    case .hydra: return try StateTrainer(hydra: heads, setup: setup)
    case .tinyLM:
      var configuration = TinyLMConfiguration()
      (configuration.hidden, configuration.layers, configuration.intermediate) = (32, 2, 64)
      (configuration.heads, configuration.kvHeads, configuration.headSize) = (2, 1, 16)
      return try TinyLMTrainer(configuration, setup: setup)
    }
  }

  static func eagle(featureWeight: Double) -> EagleConfiguration {
    EagleConfiguration(
      intermediate: 64, heads: 2, kvHeads: 1, headSize: 32, steps: 2, stepDecay: 0.8, noise: 0.05,
      featureWeight: featureWeight, tokenWeight: 1)
  }
}

/// Some updates of plain AdamW; the loss of each.
func train(_ trainer: any Trainer, steps: Int, rate: Double = 3e-3, pool: ComputePool) throws
  -> [Double]
{
  let optimizer = AdamW(trainer.parameters, options: AdamW.Options())
  return try (0..<steps).map { step in
    for parameter in trainer.parameters { parameter.gradient.zero() }
    let graph = Graph(pool: pool)
    let loss = try trainer.loss(of: step, in: graph)
    let value = loss.total.scalar
    graph.backward(loss.total)
    optimizer.step(rate: rate, pool: pool)
    return value
  }
}
