import LanguageModels
import Sampling
import Speculation
import Testing
import Tokenization

@testable import Drafters
@testable import Nunchi

private let qwen = "Qwen2.5-Coder-0.5B"
private let gemma = "Gemma-3-270M"

private let texts = [
  "The quick brown fox doesn't jump over   the lazy dog.\n\nIt's 12:30, they'll say.",
  "def fibonacci(n):\n    if n < 2:\n\t\treturn n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n",
  "눈치는 다른 사람의 기분이나 상황을 재빨리 알아차리는 능력이다. 뷁쀍뙗 훿힣!",
  // Decomposed, as letters and as jamo.
  "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF} e\u{301} ㅋㅋㅋ ㅠㅠ ㄱㄴㄷ",
  "東京は日本の首都です。人口は約1400万人で、世界最大の都市圏である。𠮷野家",
  "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 family: 👨‍👩‍👧, flags 🇰🇷🇯🇵",
  "print(\"안녕하세요\")  # 인사말 hello\nlet 이름 = \"눈치\" // 名前 👋",
]

@Suite struct VocabularyBridgeTests {
  private static func vocabulary(_ name: String) throws -> TokenizerVocabulary {
    TokenizerVocabulary(try loadTokenizer(named: name))
  }

  static let pairs: [(String, String)] = [
    (qwen, "SmolLM2-135M"), ("SmolLM2-135M", qwen), (qwen, gemma), (gemma, "SmolLM2-135M"),
  ].filter { TestModels.isCached($0.0) && TestModels.isCached($0.1) }

  @Test("the intersection is that of a plain search", arguments: pairs)
  func intersection(target: String, draft: String) throws {
    let (target, draft) = (try Self.vocabulary(target), try Self.vocabulary(draft))
    let clock = ContinuousClock()
    var bridge: VocabularyBridge?
    let time = clock.measure { bridge = VocabularyBridge(target: target, draft: draft) }
    let found = try #require(bridge)
    // Far more than it takes, as other tests may keep the machine busy.
    #expect(time < .seconds(3))
    func index(_ vocabulary: TokenizerVocabulary) -> [[UInt8]: Int32] {
      var result: [[UInt8]: Int32] = [:]
      for token in 0..<Int32(vocabulary.size) where vocabulary.kind(of: token) != .unusable {
        let mark: UInt8 = vocabulary.kind(of: token) == .special ? 1 : 0
        let bytes = vocabulary.tokenizer.bytes(of: token)
        if !bytes.isEmpty { result[[mark] + bytes] = token }
      }
      return result
    }
    let (targets, drafts) = (index(target), index(draft))
    var expected = [Int32](repeating: -1, count: target.size)
    for (bytes, token) in targets { expected[Int(token)] = drafts[bytes] ?? -1 }
    #expect(found.draftTokens == expected)
    #expect(found.shared == expected.indices.filter { expected[$0] >= 0 }.map(Int32.init))
    #expect(found.sharedDraft.allSatisfy { found.targetTokens[Int($0)] >= 0 })
    #expect(found.shared.count > 10_000)
  }

  @Test("chat's special tokens cross by name", .enabled(if: TestModels.isCached(qwen)))
  func specialTokens() throws {
    let (target, draft) = (try Self.vocabulary(qwen), try Self.vocabulary("SmolLM2-135M"))
    let bridge = VocabularyBridge(target: target, draft: draft)
    for name in ["<|im_start|>", "<|im_end|>", "<|endoftext|>"] {
      let (mine, other) = (
        try #require(target.tokenizer.token(of: name)),
        try #require(draft.tokenizer.token(of: name))
      )
      #expect(bridge.draftTokens[Int(mine)] == other)
    }
    // Qwen's own sign is plain text to the draft model.
    let sign = try #require(target.tokenizer.token(of: "<|fim_prefix|>"))
    var translation = Translation(from: target, to: draft, counterparts: bridge.draftTokens)
    translation.update(to: [sign])
    #expect(translation.tokens.flatMap(draft.tokenizer.bytes(of:)) == Array("<|fim_prefix|>".utf8))
  }

  @Test("texts of many languages cross and come back, at once and token by token", arguments: pairs)
  func roundTrips(target: String, draft: String) throws {
    let (target, draft) = (try Self.vocabulary(target), try Self.vocabulary(draft))
    let there = VocabularyBridge(target: target, draft: draft)
    let back = VocabularyBridge(target: draft, draft: target)
    for text in texts {
      var tokens: [Int32] = []
      _ = target.encode(Array(text.utf8), to: &tokens)
      let sequence = target.prefix + tokens
      var growing = Translation(from: target, to: draft, counterparts: there.draftTokens)
      for end in 0...sequence.count {
        growing.update(to: Array(sequence[..<end]))
        // Every prefix, those that end within a character too, is that text and no other.
        let bytes = growing.tokens.dropFirst(draft.prefix.count)
          .flatMap(draft.tokenizer.bytes(of:))
        let expected = sequence[..<end].dropFirst(target.prefix.count)
          .flatMap(target.tokenizer.bytes(of:))
        if end >= target.prefix.count { #expect(bytes == Array(expected)) }
      }
      var whole = Translation(from: target, to: draft, counterparts: there.draftTokens)
      whole.update(to: sequence)
      #expect(growing.tokens == whole.tokens, "\(text)")
      var returned = Translation(from: draft, to: target, counterparts: back.draftTokens)
      returned.update(to: whole.tokens)
      #expect(returned.tokens == sequence, "\(text)")
    }
  }
}

@Suite(.serialized, .enabled(if: TestModels.isCached(qwen)))
struct CrossVocabularyGenerationTests {
  private static let loaded = Task { try await TestModels.smol.value.loadCompanion(qwen) }

  private func drafter(
    _ method: CrossVocabularyConfiguration.Method, capacity: Int = 512
  ) async throws -> CrossVocabularyDrafter<TransformerModel> {
    let draft = try await TestModels.smol.value
    let target = try await Self.loaded.value
    return try CrossVocabularyDrafter(
      model: draft.transformer, capacity: capacity,
      configuration: CrossVocabularyConfiguration(
        method: method, bridge: target.vocabularyBridge(to: draft)))
  }

  @Test("drafted text in the target's tokens is cut as if it had been there at once")
  func alignment() async throws {
    let target = try await Self.loaded.value.tokenizer
    let drafter = try await drafter(.slem)
    for text in texts {
      let bytes = Array(text.utf8)
      var whole: [Int32] = []
      bytes.withUnsafeBufferPointer { _ = target.encode(fragment: $0, to: &whole) }
      var ends = [0]
      for token in whole { ends.append((ends.last ?? 0) + target.bytes(of: token).count) }
      for (index, start) in ends.enumerated() {
        drafter.canonical.update(to: Array(whole[..<index]))
        for length in stride(from: index % 3, through: min(40, bytes.count - start), by: 3) {
          let draft = Array(bytes[start..<(start + length)])
          let chain = drafter.targetTokens(of: draft)
          let spelled = chain.flatMap { target.bytes(of: $0.token) }
          #expect(draft.starts(with: spelled), "what is proposed is what was drafted")
          #expect(chain.map(\.range.upperBound).last ?? 0 == spelled.count)
          let shown = bytes[..<(start + spelled.count)]
          if !chain.isEmpty {
            #expect(String(validating: shown, as: UTF8.self) != nil, "half a character")
          }
          // Encoded from scratch, the same text has the same tokens after the same place.
          var fresh: [Int32] = []
          bytes[..<(start + length)].withUnsafeBufferPointer {
            _ = target.encode(fragment: $0, to: &fresh)
          }
          if fresh.starts(with: whole[..<index]) {
            #expect(fresh[index...].starts(with: chain.map(\.token)), "\(text) \(start) \(length)")
          }
        }
      }
    }
  }

  /// Prompts, the Korean ones ending within a word; one ends within a syllable.
  private static let prompts = [
    "Once upon a time, there was a", "def quicksort(items):\n    ", "눈치는 한국어로",
    "안녕하세요. 오늘 날씨가 참 좋", "대한민국의 수도는 서울이고, 뷁",
  ]

  @Test(
    "drafts of another vocabulary give the plain output, token for token",
    arguments: prompts.indices, [false, true])
  func identity(index: Int, isSampled: Bool) async throws {
    let target = try await Self.loaded.value
    let sampling =
      isSampled ? try SamplingParameters(temperature: 0.8, topP: 0.95, seed: 7) : .greedy
    var prompt = target.tokens(of: Self.prompts[index])
    // 뷁 is three tokens of a byte or two: without the last, the text ends within a syllable.
    if index == 4 { prompt.removeLast() }
    let generator = try SpeculativeGenerator(target: target.transformer, capacity: 256)
    func output(_ drafter: (any Drafter)?, _ rule: any AcceptanceRule) throws -> [Int32] {
      let setup = GenerationSetup(
        drafter: drafter, draftLength: .fixed(4), rule: rule, sampling: sampling,
        limits: GenerationLimits(maxTokens: 24, stopTokens: target.tokenizer.endOfGeneration))
      try generator.begin(prompt: prompt, setup: setup)
      while try generator.next() != nil {}
      return Array(generator.output)
    }
    let plain = try output(nil, SampleAndMatch())
    for method in CrossVocabularyConfiguration.Method.allCases {
      let found = try output(await drafter(method), SampleAndMatch())
      #expect(OutputComparison(expected: plain, found: found) == .identical, "\(method)")
      if index < 2, !isSampled {
        #expect(SpeculationStatistics(generator.traces).accepted > 0, "\(method)")
      }
      // Rejection sampling takes other numbers; greedily, it gives the same text.
      let rejection = try output(await drafter(method), RejectionSampling())
      if !isSampled { #expect(rejection == plain) }
    }
  }
}
