import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

private typealias Method = CrossVocabularyConfiguration.Method

private let prompt: [Int32] = [0, 2, 1]
private let target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
/// Other ids, a token that joins two of the target's, and one that the target lacks.
private let draft = TableModel(vocabularySize: 5, seed: 9, sharpness: 1.2)
private let bridge = VocabularyBridge(
  target: ToyVocabulary(pieces: ["a", "b", "c"]),
  draft: ToyVocabulary(pieces: ["c", "ab", "b", "d", "a"]))

private func drafter(
  _ method: Method, target: TableModel = target, draft: TableModel = draft,
  bridge: VocabularyBridge = bridge, length: Int = 8
) throws -> CrossVocabularyDrafter<TableModel> {
  try CrossVocabularyDrafter(
    model: draft, capacity: 64,
    configuration: CrossVocabularyConfiguration(method: method, length: length, bridge: bridge))
}

/// Passes on trees with another q than that of the draws.
private final class Misreporting: Drafter {
  let name = "misreporting"
  let drafter: any Drafter

  init(_ drafter: any Drafter) { self.drafter = drafter }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let tree = try drafter.draft(after: context, budget: budget)
    var result = DraftTree()
    for node in tree.tokens.indices {
      var proposal = tree.proposals[node]
      if case .sampled(let q) = proposal {
        proposal = .sampled(
          Distribution(tokens: q.tokens, weights: q.probabilities.map { $0 * $0 }))
      }
      result.add(
        tree.tokens[node], under: tree.parents[node], proposal: proposal, source: name)
    }
    return result
  }
}

@Suite struct CrossVocabularyTests {
  /// How far the output's exact law is from plain decoding's.
  private func distance(
    _ rule: any AcceptanceRule, _ sampling: SamplingParameters,
    _ drafter: () throws -> any Drafter
  ) throws -> Double {
    var faulty = false
    let (law, reused) = try Enumerator.law { chance in
      let generator = try SpeculativeGenerator(target: target, capacity: 64)
      let setup = GenerationSetup(
        drafter: try drafter(), draftLength: .fixed(2), draftNodes: 6, rule: rule,
        sampling: sampling, limits: GenerationLimits(maxTokens: 4))
      let (output, faults) = try generate(
        generator, prompt: prompt, setup: setup, chance: chance)
      if !faults.isEmpty { faulty = true }
      return output
    }
    let plain = try plainLaw(target, prompt: prompt, length: 4, sampler: Sampler(sampling))
    return faulty || reused ? .infinity : totalVariation(law, plain)
  }

  @Test(
    "both methods have exactly the target's law",
    arguments: CrossVocabularyConfiguration.Method.allCases)
  func law(method: CrossVocabularyConfiguration.Method) throws {
    // Drafting with the target's own numbers is no matter of chance: identity tests are for that.
    let rules: [any AcceptanceRule] =
      method == .slem ? [RejectionSampling(), SampleAndMatch()] : [RejectionSampling()]
    for rule in rules {
      for sampling in [
        try SamplingParameters(temperature: 1), try SamplingParameters(temperature: 1.5, topK: 2),
      ] {
        #expect(try distance(rule, sampling) { try drafter(method) } < 1e-12, "\(rule.name)")
      }
    }
  }

  @Test("a q that is not that of the draws is found out")
  func misreported() throws {
    let warm = try SamplingParameters(temperature: 1)
    #expect(
      try distance(RejectionSampling(), warm) { Misreporting(try drafter(.tli)) } > 0.001)
  }

  @Test("TLI records the draft model's q, renormalised on the shared tokens, in the target's ids")
  func recordedDistribution() throws {
    let warm = Sampler(try SamplingParameters(temperature: 0.8))
    let drafter = try drafter(.tli, length: 4)
    let tree = try drafter.draft(
      after: DraftContext(
        tokens: prompt, vocabularySize: 3, sampler: warm, chance: KeyedRandom(seed: 3),
        style: .sampled), budget: DraftBudget(nodes: 9, depth: 9))
    #expect(tree.count == 4)
    // "acb" of the target is "a", "c", "b" of the draft model.
    var path: [Int32] = [4, 0, 2]
    let twins: [Int32] = [4, 2, 0]
    for node in tree.tokens.indices {
      let logits = draft.logits(after: path)
      let weights = twins.map { Double(logits[Int($0)]) / 0.8 }
        .map { $0 - 2 }.map { exponential($0) }
      guard case .sampled(let q) = tree.proposals[node] else {
        Issue.record("not sampled")
        return
      }
      for token in 0..<3 {
        let expected = weights[token] / weights.reduce(0, +)
        #expect(abs(q[Int32(token)] - expected) < 1e-6)
      }
      path.append(twins[Int(tree.tokens[node])])
    }
  }

  /// exp by its series: tests import no mathematics.
  private func exponential(_ x: Double) -> Double {
    let part = (1...30).reversed().reduce(1.0) { 1 + x / 8 * $0 / Double($1) }
    return (0..<3).reduce(part) { power, _ in power * power }
  }

  @Test("SLEM's chain spells the text that the draft model finds most probable")
  func text() throws {
    let sizes = [2, 3, 6]
    for length in sizes {
      let drafter = try drafter(.slem, length: length)
      let tree = try drafter.draft(
        after: DraftContext(
          tokens: prompt, vocabularySize: 3, sampler: Sampler(.greedy),
          chance: KeyedRandom(seed: 3), style: .matching),
        budget: DraftBudget(nodes: 9, depth: 9))
      var path: [Int32] = [4, 0, 2]
      var text: [UInt8] = []
      while text.count < 20 {
        let logits = draft.logits(after: path)
        let best = Int32(try #require(logits.indices.max { logits[$0] < logits[$1] }))
        path.append(best)
        bridge.draft.appendBytes(of: best, to: &text)
        // The target has no "d": nothing after it can be proposed.
        if best == 3 { break }
      }
      let spelled = tree.tokens.flatMap { bridge.target.bytes(of: $0) }
      #expect(text.starts(with: spelled))
      #expect(tree.count <= length)
      let reachable = text.prefix { $0 != UInt8(ascii: "d") }
      #expect(tree.count >= min(length, reachable.count - 1))
      #expect(tree._checkInvariants() == nil)
    }
  }

  @Test(
    "seeded sampling and greedy decoding give the plain output, in other vocabularies too",
    arguments: CrossVocabularyConfiguration.Method.allCases)
  func identity(method: CrossVocabularyConfiguration.Method) throws {
    for seed: UInt64 in 0..<20 {
      let setup = GenerationSetup(
        drafter: try drafter(method), draftLength: .fixed(Int(seed % 5)),
        sampling: seed < 5 ? .greedy : try SamplingParameters(temperature: 1, seed: seed),
        limits: GenerationLimits(maxTokens: 40))
      #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
    }
  }

  @Test("special tokens cross by their names, and sequences begin as each model knows them")
  func specialTokens() {
    let target = ToyVocabulary(pieces: ["<s>", "a", "<end>", "b", "<only>"], prefix: [0])
    let draft = ToyVocabulary(
      pieces: ["b", "ab", "<end>", "a", "<begin>", "o", "n", "l", "y", "<", ">"], prefix: [4])
    let bridge = VocabularyBridge(target: target, draft: draft)
    #expect(bridge.draftTokens == [-1, 3, 2, 0, -1])
    #expect(bridge.targetTokens == [3, -1, 2, 1, -1, -1, -1, -1, -1, -1, -1])
    #expect(bridge.shared == [1, 2, 3] && bridge.sharedDraft == [3, 2, 0])
    var translation = Translation(from: target, to: draft, counterparts: bridge.draftTokens)
    translation.update(to: [0, 1, 3, 2, 1])
    #expect(translation.tokens == [4, 1, 2, 3])
    // Across a special token nothing joins; before it, all is settled.
    translation.update(to: [0, 1, 3, 2, 1, 3, 1])
    #expect(translation.tokens == [4, 1, 2, 1, 3])
    // A shorter or another sequence starts anew.
    translation.update(to: [1, 2])
    #expect(translation.tokens == [4, 3, 2])
  }

  @Test("a sequence translated piece by piece is that translated at once")
  func translation() {
    let random = KeyedRandom(seed: 8)
    let source = ToyVocabulary(pieces: ["a", "b", "c", "bc", "<x>", "<y>", "caab"])
    let destination = ToyVocabulary(pieces: ["c", "ab", "b", "a", "abca", "<y>", "<", "x", ">"])
    let counterparts = VocabularyBridge(target: source, draft: destination).draftTokens
    var growing = Translation(from: source, to: destination, counterparts: counterparts)
    var sequence: [Int32] = []
    for position in 0..<600 {
      sequence.append(Int32(random.uniform(position: position, stream: .target) * 7))
      if position % 3 == 0 { growing.update(to: sequence) }
      var fresh = Translation(from: source, to: destination, counterparts: counterparts)
      fresh.update(to: sequence)
      if position % 3 == 0 { #expect(growing.tokens == fresh.tokens) }
      #expect(growing.openText.count < 40)
    }
  }

  @Test("drafts stop at the path's probability, the budget and the confidence")
  func limits() throws {
    for method in [Method.slem, .tli] {
      var counts: [Int] = []
      for minimum in [0, 0.1, 0.5, 1] {
        let context = DraftContext(
          tokens: prompt, vocabularySize: 3, sampler: Sampler(.greedy),
          chance: KeyedRandom(seed: 3), style: .matching, minimumPathProbability: minimum)
        let tree = try drafter(method).draft(
          after: context, budget: DraftBudget(nodes: 9, depth: 5))
        #expect(tree.depth <= 5 && tree.scores.reduce(1, *) >= minimum)
        counts.append(tree.count)
      }
      #expect(counts == counts.sorted(by: >) && counts[0] > 0 && counts[3] == 0, "\(method)")
    }
    #expect(throws: SpeculationError.self) { try drafter(.tli, length: 0) }
    // A bridge with more tokens than the model has.
    #expect(throws: SpeculationError.self) {
      try drafter(.tli, draft: TableModel(vocabularySize: 4))
    }
  }

  @Test("a vocabulary of which nothing is shared drafts by its text, or not at all")
  func nothingShared() throws {
    let disjoint = VocabularyBridge(
      target: ToyVocabulary(pieces: ["a", "b", "c"]), draft: ToyVocabulary(pieces: ["ab", "ca"]))
    #expect(disjoint.shared.isEmpty)
    let limits = GenerationLimits(maxTokens: 30)
    for method in Method.allCases {
      let drafter = try drafter(
        method, draft: TableModel(vocabularySize: 2, seed: 5), bridge: disjoint)
      let setup = GenerationSetup(
        drafter: drafter, sampling: try SamplingParameters(temperature: 1, seed: 5),
        limits: limits)
      #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
    }
  }
}
