import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let sampler = Sampler(.greedy)

private func context(
  _ tokens: [Int32], _ sampler: Sampler = sampler, vocabularySize: Int = 100,
  style: ProposalStyle = .matching
) -> DraftContext {
  DraftContext(
    tokens: tokens, vocabularySize: vocabularySize, sampler: sampler,
    chance: KeyedRandom(seed: 1), style: style)
}

private let budget = DraftBudget(nodes: 64, depth: 64)

private func lookup(
  _ tokens: [Int32], _ configuration: PromptLookupDrafter.Configuration = .init(),
  _ budget: DraftBudget = budget
) throws -> [Int32] {
  let drafter = try PromptLookupDrafter(configuration)
  try drafter.begin(prompt: tokens)
  return try drafter.draft(after: context(tokens), budget: budget).tokens
}

@Suite struct PromptLookupTests {
  @Test("the last place where the longest n-gram stood is continued")
  func continuation() throws {
    #expect(try lookup([1, 2, 3, 4, 5, 1, 2, 3]) == [4, 5, 1, 2, 3, 4, 5, 1, 2, 3])
    // Two tokens match at the end of the first run, only one in the second.
    #expect(try lookup([1, 2, 3, 9, 2, 8, 7, 1, 2], .init(length: 2)) == [3, 9])
    // Of equal matches, the last one.
    #expect(try lookup([1, 2, 5, 1, 2, 6, 1, 2], .init(length: 1)) == [6])
    #expect(try lookup([1, 2, 3, 4]) == [])
    #expect(try lookup([7]) == [])
  }

  @Test("a loop is continued as a loop")
  func loop() throws {
    #expect(try lookup([4, 4], .init(length: 5)) == [4, 4, 4, 4, 4])
    #expect(try lookup([1, 2, 1, 2, 1], .init(length: 5)) == [2, 1, 2, 1, 2])
  }

  @Test("the budget and the configured length both hold")
  func limits() throws {
    let tokens: [Int32] = [1, 2, 3, 4, 5, 1, 2, 3]
    #expect(try lookup(tokens, .init(length: 2)).count == 2)
    #expect(try lookup(tokens, .init(), DraftBudget(nodes: 9, depth: 3)).count == 3)
    #expect(try lookup(tokens, .init(), DraftBudget(nodes: 1, depth: 3)).count == 1)
    #expect(throws: SpeculationError.self) { try lookup(tokens, .init(length: 0)) }
    #expect(throws: SpeculationError.self) { try lookup(tokens, .init(maximumNGram: 0)) }
  }

  @Test("the longest match is preferred to the last when asked for")
  func longestMatch() throws {
    let tokens: [Int32] = [9, 8, 1, 2, 3, 5, 7, 1, 2, 3, 6, 9, 8, 1, 2, 3]
    #expect(try lookup(tokens, .init(length: 1)) == [6])
    #expect(try lookup(tokens, .init(length: 1, prefersLongestMatch: true)) == [5])
  }

  @Test("the index found token by token is that of a plain search")
  func againstSearch() throws {
    let random = KeyedRandom(seed: 5)
    var tokens: [Int32] = [0]
    let drafter = try PromptLookupDrafter(.init(maximumNGram: 4, length: 3))
    try drafter.begin(prompt: tokens)
    for position in 0..<400 {
      let token = Int32(random.uniform(position: position, stream: .target) * 6)
      // Rows without columns: prompt lookup observes nothing.
      let nothing = ForwardOutput(
        logits: FloatRows(base: UnsafeMutablePointer(bitPattern: 8)!, rows: 0, columns: 0))
      try drafter.commit([token], states: TargetStates(output: nothing, rows: []))
      tokens.append(token)
      var expected: [Int32] = []
      search: for n in (1...4).reversed() where tokens.count > n {
        for end in stride(from: tokens.count - 1, through: n, by: -1)
        where tokens[(end - n)..<end] == tokens.suffix(n) {
          expected = Array(tokens[end...].prefix(3))
          while expected.count < 3 {
            expected.append(expected[expected.count - (tokens.count - end)])
          }
          break search
        }
      }
      #expect(try drafter.draft(after: context(tokens), budget: budget).tokens == expected)
    }
  }
}

@Suite struct DraftModelTests {
  @Test("nothing is drafted while the text has a token that the model lacks, and nothing breaks")
  func missingToken() throws {
    let model = TableModel(vocabularySize: 8, seed: 2)
    let bridge = VocabularyBridge(sharedSize: 8)
    let drafters: [any Drafter] = [
      try DraftModelDrafter(model: model, capacity: 64),
      try CrossVocabularyDrafter(
        model: model, capacity: 64, configuration: .init(method: .slem, bridge: bridge)),
    ]
    for drafter in drafters {
      func draft(_ tokens: [Int32]) throws -> DraftTree {
        try drafter.draft(after: context(tokens, vocabularySize: 10), budget: budget)
      }
      try drafter.begin(prompt: [1, 9, 2])
      if drafter is DraftModelDrafter<TableModel> {
        #expect(try draft([1, 9, 2, 3]).isEmpty)
        #expect(try draft([1, 9, 2, 3, 4]).isEmpty)
      } else {
        // Drafting by text goes on: such a token is no text.
        #expect(try !draft([1, 9, 2, 3]).isEmpty)
      }
      try drafter.begin(prompt: [1, 2])
      #expect(try !draft([1, 2, 3]).isEmpty)
      _ = try draft([1, 2, 3, 8])
      #expect(try !draft([1, 2, 3]).isEmpty)
    }
  }

  @Test("the output's law is the target's though the model lacks a token, or has one more")
  func lawOfOtherSizes() throws {
    let target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
    let warm = try SamplingParameters(temperature: 1)
    for size in [2, 4] {
      let model = TableModel(vocabularySize: size, seed: 9, sharpness: 1.2)
      let (law, reused) = try Enumerator.law { chance in
        let setup = GenerationSetup(
          drafter: try DraftModelDrafter(model: model, capacity: 64), draftLength: .fixed(2),
          draftNodes: 6, rule: RejectionSampling(), sampling: warm,
          limits: GenerationLimits(maxTokens: 3))
        let generator = try SpeculativeGenerator(target: target, capacity: 64)
        return try generate(generator, prompt: [0, 1, 1], setup: setup, chance: chance).output
      }
      let plain = try plainLaw(target, prompt: [0, 1, 1], length: 3, sampler: Sampler(warm))
      #expect(!reused && totalVariation(law, plain) < 1e-12, "\(size) tokens")
    }
  }

  let model = TableModel(vocabularySize: 10, seed: 3, sharpness: 2)

  @Test("the q that is returned is the q that was sampled from, after all processing")
  func recordedDistribution() throws {
    let warm = Sampler(
      try SamplingParameters(temperature: 0.7, topK: 6, topP: 0.9, repetitionPenalty: 1.2))
    let drafter = try DraftModelDrafter(model: model, capacity: 64, configuration: .init(length: 5))
    let tokens: [Int32] = [1, 2, 3]
    try drafter.begin(prompt: tokens)
    let tree = try drafter.draft(after: context(tokens, warm, style: .sampled), budget: budget)
    #expect(tree.count == 5)
    for node in 0..<tree.count {
      let path = tokens + tree.tokens[..<node]
      var logits = model.logits(after: path)
      let q = try logits.withUnsafeMutableBufferPointer {
        try warm.distribution(logits: $0, context: path)
      }
      #expect(tree.proposals[node] == .sampled(q))
      let drawn = KeyedRandom(seed: 1).token(
        from: q, position: path.count, stream: .drafter, draw: node)
      #expect(tree.tokens[node] == drawn)
    }
  }

  @Test("drafting with the target's own numbers makes an equal model always agree")
  func matching() throws {
    let warm = Sampler(try SamplingParameters(temperature: 1))
    let drafter = try DraftModelDrafter(model: model, capacity: 64)
    let tokens: [Int32] = [1, 2, 3]
    let tree = try drafter.draft(after: context(tokens, warm), budget: budget)
    var path = tokens
    for token in tree.tokens {
      var logits = model.logits(after: path)
      let expected = try logits.withUnsafeMutableBufferPointer {
        try warm.token(logits: $0, context: path, chance: KeyedRandom(seed: 1))
      }
      #expect(token == expected)
      path.append(token)
    }
    #expect(tree.count == 8)
  }

  @Test("a draft ends where confidence falls below the threshold")
  func confidence() throws {
    for threshold in [0, 0.3, 1.1] {
      let drafter = try DraftModelDrafter(
        model: model, capacity: 64,
        configuration: .init(length: 20, minimumConfidence: threshold))
      let tree = try drafter.draft(after: context([1, 2]), budget: budget)
      var expected = 0
      var path: [Int32] = [1, 2]
      while expected < 20 {
        var logits = model.logits(after: path)
        let warm = Sampler(try SamplingParameters(temperature: 1))
        let p = try logits.withUnsafeMutableBufferPointer {
          try warm.distribution(logits: $0, context: path)
        }
        guard p.maximum >= threshold else { break }
        path.append(Int32(try #require(p.probabilities.firstIndex(of: p.maximum))))
        expected += 1
      }
      #expect(tree.count == expected)
    }
  }

  @Test("a token that only the draft model has is never proposed")
  func paddedVocabulary() throws {
    let warm = Sampler(try SamplingParameters(temperature: 3))
    let drafter = try DraftModelDrafter(
      model: model, capacity: 512, configuration: .init(length: 64))
    for style in [ProposalStyle.matching, .sampled] {
      let tree = try drafter.draft(
        after: context([1], warm, vocabularySize: 4, style: style), budget: budget)
      #expect(tree.count == 64 && tree.tokens.allSatisfy { $0 < 4 })
    }
  }

  @Test("unknown drafters, and a draft model that is missing, are refused")
  func registry() {
    #expect(
      throws: SpeculationError.unknownDrafter(
        name: "crystal-ball",
        known: ["auto"] + DrafterRegistry.entries.filter { !$0.isReference }.map(\.name))
    ) { try DrafterRegistry.make("crystal-ball", DrafterSettings()) }
    #expect(throws: SpeculationError.self) {
      try DrafterRegistry.make("draft-model", DrafterSettings())
    }
    #expect(Set(DrafterRegistry.entries.map(\.name)).count == DrafterRegistry.entries.count)
  }
}
