import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let prompt: [Int32] = [3, 1, 4, 1, 5, 0, 2, 5]

/// Greedy, and seeded sampling in several ways.
private let samplings: [SamplingParameters] = {
  let some = try? [
    SamplingParameters(temperature: 0.3, seed: 11),
    SamplingParameters(temperature: 1, topK: 5, topP: 0.9, repetitionPenalty: 1.3, seed: 12),
    SamplingParameters(repetitionPenalty: 1.5, repetitionWindow: 5),
  ]
  return [.greedy] + (some ?? [])
}()

/// Prompt and plain output.
private func plainSequence(
  _ target: TableModel, _ sampling: SamplingParameters, _ limits: GenerationLimits
) throws -> [Int32] {
  let generator = try SpeculativeGenerator(target: target, capacity: 512)
  let setup = GenerationSetup(sampling: sampling, limits: limits)
  return prompt + (try generate(generator, prompt: prompt, setup: setup).output)
}

/// A controller for which a few rows cost little and drafters' time hardly counts.
private func controller() throws -> SpeedController {
  SpeedController(
    costs: try VerificationCosts(points: [
      .init(rows: 1, seconds: 1), .init(rows: 4, seconds: 1.2), .init(rows: 16, seconds: 3),
    ]))
}

@Suite struct IdentityTests {
  @Test(
    "a draft model with fewer or more tokens than the target changes nothing of the output",
    arguments: DrafterRegistry.entries.map(\.name).filter { !DrafterRegistry.trained.contains($0) },
    0..<4)
  func otherVocabularySizes(name: String, sampling: Int) throws {
    let target = TableModel(vocabularySize: 16)
    let limits = GenerationLimits(maxTokens: 40)
    let sequence = try plainSequence(target, samplings[sampling], limits)
    #expect(sequence.contains { $0 >= 12 })
    for size in [12, 20] {
      var settings = DrafterSettings(
        length: 8, capacity: 512, draftModel: TableModel(vocabularySize: size))
      settings.target = target
      settings.layerSkip.skippedLayers = [1, 2]
      settings.sequence = sequence
      settings.datastore = try temporaryDatastore(
        [sequence.map { $0 % 16 + 4 }], vocabularySize: 20)
      for rule in [SampleAndMatch(), RejectionSampling()] as [any AcceptanceRule] {
        let setup = GenerationSetup(
          drafter: try DrafterRegistry.make(name, settings), draftLength: .fixed(4), rule: rule,
          sampling: samplings[sampling], limits: limits)
        if samplings[sampling].isGreedy || rule is SampleAndMatch {
          let fault = try difference(target: target, prompt: prompt, setup: setup)
          #expect(fault == nil, "\(name), \(size) tokens: \(fault ?? "")")
        } else {
          let generator = try SpeculativeGenerator(target: target, capacity: 512)
          let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
          #expect(output.count == 40 && faults.isEmpty, "\(name), \(size) tokens: \(faults)")
        }
      }
    }
  }

  @Test(
    "every drafter gives the plain output, whatever the draft length",
    // Trained drafters need a transformer as their target: see DrafterTests.
    arguments: DrafterRegistry.entries.map(\.name).filter { !DrafterRegistry.trained.contains($0) },
    0..<4)
  func allDrafters(name: String, sampling: Int) throws {
    #expect(samplings.count == 4)
    // A long memory shows errors; a short one repeats itself, which lets prompt lookup match.
    for target in [
      TableModel(vocabularySize: 16), TableModel(vocabularySize: 16, seed: 5, order: 2),
    ] {
      let limits = GenerationLimits(maxTokens: 60)
      var settings = DrafterSettings(
        length: 16, capacity: 512, draftModel: target.noisy(0.8))
      settings.target = target
      settings.layerSkip.skippedLayers = [1, 2]
      settings.sequence = try plainSequence(target, samplings[sampling], limits)
      settings.datastore = try temporaryDatastore([settings.sequence], vocabularySize: 16)
      for policy in (0...9).map(DraftLengthPolicy.fixed) + [.controlled(try controller())] {
        let setup = GenerationSetup(
          drafter: try DrafterRegistry.make(name, settings), draftLength: policy,
          sampling: samplings[sampling], limits: limits)
        let fault = try difference(target: target, prompt: prompt, setup: setup)
        #expect(fault == nil, "\(policy)")
      }
    }
  }

  @Test("random trees of many shapes give the plain output", arguments: 0..<4)
  func randomTrees(sampling: Int) throws {
    let target = TableModel(vocabularySize: 6)
    let limits = GenerationLimits(maxTokens: 40)
    let sequence = try plainSequence(target, samplings[sampling], limits)
    var accepted = 0
    for seed in 0..<30 as Range<UInt64> {
      let drafter = RandomDrafter(
        seed: seed, width: 1 + Int(seed % 5), sequence: seed % 2 == 0 ? sequence : [])
      let setup = GenerationSetup(
        drafter: drafter, draftLength: .fixed(6), draftNodes: 20,
        sampling: samplings[sampling], limits: limits)
      #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
      let generator = try SpeculativeGenerator(target: target, capacity: 512)
      _ = try generate(generator, prompt: prompt, setup: setup)
      accepted += SpeculationStatistics(generator.traces).accepted
    }
    #expect(accepted > 100, "the trees were hardly ever followed")
  }

  @Test("the greedy rule gives the plain output")
  func greedyRule() throws {
    let target = TableModel(vocabularySize: 16, order: 3)
    for length in 0...6 {
      let setup = GenerationSetup(
        drafter: try DraftModelDrafter(model: target.noisy(1), capacity: 512),
        draftLength: .fixed(length), rule: GreedyRule(),
        limits: GenerationLimits(maxTokens: 50))
      #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
    }
  }

  @Test("rejection sampling with temperature 0 gives the plain output")
  func coldRejection() throws {
    let target = TableModel(vocabularySize: 16, order: 3)
    let setup = GenerationSetup(
      drafter: try DraftModelDrafter(model: target.noisy(1), capacity: 512),
      rule: RejectionSampling(), limits: GenerationLimits(maxTokens: 50))
    #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
  }

  @Test("matching with a known bug is found out", arguments: BrokenMatching.Bug.allCases)
  func brokenRules(bug: BrokenMatching.Bug) throws {
    let target = TableModel(vocabularySize: 6)
    let limits = GenerationLimits(maxTokens: 40)
    for sampling in samplings {
      let sequence = try plainSequence(target, sampling, limits)
      let faults = try (0..<8 as Range<UInt64>).filter { seed in
        let setup = GenerationSetup(
          drafter: RandomDrafter(seed: seed, sequence: sequence), draftLength: .fixed(4),
          rule: BrokenMatching(bug: bug), sampling: sampling, limits: limits)
        return try difference(target: target, prompt: prompt, setup: setup) != nil
      }
      #expect(!faults.isEmpty)
    }
  }

  @Test("a comparison counts a missing end as a difference")
  func comparison() {
    #expect(OutputComparison(expected: [1, 2], found: [1, 2]) == .identical)
    #expect(
      OutputComparison(expected: [1, 2], found: [1])
        == .differs(at: 1, expected: 2, found: nil))
    #expect(
      OutputComparison(expected: [Int32](), found: [7])
        == .differs(at: 0, expected: nil, found: 7))
  }
}
