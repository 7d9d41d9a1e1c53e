import Drafters
import LanguageModels
import Sampling
import Speculation

/// Speculation on a tiny vocabulary, explored through every random choice: the exact law of its
/// output beside that of plain decoding.
public struct LawExploration {
  public static let prompt: [Int32] = [0, 2, 1]
  /// Three tokens, none of them improbable.
  public static let target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
  /// A draft model that is often wrong.
  public static let draftModel = target.noisy(1.5)

  public var rule: any AcceptanceRule
  public var sampling: SamplingParameters
  /// Tokens of the output.
  public var length = 3
  /// Tokens of the longest draft.
  public var depth = 2
  /// Nodes of the largest draft.
  public var nodes = 6
  public var drafter: () throws -> any Drafter

  public init(
    rule: any AcceptanceRule, sampling: SamplingParameters, length: Int = 3, depth: Int = 2,
    nodes: Int = 6, drafter: @escaping () throws -> any Drafter
  ) {
    self.rule = rule
    self.sampling = sampling
    self.length = length
    self.depth = depth
    self.nodes = nodes
    self.drafter = drafter
  }

  /// How far the law of the output is from plain decoding's, by total variation; infinite when
  /// one random number served two choices, or the cache went wrong.
  public func distance() throws -> Double {
    var faulty = false
    let (law, reused) = try Enumerator.law { chance in
      let generator = try SpeculativeGenerator(target: Self.target, capacity: 64)
      let (output, faults) = try generate(
        generator, prompt: Self.prompt, setup: try setup(), chance: chance)
      if !faults.isEmpty { faulty = true }
      return output
    }
    return faulty || reused ? .infinity : totalVariation(law, try plain())
  }

  /// Pearson's statistic of many generations with real random numbers against the exact law.
  /// - Returns: the statistic, and its degrees of freedom.
  public func chiSquare(runs: Int) throws -> (statistic: Double, freedom: Int) {
    let law = try plain()
    let generator = try SpeculativeGenerator(target: Self.target, capacity: 64)
    var counts: [[Int32]: Int] = [:]
    for seed in 0..<UInt64(runs) {
      try generator.begin(
        prompt: Self.prompt, setup: try setup(), chance: KeyedRandom(seed: seed))
      while try generator.next() != nil {}
      counts[Array(generator.output), default: 0] += 1
    }
    let statistic = law.reduce(0) { sum, outcome in
      let expected = outcome.value * Double(runs)
      let difference = Double(counts[outcome.key, default: 0]) - expected
      return sum + difference * difference / expected
    }
    return (statistic, law.count - 1)
  }

  private func setup() throws -> GenerationSetup {
    GenerationSetup(
      drafter: try drafter(), draftLength: .fixed(depth), draftNodes: nodes, rule: rule,
      sampling: sampling, limits: GenerationLimits(maxTokens: length))
  }

  private func plain() throws -> [[Int32]: Double] {
    try plainLaw(Self.target, prompt: Self.prompt, length: length, sampler: Sampler(sampling))
  }
}
