import Foundation
import LanguageModels
import Nunchi
import Sampling
import Testing

@testable import DrafterTraining

/// With a real model, since conversations need a tokenizer and a chat template.
@Suite(.enabled(if: DataModels.isCached, "SmolLM2-135M is not in the cache"))
struct SelfDistillationTests {
  private static let prompts = [
    Prompt(id: "a", turns: ["Why is the sky blue?"], language: "en", category: "qa"),
    Prompt(id: "b", turns: ["Name a colour.", "And another one."]),
    Prompt(id: "c", system: "Be brief.", turns: ["한국의 수도는?"]),
    Prompt(id: "long", turns: [String(repeating: "word ", count: 400)]),
    Prompt(id: "d", turns: ["Hello!"]),
  ]

  private static var plan: SelfDistillation {
    var plan = SelfDistillation()
    plan.temperatures = [0, 1]
    plan.maxTokens = 6
    plan.batch = 3
    plan.contextLength = 256
    return plan
  }

  private func writer(_ folder: String, _ model: Model) throws -> HiddenStateWriter {
    try HiddenStateWriter(
      folder: folder, metadata: HiddenStateMetadata(target: model.name),
      hiddenSize: model.transformer.hiddenSize, layers: [2], shardRows: 200)
  }

  @Test("a run that was stopped and torn goes on to what it would have written in one piece")
  func resumed() async throws {
    let model = try await DataModels.smol.value
    try await withFolder { folder in
      let (whole, parts) = ("\(folder)/whole.jsonl", "\(folder)/parts.jsonl")
      let progress = try Self.plan.run(
        Self.prompts, on: model, output: whole, states: writer("\(folder)/whole", model),
        report: { _ in })
      #expect(progress.written == 8)
      #expect(progress.skipped == ["the prompt is too long": 2])
      #expect(try lines(of: whole + ".skipped").count == 2)

      var count = 0
      #expect(throws: CancellationError.self) {
        try Self.plan.run(
          Self.prompts, on: model, output: parts, isCancelled: { count >= 4 },
          report: { count = $0.written })
      }
      let first = try lines(of: parts)
      #expect((1..<8).contains(first.count))
      try write(first.joined(separator: "\n") + "\n{\"id\": \"a@", to: parts)
      var batchOfTwo = Self.plan
      batchOfTwo.batch = 2
      // The first part recorded no states: they are caught up with.
      let rest = try batchOfTwo.run(
        Self.prompts, on: model, output: parts, states: writer("\(folder)/parts", model),
        report: { _ in })
      #expect(rest.resumed == first.count)
      #expect(rest.done == 10)
      #expect(try lines(of: parts).sorted() == lines(of: whole).sorted())

      // The same documents with the same states, though some were recorded and some computed.
      func contents(_ folder: String) throws -> [[Int32]: [UInt32]] {
        let set = try HiddenStateSet(folder: folder, layers: [2])
        return Dictionary(
          uniqueKeysWithValues: try (0..<set.documentCount).map { index in
            let batch = try set.document(index)
            var values = [Float](repeating: 0, count: batch.rows * set.hiddenSize * 2)
            values.withUnsafeMutableBufferPointer { values in
              guard let base = values.baseAddress else { return }
              batch.copy(.final, into: base)
              batch.copy(.layer(2), into: base + batch.rows * set.hiddenSize)
            }
            return (batch.tokens, values.map(\.bitPattern))
          })
      }
      let states = try contents("\(folder)/whole")
      #expect(states.count == 8)
      #expect(try contents("\(folder)/parts") == states)
    }
  }

  @Test("tokens are the generated ids, and the mask covers all answers of a conversation")
  func tokens() async throws {
    let model = try await DataModels.smol.value
    try await withFolder { folder in
      var plan = Self.plan
      plan.temperatures = [0]
      let path = "\(folder)/out.jsonl"
      _ = try plan.run(
        Array(Self.prompts[..<2]), on: model, output: path, states: writer(folder, model),
        report: { _ in })
      let conversations = try ConversationFile(path: path).map { try $0.get() }
      let encoder = ConversationEncoder(model: model)
      for conversation in conversations {
        let recorded = try #require(conversation.tokens)
        let generator = try TextGenerator(model: model, contextLength: 256)
        try generator.begin(
          prompt: recorded.prompt, options: GenerationOptions(drafter: .none, maxTokens: 6))
        while try generator.next() != nil {}
        #expect(generator.result.tokens == recorded.answer)
        #expect(model.tokenizer.decode(recorded.answer) == conversation.turns.last?.text)

        let document = try #require(try encoder.tokens(of: conversation))
        let answers = document.answers.map { model.tokenizer.decode(document.tokens[$0]) }
        let texts = conversation.turns.filter { $0.speaker == .gpt }.map(\.text)
        #expect(answers == texts)
        // Without the recorded ids the template finds the answers, and what ends them.
        var bare = conversation
        bare.tokens = nil
        let templated = try #require(try encoder.tokens(of: bare))
        let found = templated.answers.map { model.tokenizer.decode(templated.tokens[$0]) }
        #expect(found == texts)
        let last = try #require(templated.tokens.last)
        #expect(model.tokenizer.endOfGeneration.contains(last))
      }
      #expect(conversations.map(\.turns.count).sorted() == [2, 4])
      let masked = try (0..<2).map { try HiddenStateSet(folder: folder).document($0) }
        .map { $0.answer.reduce(0) { $0 + Int($1) } }
      #expect(masked.sorted().first == 6)
    }
  }

  @Test("the same answers come once")
  func duplicates() async throws {
    let model = try await DataModels.smol.value
    try await withFolder { folder in
      var plan = Self.plan
      plan.temperatures = [0, 0.0001]
      let progress = try plan.run(
        [Self.prompts[0]], on: model, output: "\(folder)/out.jsonl", report: { _ in })
      #expect(progress.written == 1)
      #expect(progress.skipped == ["the same words as another answer": 1])
      #expect(progress.done == 2)
    }
  }

  @Test("states that are computed on demand are those of the disk")
  func live() async throws {
    let model = try await DataModels.smol.value
    try await withFolder { folder in
      let documents = [40, 90, 300].map { count in
        TokenizedConversation(
          id: "", tokens: (0..<count).map { Int32(($0 * 37 + count) % 49_000) },
          answers: [count / 2..<count])
      }
      let writer = try writer(folder, model)
      let prefill = try StatePrefill(
        model: model.transformer, layers: [2], contextLength: 256)
      for document in documents.map({ $0.prefix(256) }) {
        try writer.append(document, states: prefill.states(of: [document.tokens])[0])
      }
      try writer.finish()
      let stored = try HiddenStateSet(folder: folder)
      let live = try LiveStates(
        documents: documents, model: model, layers: [2], contextLength: 256)
      #expect(live.rowCount == stored.rowCount)
      for index in 0..<3 {
        let (a, b) = (
          try stored.batch(at: index, seed: 5, rows: 200),
          try live.batch(at: index, seed: 5, rows: 200)
        )
        #expect(a.tokens == b.tokens)
        #expect(a.answer == b.answer)
        #expect(a.segments == b.segments)
        func values(_ batch: StateBatch) -> [Float] {
          [Float](unsafeUninitializedCapacity: batch.rows * live.hiddenSize) { buffer, count in
            if let base = buffer.baseAddress { batch.copy(.layer(2), into: base) }
            count = buffer.count
          }
        }
        #expect(values(a) == values(b))
      }
    }
  }

  @Test("the model writes prompts, each once, and a second run adds what is missing")
  func prompts() async throws {
    let model = try await DataModels.smol.value
    try await withFolder { folder in
      let path = "\(folder)/prompts.jsonl"
      var sampling = PromptSampling(count: 2)
      sampling.maxTokens = 60
      sampling.batch = 6
      sampling.systems = [nil, "You answer questions about animals."]
      #expect(try sampling.run(on: model, output: path).written == 2)
      let first = try lines(of: path)
      sampling.count = 4
      let progress = try sampling.run(on: model, output: path)
      #expect(progress.resumed == 2)
      #expect(progress.written == 2)
      #expect(try lines(of: path).prefix(2) == first[...])
      let list = try PromptList(paths: [path])
      #expect(list.prompts.count == 4)
      #expect(list.repeated == 0)
      #expect(list.prompts.allSatisfy { $0.category == "magpie" && $0.system == nil })
      // The template up to the user's words: what the tokens of a message begin with.
      let opening = try PromptSampling.opening(of: model, system: nil)
      let message = try model.tokens(of: [ChatMessage(role: "user", content: "Hello")])
      #expect(message.starts(with: opening))
      #expect(model.tokenizer.decode(message[opening.count...]).hasPrefix("Hello"))
    }
  }

  @Test("a text that runs in circles is told from one that does not")
  func circles() {
    #expect(PromptSampling.loops((0..<60).map { Int32($0 % 5) }))
    #expect(!PromptSampling.loops((0..<60).map { Int32($0) }))
    #expect(!PromptSampling.loops([1, 1, 1, 1, 1, 1]))
  }
}
