import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation

/// Laws of acceptance rules, explored through every random choice on a tiny vocabulary.
struct RuleLaw {
  static let prompt: [Int32] = [0, 2, 1]

  var target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
  var rule: any AcceptanceRule
  var sampling: SamplingParameters
  /// Tokens to generate.
  var length = 3
  var depth = 2
  var nodes = 6
  var drafters: () throws -> [any Drafter]

  /// Plain sampling, and sampling that leaves one token in three without probability.
  static func samplings() throws -> [SamplingParameters] {
    [
      try SamplingParameters(temperature: 1, seed: 1),
      try SamplingParameters(temperature: 1.5, topK: 2),
    ]
  }

  /// How far the output's exact law is from plain decoding's, by total variation; infinite when
  /// one random number served two choices, or the cache went wrong.
  func distance() throws -> Double {
    var faulty = false
    let (law, reused) = try Enumerator.law { chance in
      let generator = try SpeculativeGenerator(target: target, capacity: 64)
      let setup = GenerationSetup(
        drafters: try drafters(), draftLength: .fixed(depth), draftNodes: nodes, rule: rule,
        sampling: sampling, limits: GenerationLimits(maxTokens: length))
      let (output, faults) = try generate(
        generator, prompt: Self.prompt, setup: setup, chance: chance)
      if !faults.isEmpty { faulty = true }
      return output
    }
    let plain = try plainLaw(
      target, prompt: Self.prompt, length: length, sampler: Sampler(sampling))
    return faulty || reused ? .infinity : totalVariation(law, plain)
  }

  /// The expected number of accepted tokens of one round.
  func expectedAccepted() throws -> Double {
    let sampler = Sampler(sampling)
    let (law, _) = try Enumerator.law { chance in
      let context = DraftContext(
        tokens: Self.prompt, vocabularySize: target.vocabularySize, sampler: sampler,
        chance: chance, style: rule.style)
      let tree = try drafters()[0].draft(
        after: context, budget: DraftBudget(nodes: nodes, depth: depth))
      return try verdict(on: tree, sampler: sampler, chance: chance).path.count
    }
    return law.reduce(0) { $0 + Double($1.key) * $1.value }
  }

  /// What the rule says about a tree after the prompt.
  func verdict(on tree: DraftTree, sampler: Sampler, chance: any Chance) throws -> Verdict {
    let cache = try target.makeCache(capacity: 64 + tree.count)
    _ = try target.forward(chain: Array(Self.prompt.dropLast()), cache: cache)
    cache.commit(path: Array(Self.prompt.dropLast().indices))
    let rows = tree.rows(after: Self.prompt[Self.prompt.count - 1])
    let output = try target.forward(tokens: rows.tokens, parents: rows.parents, cache: cache)
    var walk = TargetWalk(
      logits: output.logits, sampler: sampler, chance: chance, context: Self.prompt)
    return try rule.verify(tree, &walk)
  }

  /// Pearson's statistic of many seeded generations against the exact law; its degrees of freedom
  /// are one less than the outcomes, of which there must be 27.
  func chiSquare(runs: Int) throws -> (statistic: Double, outcomes: Int) {
    let law = try plainLaw(
      target, prompt: Self.prompt, length: length, sampler: Sampler(sampling))
    let generator = try SpeculativeGenerator(target: target, capacity: 64)
    var counts: [[Int32]: Int] = [:]
    for seed in 0..<UInt64(runs) {
      let setup = GenerationSetup(
        drafters: try drafters(), draftLength: .fixed(depth), draftNodes: nodes, rule: rule,
        sampling: sampling, limits: GenerationLimits(maxTokens: length))
      try generator.begin(prompt: Self.prompt, setup: setup, chance: KeyedRandom(seed: seed))
      while try generator.next() != nil {}
      counts[Array(generator.output), default: 0] += 1
    }
    let statistic = law.reduce(0) { sum, outcome in
      let expected = outcome.value * Double(runs)
      let difference = Double(counts[outcome.key, default: 0]) - expected
      return sum + difference * difference / expected
    }
    return (statistic, law.count)
  }

  // With 27 outcomes the statistic of a right law exceeds 79 with probability 3e-7. That of a law
  // off by total variation d has noncentrality of at least N(2d)²: with N = 30,000 and d = 0.04,
  // 192. It is then 218 ± 29, and below 79 with probability 1e-6.
  static let chiSquareRuns = 30_000
  static let chiSquareLimit = 79.0
}
