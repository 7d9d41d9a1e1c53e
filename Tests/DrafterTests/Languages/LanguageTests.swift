import LanguageModels
import Sampling
import Speculation
import Testing

@testable import Drafters

/// How often texts have tokens; those left out never occur.
private func frequent(_ counts: [Int32: Int], vocabularySize: Int = 64) -> FrequentTokens {
  var all = [Int](repeating: 0, count: vocabularySize)
  for (token, count) in counts { all[Int(token)] = count }
  return FrequentTokens(counts: all)
}

/// Tokens 0 to 9 are everybody's; "ko" has 10 to 19, "en" 20 to 29, and "de" 20 to 24 with 30 to 34.
private let korean = frequent(
  Dictionary(uniqueKeysWithValues: (0..<20).map { (Int32($0), $0 < 10 ? 5 : 20) }))
private let english = frequent(
  Dictionary(
    uniqueKeysWithValues: (Array(0..<10) + Array(20..<30)).map { (Int32($0), $0 < 10 ? 5 : 20) }))
private let german = frequent(
  Dictionary(
    uniqueKeysWithValues: (Array(0..<10) + Array(20..<25) + Array(30..<35)).map {
      (Int32($0), $0 < 10 ? 5 : 20)
    }))

@Suite struct LanguageSharesTests {
  private let shares = LanguageShares([("de", german), ("en", english), ("ko", korean)])

  @Test(
    "the language that explains all of a text takes what others have in common with it",
    arguments: [
      ([10, 11, 1, 12, 13, 2], [0, 0, 1]), ([20, 21, 26, 28, 1, 22], [0, 1, 0]),
      ([20, 21, 31, 33, 1, 22], [1, 0, 0]),
    ] as [([Int32], [Float])])
  func one(text: [Int32], expected: [Float]) {
    for (found, expected) in zip(shares.shares(of: text), expected) {
      #expect(abs(found - expected) < 0.1, "\(found)")
    }
  }

  @Test("a mixed text has the shares of both; one without known tokens says nothing")
  func mixed() {
    let found = shares.shares(of: [10, 11, 12, 26, 27, 28])
    #expect(abs(found[2] - 0.5) < 0.1)
    #expect(abs(found[1] - 0.5) < 0.1)
    #expect(shares.shares(of: [60, 61]) == shares.shares(of: []))
    let sum = found.reduce(0, +)
    #expect(abs(sum - 1) < 1e-5)
  }

  @Test("only what was written last counts")
  func recent() {
    let text = [Int32](repeating: 26, count: 500) + [Int32](repeating: 12, count: 64)
    #expect(shares.shares(of: text)[2] > 0.9)
  }
}

/// Proposes one token, always.
private final class Stubborn: Drafter {
  let name = "stubborn"
  let token: Int32
  private(set) var drafts = 0
  init(_ token: Int32) { self.token = token }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    drafts += 1
    var tree = DraftTree()
    tree.add(token, under: DraftTree.root, score: 0.5, source: name)
    return tree
  }
}

private func context(_ tokens: [Int32]) -> DraftContext {
  DraftContext(
    tokens: tokens, vocabularySize: 64, sampler: Sampler(.greedy),
    chance: KeyedRandom(seed: 0), style: .matching)
}

@Suite struct LanguageChoiceTests {
  private let budget = DraftBudget(nodes: 1, depth: 1)
  private var states: TargetStates {
    TargetStates(
      output: ForwardOutput(logits: FloatRows(base: .allocate(capacity: 1), rows: 0, columns: 1)),
      rows: [])
  }

  private func drafter(_ ko: Stubborn, _ en: Stubborn) throws -> LanguageChoiceDrafter {
    try LanguageChoiceDrafter(
      name: "tiny-lm",
      members: [
        .init(label: "en", drafter: en, tokens: english),
        .init(label: "ko", drafter: ko, tokens: korean),
      ])
  }

  @Test("the drafter of the text's language drafts, and the other after it changes")
  func switching() throws {
    let (ko, en) = (Stubborn(10), Stubborn(20))
    let drafter = try drafter(ko, en)
    var text: [Int32] = [10, 11, 12, 1, 13]
    try drafter.begin(prompt: text)
    for step in 0..<100 {
      _ = try drafter.draft(after: context(text), budget: budget)
      text.append(Int32(10 + step % 10))
      try drafter.commit([text[text.count - 1]], states: states)
    }
    #expect(ko.drafts == 100)
    #expect(drafter.figures["chosen: ko"] == 1)
    for step in 0..<100 {
      _ = try drafter.draft(after: context(text), budget: budget)
      text.append(Int32(20 + step % 10))
      try drafter.commit([text[text.count - 1]], states: states)
    }
    #expect(en.drafts > 50)
    #expect(drafter.figures["chosen: en"] == 1)
  }

  @Test("where a text is in both languages, the one that is accepted drafts")
  func acceptance() throws {
    let (ko, en) = (Stubborn(63), Stubborn(5))
    let drafter = try drafter(ko, en)
    // Everybody's tokens, with a few of Korean.
    var text: [Int32] = [1, 2, 3, 12, 4, 26]
    try drafter.begin(prompt: text)
    for _ in 0..<200 {
      _ = try drafter.draft(after: context(text), budget: budget)
      text.append(5)
      try drafter.commit([5], states: states)
    }
    #expect(drafter.figures["chosen: en"] == 1)
    #expect(ko.drafts < 40)
  }
}

/// So many tokens of a target with a drafter, and all that was drafted for them.
private func generate(
  _ target: TransformerModel, _ drafter: (any Drafter)?, _ sampling: SamplingParameters, tokens: Int
) throws -> (output: [Int32], drafted: [Int32]) {
  let generator = try SpeculativeGenerator(target: target, capacity: 160)
  let setup = GenerationSetup(
    drafter: drafter, draftLength: .fixed(3), sampling: sampling,
    limits: GenerationLimits(maxTokens: tokens, stopTokens: []))
  try generator.begin(prompt: [3, 1, 4, 1, 5], setup: setup)
  while try generator.next() != nil {}
  return (Array(generator.output), generator.traces.flatMap(\.drafted))
}

@Suite struct EagleChoiceTests {
  @Test("EAGLE drafters take turns as the text goes, and change no word")
  func turns() throws {
    let target = try EagleGolden.target()
    let size = target.vocabularySize
    let half = Int32(size / 2)
    let lists = [("low", Int32(0)..<half), ("high", half..<Int32(size))].map { name, tokens in
      (
        name,
        frequent(Dictionary(uniqueKeysWithValues: tokens.map { ($0, 3) }), vocabularySize: size)
      )
    }
    var drafted: [Int32] = []
    for sampling in [.greedy, try SamplingParameters(temperature: 1, seed: 3)] {
      let plain = try generate(target, nil, sampling, tokens: 100).output
      let members = try lists.map { name, tokens in
        LanguageChoiceDrafter.Member(
          label: name,
          drafter: try EagleDrafter(
            weights: EagleGolden.weights(.eagle1, target: target, tokens: tokens.tokens.sorted()),
            capacity: 160),
          tokens: tokens)
      }
      let drafter = try LanguageChoiceDrafter(name: "eagle", members: members)
      let (found, all) = try generate(target, drafter, sampling, tokens: 100)
      #expect(found == plain)
      drafted += all
    }
    #expect(drafted.contains { $0 < half })
    #expect(drafted.contains { $0 >= half })
  }

  @Test("drafters that observe different states are refused")
  func different() throws {
    let target = try EagleGolden.target()
    let members = try EagleVersion.allCases.map { version in
      LanguageChoiceDrafter.Member(
        label: version.rawValue,
        drafter: try EagleDrafter(
          weights: EagleGolden.weights(version, target: target), capacity: 64),
        tokens: korean)
    }
    #expect(throws: SpeculationError.self) {
      _ = try LanguageChoiceDrafter(name: "eagle", members: members)
    }
  }
}

@Suite struct DraftVocabularyTests {
  @Test("a cut head's logits are the model's own, bit for bit, and the language chooses the cut")
  func cutHead() throws {
    let model = try TinyDrafter.target(threads: 1)
    let size = model.vocabularySize
    let ko = frequent(
      Dictionary(uniqueKeysWithValues: (0..<20).map { (Int32($0), 3) }), vocabularySize: size)
    let en = frequent(
      Dictionary(uniqueKeysWithValues: (15..<40).map { (Int32($0), 3) }), vocabularySize: size)
    let cut = LanguageHeadModel(model, DraftVocabularies([("en", en), ("ko", ko)]))
    let whole = try model.makeCache(capacity: 64)
    let cache = try cut.makeCache(capacity: 64)
    func repeated(_ tokens: ClosedRange<Int32>) -> [Int32] {
      (0..<3).flatMap { _ in Array(tokens) }
    }
    let mixed: [Int32] = (0..<24).map { $0 % 2 == 0 ? $0 % 14 : 25 + $0 % 14 }
    let cases: [(text: [Int32], expected: Range<Int32>)] = [
      (repeated(1...8), 0..<20), (repeated(30...37), 15..<40), (mixed, 0..<40),
    ]
    for (text, expected) in cases {
      try cut.follow(text + [Int32](repeating: text[0], count: expected.count))
      #expect(cut.headTokens == Array(expected))
      whole.truncate(to: 0)
      cache.truncate(to: 0)
      for logits in [LogitRows.all, .last] {
        let all = try model.forward(chain: text, cache: whole, logits: logits)
        let some = try cut.forward(chain: text, cache: cache, logits: logits)
        #expect(some.logits.rows == all.logits.rows)
        #expect(some.logits.columns == expected.count)
        for row in 0..<all.logits.rows {
          for (column, token) in expected.enumerated() {
            #expect(some.logits[row][column] == all.logits[row][Int(token)])
          }
        }
      }
    }
  }

  @Test("a draft model with a cut head proposes only tokens of the language, and changes no word")
  func lossless() throws {
    let model = try TinyDrafter.target(threads: 1)
    let size = model.vocabularySize
    let list = frequent(
      Dictionary(uniqueKeysWithValues: (0..<size / 2).map { (Int32($0 * 2), 3) }),
      vocabularySize: size)
    var settings = DrafterSettings(length: 3, capacity: 128, draftModel: model)
    settings.draftVocabularies = DraftVocabularies([("even", list)])
    for sampling in [.greedy, try SamplingParameters(temperature: 1, seed: 3)] {
      let plain = try generate(model, nil, sampling, tokens: 40).output
      let (found, drafted) = try generate(
        model, DrafterRegistry.make("draft-model", settings), sampling, tokens: 40)
      #expect(found == plain)
      #expect(!drafted.isEmpty)
      #expect(drafted.allSatisfy { $0 % 2 == 0 })
    }
  }

  @Test("a folder without lists is told")
  func noLists() {
    let error = #expect(throws: StoreError.self) {
      _ = try DraftVocabularies(folder: "/nowhere", vocabularySize: 64)
    }
    #expect(error.map { "\($0)" }?.contains("ko.json") == true)
  }
}
