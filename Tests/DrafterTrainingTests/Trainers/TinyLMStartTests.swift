import Foundation
import LanguageModels
import Nunchi
import Testing
import Tokenization

@testable import DrafterTraining

@Suite struct TinyLMStartTests {
  private let folder: TemporaryFolder
  private let tiny: TinyTarget

  init() throws {
    folder = try TemporaryFolder()
    tiny = try TinyTarget(in: folder)
  }

  private func trainer(
    start: String, layers: Int = 2, targetWeight: Double = 1, setup: StateTraining? = nil
  ) throws -> TinyLMTrainer {
    var configuration = TinyLMConfiguration()
    (configuration.hidden, configuration.layers, configuration.intermediate) = (32, layers, 64)
    (configuration.heads, configuration.kvHeads, configuration.headSize) = (2, 1, 16)
    configuration.start = start
    configuration.targetWeight = targetWeight
    return try TinyLMTrainer(configuration, setup: setup ?? tiny.setup())
  }

  private func loss(_ trainer: TinyLMTrainer) throws -> Double {
    try #require(try trainer.validate().first { $0.name == "loss" }).value
  }

  @Test("Started from all of the target's layers it says what the target says")
  func wholeTarget() throws {
    let tolerance = 2e-3
    #expect(try loss(trainer(start: "target", layers: TinyTarget.layers)) < tolerance)
    #expect(try loss(trainer(start: "random")) > 10 * tolerance)
  }

  @Test("Started from the first layers it has their weights, and learns")
  func firstLayers() throws {
    let trainer = try trainer(start: "target")
    #expect(trainer.network.shape.hidden == TinyTarget.hidden)
    let weights = try PlainWeights(of: tiny.model)
    let name = "model.layers.1.mlp.up_proj.weight"
    let parameter = try #require(trainer.parameters.first { $0.name == name })
    #expect(
      try parameter.value.values == weights.floats(of: name, shape: parameter.value.shape))
    func training() throws -> Double {
      try trainer.loss(of: 0, in: Graph(pool: tiny.model.pool)).total.scalar
    }
    let before = try training()
    _ = try train(trainer, steps: 30, rate: 1e-3, pool: tiny.model.pool)
    #expect(try training() < before)
  }

  @Test("More layers than the target has are refused")
  func tooMany() {
    #expect(
      throws: TrainingError.setting(name: "drafter.layers", expected: "1 to 8", found: "9")
    ) { try trainer(start: "target", layers: 9) }
  }

  @Test("It is pretrained on text without states, and goes on from there")
  func pretraining() throws {
    let (training, validation) = try tiny.setup().textAlone()
    let setup = try StateTraining(
      target: tiny.target, training: training, validation: validation,
      cut: VocabularyCut(vocabularySize: TinyTarget.vocabularySize), batchRows: 160, seed: 1)
    let pretrained = try trainer(start: "random", targetWeight: 0, setup: setup)
    let before = try loss(pretrained)
    _ = try train(pretrained, steps: 40, pool: tiny.model.pool)
    #expect(try loss(pretrained) < before)

    let path = folder.file("pretrained")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try pretrained.export(to: path, provenance: TrainerTests.provenance)
    let next = try trainer(start: path, layers: 7)
    #expect(next.network.layers.count == 2)
    for (old, new) in zip(pretrained.parameters, next.parameters) {
      // The file has bf16.
      let worst = zip(old.value.values, new.value.values).map { abs($0 - $1) }.max() ?? 0
      let largest = old.value.values.map(abs).max() ?? 0
      #expect(worst <= largest / 256, "\(old.name)")
    }
  }
}

extension StateTraining {
  /// The same documents without states.
  fileprivate func textAlone() throws -> (training: TextDocuments, validation: TextDocuments) {
    func texts(_ source: any StateSource) throws -> TextDocuments {
      var documents: [TokenizedConversation] = []
      var index = 0
      while let batch = try source.batch(inOrder: index, rows: 512) {
        for segment in batch.segments {
          documents.append(
            TokenizedConversation(
              id: "\(documents.count)", tokens: Array(batch.tokens[segment]),
              answers: [0..<segment.count]))
        }
        index += 1
      }
      return TextDocuments(documents, hiddenSize: source.hiddenSize)
    }
    return (try texts(training), try texts(validation))
  }
}

@Suite(.enabled(if: DataModels.isCached, "SmolLM2-135M is not in the cache"))
struct TinyLMRealStartTests {
  @Test("The layers of a GGUF file, as floats, say what the engine's say")
  func layersOfGGUF() async throws {
    let model = try await DataModels.smol.value
    let tokens = model.tokenizer.encode("The capital of France is Paris, and that of Italy is")
    let target = TrainingTarget(
      model: model.transformer,
      identity: Provenance.Target(name: "", sha256: "", vocabularyFingerprint: ""))
    let network = try TinyLMNetwork(
      PlainWeights(of: model.transformer), layers: model.transformer.layerCount)
    let graph = Graph(pool: model.transformer.pool)
    let table = graph.constant(network.embedding.value)
    let states = network.states(
      of: tokens, positions: (0..<Int32(tokens.count)).map { $0 }, segments: [0..<tokens.count],
      table: table, in: graph)
    let found = graph.linear(states, table).value.bestColumns
    let prefill = try StatePrefill(model: model.transformer, layers: [], contextLength: 64)
    let bits = try prefill.states(of: [tokens])[0][0]
    let expected = Tensor(
      shape: [tokens.count, target.hiddenSize],
      bits.map { Float(bitPattern: UInt32($0) << 16) })
    let head = Graph(pool: model.transformer.pool)
    let logits = head.linear(head.constant(expected), head.constant(network.embedding.value))
    let agreeing = zip(found, logits.value.bestColumns).count { $0 == $1 }
    // Activations of the engine are rounded to 8 bits: a near-tie may fall the other way.
    #expect(agreeing >= tokens.count - 2, "\(agreeing) of \(tokens.count)")
  }

  @Test("Texts count whole, conversations by their answers; long ones are cut into pieces")
  func texts() async throws {
    let model = try await DataModels.smol.value
    let folder = try TemporaryFolder()
    let path = folder.file("text.jsonl")
    let lines = """
      {"text": "One two three four five six seven eight nine ten."}
      {"id": "a", "text": "Not this", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes"}]}
      """
    try Data(lines.utf8).write(to: URL(fileURLWithPath: path))
    let documents = try TextDocuments(path: path, model: model, contextLength: 8)
    let first = model.tokenizer.encode("One two three four five six seven eight nine ten.")
    let batch = try #require(try documents.batch(inOrder: 0, rows: 4096))
    #expect(Array(batch.tokens.prefix(first.count)) == first)
    #expect(batch.segments.allSatisfy { $0.count <= 8 })
    #expect(batch.answer.prefix(first.count).allSatisfy { $0 == 1 })
    let answers = batch.tokens.indices.dropFirst(first.count).filter { batch.answer[$0] == 1 }
    #expect(model.tokenizer.decode(answers.map { batch.tokens[$0] }) == "Yes")
  }

  @Test("States are computed of the texts of a language, up to a number of tokens")
  func statesOfTexts() async throws {
    let model = try await DataModels.smol.value
    let folder = try TemporaryFolder()
    let path = folder.file("text.jsonl")
    let lines = """
      {"id": "1", "language": "de", "text": "Eins zwei drei."}
      {"id": "2", "language": "en", "text": "One two three."}
      {"id": "3", "language": "de", "text": "Vier fünf sechs."}
      {"id": "4", "language": "de", "text": "Sieben acht neun."}
      """
    try Data(lines.utf8).write(to: URL(fileURLWithPath: path))
    let texts = ["Eins zwei drei.", "Vier fünf sechs."].map { model.tokenizer.encode($0) }
    var pass = HiddenStatePass(model: model, contextLength: 64)
    pass.languages = ["de"]
    pass.mostRows = texts.map(\.count).reduce(1, +)
    let writer = try HiddenStateWriter(
      folder: folder.file("states"), metadata: HiddenStateMetadata(of: model),
      hiddenSize: model.transformer.hiddenSize, layers: [])
    let progress = try pass.run(ConversationFile(path: path), into: writer)
    #expect(progress.documents == 2)
    let states = try HiddenStateSet(folder: writer.folder)
    #expect(try (0..<states.documentCount).map { try states.document($0).tokens } == texts)
    #expect(try states.document(0).answer.allSatisfy { $0 == 1 })
  }
}
