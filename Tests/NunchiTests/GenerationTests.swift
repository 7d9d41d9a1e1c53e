import Drafters
import Foundation
import LanguageModels
import Sampling
import Speculation
import Synchronization
import Testing
import Tokenization

@testable import Nunchi

private let prompts = [
  "The capital of France is", "Why is the sky blue?", "Once upon a time, there was a",
  "def fibonacci(n):\n", "1 2 3 4 5 6 7 8 1 2 3 4", "Roses are red, violets are",
  "눈치는 한국어로", "안녕하세요. 오늘 날씨가", "日本の首都は", "东京是日本的", "Столица России —",
  "عاصمة مصر هي", "La capital de España es", "Die Hauptstadt von Deutschland ist",
  "SELECT name FROM users WHERE", "{\"name\": \"nunchi\", \"version\":", "😀 😃 😄 😁",
  "Copy this text: the quick brown fox jumps over the lazy dog. The copy: the quick",
  "import Foundation\n\nstruct Point {\n  var x: Int\n", "To be, or not to be, that is the",
]

@Suite(.serialized) struct GenerationTests {
  @Test(
    "every drafter gives the plain output on a real model, token for token",
    arguments: prompts.indices)
  func identity(index: Int) async throws {
    let model = try await TestModels.smol.value
    // Every third prompt is sampled with a seed, in turn with all filters and with none.
    let sampling =
      switch index % 6 {
      case 2: try SamplingParameters(temperature: 0.8, seed: UInt64(index))
      case 5:
        try SamplingParameters(
          temperature: 1, topK: 40, topP: 0.95, minP: 0.02, repetitionPenalty: 1.1,
          seed: UInt64(index))
      default: SamplingParameters.greedy
      }
    let prompt = model.tokens(of: prompts[index])
    let limits = GenerationLimits(maxTokens: 24, stopTokens: model.tokenizer.endOfGeneration)
    let generator = try SpeculativeGenerator(target: model.transformer, capacity: 256)
    func output(_ drafter: (any Drafter)?, _ length: DraftLengthPolicy) throws -> [Int32] {
      let setup = GenerationSetup(
        drafter: drafter, draftLength: length, draftNodes: 24, sampling: sampling,
        limits: limits)
      try generator.begin(prompt: prompt, setup: setup)
      while try generator.next() != nil {}
      return Array(generator.output)
    }
    let plain = try output(nil, .fixed(0))
    #expect(!plain.isEmpty)
    // The model drafts for itself: what it is expected to accept, it accepts.
    var settings = DrafterSettings(capacity: 256, draftModel: model.transformer)
    settings.target = model.transformer
    settings.sequence = prompt + plain
    settings.seed = UInt64(index)
    var writer = DatastoreWriter(vocabulary: 0, vocabularySize: model.tokenizer.vocabularySize)
    try writer.add(settings.sequence, textBytes: 0)
    let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).datastore"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writer.write(to: path)
    settings.datastore = try Datastore(path: path)
    // Trained drafters have tests of their own.
    let entries = DrafterRegistry.entries.filter { !DrafterRegistry.trained.contains($0.name) }
    for (place, entry) in entries.enumerated() {
      let length = [1, 2, 4, 7][(index + place) % 4]
      let found = try output(try entry.make(settings), .fixed(length))
      #expect(
        OutputComparison(expected: plain, found: found) == .identical, "\(entry.name) \(length)")
      let statistics = SpeculationStatistics(generator.traces)
      switch entry.name {
      case "oracle", "draft-model":
        // A drafted stop token takes the bonus token's place, and what follows it is lost.
        if generator.finishReason != .stop { #expect(statistics.draftAcceptanceRate == 1) }
      case "always-wrong": #expect(statistics.accepted == 0)
      default: break
      }
    }
  }

  @Test("the stream's texts are the result's text, and the figures add up")
  func stream() async throws {
    let model = try await TestModels.smol.value
    let options = GenerationOptions(drafter: .promptLookup, maxTokens: 40)
    let (text, result) = try await collect(model.generate("The quick brown fox", options: options))
    let end = try #require(result)
    #expect(text == end.text && !text.isEmpty)
    #expect(end.statistics.tokens == end.tokens.count && end.tokens.count <= 40)
    #expect(end.promptTokens == model.tokens(of: "The quick brown fox").count)
    #expect(end.statistics.promptTokens == end.promptTokens)
    #expect(end.statistics.verifySeconds > 0)
    #expect(model.tokenizer.decode(end.tokens) == text)
  }

  @Test("a stop string cuts text and tokens at the same place, with and without drafts")
  func stopStrings() async throws {
    let model = try await TestModels.smol.value
    let prompt = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,"
    let all = try await collect(
      model.generate(prompt, options: GenerationOptions(maxTokens: 60))
    ).text
    // From the middle of the output, so that the stop spans tokens.
    let middle = all.index(all.startIndex, offsetBy: all.count / 2)
    let stop = String(all[middle...].prefix(5))
    let cut = String(all[..<(try #require(all.range(of: stop))).lowerBound])
    var tokens: [[Int32]] = []
    for drafter in [DrafterChoice.none, .promptLookup, .draftModel(model)] {
      let options = GenerationOptions(
        drafter: drafter, draftLength: 6, maxTokens: 60, stop: ["never seen", stop])
      let (text, result) = try await collect(model.generate(prompt, options: options))
      #expect(text == cut && result?.text == cut && result?.finishReason == .stop)
      tokens.append(try #require(result).tokens)
      #expect(result?.statistics.tokens == tokens[0].count)
    }
    #expect(tokens[0] == tokens[1] && tokens[0] == tokens[2])
  }

  @Test("leaving a stream ends its generation, and the model serves the next one")
  func cancellation() async throws {
    let model = try await TestModels.smol.value
    let endless = GenerationOptions(maxTokens: nil, ignoresEndOfText: true)
    for try await event in model.generate("Once", options: endless) {
      if case .text = event { break }
    }
    let next = try await collect(
      model.generate("Once", options: GenerationOptions(maxTokens: 3)))
    #expect(next.result?.tokens.count == 3)
  }

  @Test("a task that is cancelled still gets the statistics of what was made")
  func cancelledTask() async throws {
    let model = try await TestModels.smol.value
    let endless = GenerationOptions(drafter: .none, maxTokens: nil, ignoresEndOfText: true)
    let task = Task {
      var result: GenerationResult?
      for try await event in model.generate("Once", options: endless) {
        switch event {
        case .text: withUnsafeCurrentTask { $0?.cancel() }
        case .finished(let found): result = found
        }
      }
      return result
    }
    let result = try #require(try await task.value)
    #expect(result.finishReason == nil && result.statistics.tokens == result.tokens.count)
    #expect(result.tokens.count >= 1 && result.statistics.promptTokens == result.promptTokens)
    let asked = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await model.respond(to: "Hello", options: endless)
    }
    await #expect(throws: CancellationError.self) { try await asked.value }
  }

  @Test("no piece of a stream ends within a character", arguments: 0..<4 as Range<UInt64>)
  func wholeCharacters(seed: UInt64) async throws {
    let model = try await TestModels.smol.value
    // So hot that tokens are bytes of anything.
    var options = try GenerationOptions.sampling(temperature: 30, seed: seed, maxTokens: 150)
    options.ignoresEndOfText = true
    options.drafter = .none
    var pieces: [String] = []
    var text = ""
    for try await event in model.generate("👩‍👩‍👧‍👧 🇰🇷 각", options: options) {
      switch event {
      case .text(let piece): pieces.append(piece)
      case .finished(let result): text = result.text
      }
    }
    #expect(pieces.count > 20 && !pieces.contains(""))
    #expect(Array(pieces.joined().utf8) == Array(text.utf8))
    #expect(pieces.flatMap { Array($0) } == Array(text))
  }

  @Test("a whole answer is that of the stream, and options have short names")
  func respond() async throws {
    let model = try await TestModels.smol.value
    let messages = [ChatMessage(role: "user", content: "List five fruits.")]
    let greedy = try await collect(model.generate(messages)).text
    #expect(try await model.respond(to: "List five fruits.", options: .greedy) == greedy)
    let sampling = try GenerationOptions(
      sampling: SamplingParameters(temperature: 0.8, topK: 40, seed: 3), maxTokens: 20)
    let sampled = try await collect(model.generate(messages, options: sampling)).text
    #expect(
      try await model.respond(
        to: messages, options: .sampling(temperature: 0.8, topK: 40, seed: 3, maxTokens: 20))
        == sampled)
    #expect(throws: (any Error).self) { try GenerationOptions.sampling(temperature: -1) }
  }

  @Test("a long prompt tells how far it is, and a short one nothing")
  func promptProgress() async throws {
    let model = try await TestModels.smol.value
    let told = Mutex<[[Int]]>([])
    var options = GenerationOptions(drafter: .none, maxTokens: 1)
    options.promptProgress = { computed, total in told.withLock { $0.append([computed, total]) } }
    _ = try await model.generate("Short", options: options).result()
    #expect(told.withLock { $0 }.isEmpty)
    let long = String(repeating: "a longer prompt ", count: 200)
    let count = try await model.generate(long, options: options).result().promptTokens
    let found = told.withLock { $0 }
    #expect(found.count > 1 && found.first == [0, count])
    #expect(found.allSatisfy { $0[0] < count && $0[1] == count })
    #expect(zip(found, found.dropFirst()).allSatisfy { $0[0] < $1[0] })
  }

  @Test("bad options are refused before anything is computed")
  func badOptions() async throws {
    let model = try await TestModels.smol.value
    func refused(_ options: GenerationOptions, prompt: String = "Hello") async -> String {
      do {
        _ = try await collect(model.generate(prompt, options: options))
        return "not refused"
      } catch { return "\(error)" }
    }
    #expect(await refused(GenerationOptions(stop: [""])).contains("stop string"))
    #expect(await refused(GenerationOptions(draftLength: -1)).contains("draft length"))
    #expect(await refused(GenerationOptions(maxTokens: -1)).contains("max tokens"))
    #expect(
      await refused(GenerationOptions(drafter: DrafterChoice(named: "oracles")))
        .contains("drafter: expected one of auto, none, prompt-lookup,"))
    #expect(
      await refused(GenerationOptions(drafter: DrafterChoice(named: "draft-model")))
        .contains("draft model"))
    let long = String(repeating: "word ", count: model.transformer.contextLength + 1)
    #expect(await refused(GenerationOptions(), prompt: long).contains("prompt: expected at most"))
    #expect(throws: NunchiError.invalidThreads(0)) { try Model("SmolLM2-135M", threads: 0) }
  }

  @Test(
    "a draft model with another vocabulary drafts by its text, and the output is the plain one",
    .enabled(if: TestModels.isCached("Gemma-3-270M")))
  func otherVocabulary() async throws {
    let model = try await TestModels.smol.value
    let other = try await model.loadCompanion("Gemma-3-270M")
    let prompt = "The capital of France is"
    let plain = try await collect(
      model.generate(prompt, options: GenerationOptions(maxTokens: 16)))
    for method in CrossVocabularyConfiguration.Method.allCases {
      var choice = DrafterChoice.draftModel(other)
      choice.settings.crossVocabulary.method = method
      let options = GenerationOptions(drafter: choice, draftLength: 4, maxTokens: 16)
      let found = try await collect(model.generate(prompt, options: options))
      #expect(found.text == plain.text && found.result?.tokens == plain.result?.tokens)
      #expect(try #require(found.result).statistics.accepted > 0)
      let sources = found.result?.traces.flatMap(\.sources) ?? []
      #expect(Set(sources) == ["cross-vocabulary"])
    }
  }
}
