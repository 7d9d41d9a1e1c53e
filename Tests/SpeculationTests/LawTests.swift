import Drafters
import Foundation
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let prompt: [Int32] = [0, 2, 1]
private let target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
private let warm = try? SamplingParameters(temperature: 1, seed: 1)
/// Leaves one token in three without probability.
private let filtered = try? SamplingParameters(temperature: 1.5, topK: 2)

/// Speculation explored through every random choice.
private struct Exploration {
  var rule: any AcceptanceRule
  var sampling: SamplingParameters
  var length = 3
  var depth = 2
  var drafter: () throws -> any Drafter

  /// How far the output's exact law is from plain decoding's, by total variation; infinite when
  /// one random number served two choices, or the cache went wrong.
  func distance() throws -> Double {
    var faulty = false
    let (law, reused) = try Enumerator.law { chance in
      let generator = try SpeculativeGenerator(target: target, capacity: 64)
      let setup = GenerationSetup(
        drafter: try drafter(), draftLength: .fixed(depth), draftNodes: 6, rule: rule,
        sampling: sampling, limits: GenerationLimits(maxTokens: length))
      let (output, faults) = try generate(
        generator, prompt: prompt, setup: setup, chance: chance)
      if !faults.isEmpty { faulty = true }
      return output
    }
    let plain = try plainLaw(target, prompt: prompt, length: length, sampler: Sampler(sampling))
    return faulty || reused ? .infinity : totalVariation(law, plain)
  }
}

@Suite struct LawTests {
  @Test("rejection sampling from a draft model has exactly the target's law", arguments: 0...3)
  func chain(depth: Int) throws {
    for sampling in [try #require(warm), try #require(filtered)] {
      let distance = try Exploration(
        rule: RejectionSampling(), sampling: sampling, length: 4, depth: depth
      ) { try DraftModelDrafter(model: target.noisy(1.5), capacity: 64) }.distance()
      #expect(distance < 1e-12)
    }
  }

  @Test("rejection sampling from trees has exactly the target's law", arguments: [1, 2, 3])
  func tree(width: Int) throws {
    for sampling in [try #require(warm), try #require(filtered)] {
      let distance = try Exploration(rule: RejectionSampling(), sampling: sampling) {
        SamplingTreeDrafter(model: target.noisy(1.5), width: width)
      }.distance()
      #expect(distance < 1e-12)
    }
  }

  @Test("proposals found without chance keep the target's law")
  func deterministic() throws {
    for rule: any AcceptanceRule in [RejectionSampling(), SampleAndMatch()] {
      for drafter: () throws -> any Drafter in [
        { try PromptLookupDrafter() }, { RandomDrafter(seed: 3, width: 2) },
      ] {
        let distance = try Exploration(
          rule: rule, sampling: try #require(warm), length: 4, drafter: drafter
        ).distance()
        #expect(distance < 1e-12)
      }
    }
  }

  @Test("every drafter of the law suite keeps the law of every rule", arguments: TestedRules.all)
  func suite(rule: any AcceptanceRule) {
    let result = LawSuite().check(rule)
    #expect(result.isGood, "\(result.name): \(result.failures)")
    let names = LawSuite.proposers.map(\.name)
    #expect(names.contains("affine trees with a predictor, pruned by per-level"), "\(names)")
  }

  @Test("rejection sampling with a known bug is found out", arguments: BrokenRejection.Bug.allCases)
  func brokenRules(bug: BrokenRejection.Bug) throws {
    let distance = try Exploration(
      rule: BrokenRejection(bug: bug), sampling: try #require(warm)
    ) { SamplingTreeDrafter(model: target.noisy(1.5), width: 2) }.distance()
    #expect(distance > 0.01)
  }

  @Test("a drafter that misreports how it drew is found out")
  func brokenDrafters() throws {
    for bug: SamplingTreeDrafter.Bug in [
      .greedyAsSampled, .replacementRecorded, .targetNumbers,
    ] {
      let distance = try Exploration(rule: RejectionSampling(), sampling: try #require(warm)) {
        SamplingTreeDrafter(model: target.noisy(1.5), width: 2, bug: bug)
      }.distance()
      #expect(distance > 0.001, "\(bug)")
    }
  }

  /// Pearson's statistic of many seeded generations against the exact law.
  private func statistic(_ rule: any AcceptanceRule)
    throws -> (statistic: Double, freedom: Int)
  {
    let runs = 30_000
    let sampling = try SamplingParameters(temperature: 1)
    let law = try plainLaw(target, prompt: prompt, length: 3, sampler: Sampler(sampling))
    let generator = try SpeculativeGenerator(target: target, capacity: 64)
    var counts: [[Int32]: Int] = [:]
    for seed in 0..<UInt64(runs) {
      let setup = GenerationSetup(
        drafter: SamplingTreeDrafter(model: target.noisy(1.5), width: 2),
        draftLength: .fixed(2), draftNodes: 6, rule: rule,
        sampling: sampling, limits: GenerationLimits(maxTokens: 3))
      try generator.begin(prompt: prompt, setup: setup, chance: KeyedRandom(seed: seed))
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

  // 27 outcomes, so 26 degrees of freedom: the statistic exceeds 79 with probability 3e-7 when
  // the law is right. A law off by total variation d has noncentrality of at least N(2d)²
  // (Cauchy-Schwarz): with N = 30,000 and d = 0.04, 192. The statistic is then 218 ± 29, and
  // below 79 with probability 1e-6.
  private let limit = 79.0

  @Test("real random numbers give the target's law, by chi-square")
  func chiSquare() throws {
    let (statistic, freedom) = try statistic(RejectionSampling())
    #expect(freedom == 26)
    #expect(statistic < limit)
  }

  @Test("chi-square finds the bugs that change the law by 0.04 or more")
  func chiSquareFindsBugs() throws {
    #expect(try statistic(BrokenRejection(bug: .ratioSwapped)).statistic > limit)
    #expect(try statistic(BrokenRejection(bug: .residualMissing)).statistic > limit)
  }
}
