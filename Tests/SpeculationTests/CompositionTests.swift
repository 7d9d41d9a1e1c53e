import Drafters
import LanguageModels
import Losslessness
import Sampling
import Testing

@testable import Speculation

private let prompt: [Int32] = [3, 1, 4, 1, 5, 0, 2, 5]
private let names = [
  "suffix", "recycling", "prompt-lookup", "draft-model", "lookahead", "layer-skip", "random-tree",
  "oracle", "always-wrong",
]

/// A controller for which a few rows cost little, and drafters' time counts nothing.
private func controller(_ ratios: [(Int, Double)] = [(1, 1), (4, 1.2), (16, 3)]) throws
  -> SpeedController
{
  let scale = 1e6
  return SpeedController(
    costs: try VerificationCosts(
      points: ratios.map { .init(rows: $0.0, seconds: $0.1 * scale) }))
}

/// Proposes the same chain at every step.
private final class SameDrafter: Drafter {
  let name: String
  let chain: [Int32]

  init(_ name: String, _ chain: [Int32]) {
    self.name = name
    self.chain = chain
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    DraftTree(chain: chain.prefix(budget.depth), source: name)
  }
}

@Suite struct CompositionTests {
  @Test("two drafters grow one tree, in which what both propose stands once")
  func oneTree() throws {
    let target = TableModel(vocabularySize: 12)
    let generator = try SpeculativeGenerator(target: target, capacity: 128)
    let setup = GenerationSetup(
      drafters: [SameDrafter("first", [1, 2, 3]), SameDrafter("second", [1, 4])],
      draftLength: .fixed(3), limits: GenerationLimits(maxTokens: 12))
    #expect(try generate(generator, prompt: prompt, setup: setup).faults == [])
    let trace = try #require(generator.traces.first { $0.phase == .round })
    #expect(trace.proposals.map(\.drafter) == ["first", "second"])
    #expect(trace.proposals.map(\.tokens) == [[1, 2, 3], [1, 4]])
    #expect(trace.drafted.sorted() == [1, 2, 3, 4])
    let sources = Dictionary(uniqueKeysWithValues: zip(trace.drafted, trace.sources))
    #expect(sources == [1: "first", 2: "first", 3: "first", 4: "second"])
    let place = try #require(trace.drafted.firstIndex(of: 1))
    let four = try #require(trace.drafted.firstIndex(of: 4))
    #expect(trace.parents[four] == place)
  }

  @Test("twins count once, what others contest counts less, and siblings share what there is")
  func merging() {
    let fresh = Calibration()
    var candidates = CandidateTree()
    candidates.merge(
      DraftTree(chain: [1, 2], score: 0.5, source: "a"), from: 0, calibration: fresh, depth: 9)
    candidates.merge(
      DraftTree(chain: [1, 3], score: 0.5, source: "b"), from: 1, calibration: fresh, depth: 9)
    candidates.merge(
      DraftTree(chain: [4], score: 0.75, source: "c"), from: 2, calibration: fresh, depth: 9)
    candidates.settle(ConsensusCalibrations())
    #expect(candidates.nodes.map(\.token) == [1, 2, 3, 4])
    #expect(candidates.nodes.map(\.supporters) == [0b011, 0b001, 0b010, 0b100])
    #expect(
      candidates.nodes.map(\.consensus) == [.agreed, .contested, .contested, .contested])
    let agreed = candidates.nodes[0].probability
    let alone = candidates.nodes[3].probability
    // The surest of those that agree, and 0.6 of 0.75.
    let (sure, contested): (Double, Double) = (0.5, 0.45)
    #expect(abs(agreed - sure) < 1e-6)
    #expect(abs(alone - contested) < 1e-6)
    candidates.merge(
      DraftTree(chain: [5], score: 1, source: "d"), from: 3, calibration: fresh, depth: 9)
    candidates.settle(ConsensusCalibrations())
    let roots = candidates.nodes.filter { $0.parent == DraftTree.root }
    let share = roots.map(\.probability).reduce(0, +)
    let all = 0.99
    #expect(abs(share - all) < 1e-6)
    #expect(candidates.child(of: 0, token: 3) == 2 && candidates.child(of: -1, token: 2) == nil)
  }

  @Test("what is too deep is left out, with all that hangs from it")
  func depth() {
    var candidates = CandidateTree()
    let tree = DraftTree(chain: [1, 2, 3, 4], source: "a")
    candidates.merge(tree, from: 0, calibration: nil, depth: 2)
    #expect(candidates.nodes.map(\.token) == [1, 2])
  }

  @Test("pairs of drafters give the plain output", arguments: names.indices, 0..<3)
  func pairs(first: Int, sampling: Int) throws {
    let samplings: [SamplingParameters] = [
      .greedy, try SamplingParameters(temperature: 0.3, seed: 11),
      try SamplingParameters(temperature: 1, topK: 5, repetitionPenalty: 1.3, seed: 12),
    ]
    let target = TableModel(vocabularySize: 16, seed: 5, order: 3)
    let limits = GenerationLimits(maxTokens: 40)
    let plain = try generate(
      SpeculativeGenerator(target: target, capacity: 128), prompt: prompt,
      setup: GenerationSetup(sampling: samplings[sampling], limits: limits))
    var settings = DrafterSettings(length: 8, capacity: 128, draftModel: target.noisy(0.8))
    settings.target = target
    settings.layerSkip.skippedLayers = [1, 2]
    settings.sequence = prompt + plain.output
    for second in names.indices where second != first {
      for policy: DraftLengthPolicy in [.fixed(4), .controlled(try controller())] {
        let setup = GenerationSetup(
          drafters: try DrafterRegistry.make(names: [names[first], names[second]], settings),
          draftLength: policy, draftNodes: 20, sampling: samplings[sampling], limits: limits)
        let fault = try difference(
          target: target, prompt: prompt, setup: setup, capacity: 128)
        #expect(fault == nil, "\(names[second]), \(policy)")
      }
    }
  }

  @Test("a choice among nodes keeps the target's law, whatever was drawn before it")
  func law() throws {
    var (cut, kept) = (0, 0)
    for seed in 0..<6 as Range<UInt64> { try law(seed, &cut, &kept) }
    #expect(cut > 0, "nothing was left out")
    #expect(kept > 0, "nothing found without chance was kept")
  }

  private func law(_ seed: UInt64, _ cut: inout Int, _ kept: inout Int) throws {
    let target = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2)
    let sampling = try SamplingParameters(temperature: 1, seed: 1)
    let start: [Int32] = [0, 2, 1]
    let length = 4
    var isFaulty = false
    let (law, reused) = try Enumerator.law { chance in
      let generator = try SpeculativeGenerator(target: target, capacity: 64)
      let drawn = SamplingTreeDrafter(model: target.noisy(1.5), width: 1)
      let found = RandomDrafter(seed: seed, width: 3)
      let setup = GenerationSetup(
        drafters: seed % 2 == 0 ? [drawn, found] : [found, drawn],
        // After four rows they are too dear.
        draftLength: .controlled(try controller([(1, 1), (4, 1.1), (5, 4), (9, 20)])),
        draftNodes: 8, rule: RejectionSampling(), sampling: sampling,
        limits: GenerationLimits(maxTokens: length))
      let (output, faults) = try generate(
        generator, prompt: start, setup: setup, chance: chance)
      if !faults.isEmpty { isFaulty = true }
      for trace in generator.traces where trace.proposals.count == 2 {
        let candidates = Set(
          trace.proposals.flatMap { proposal in
            proposal.tokens.indices.map { [proposal.parents[$0], Int(proposal.tokens[$0])] }
          })
        if candidates.count > trace.drafted.count { cut += 1 }
        if trace.sources.contains("random") { kept += 1 }
      }
      return output
    }
    let plain = try plainLaw(target, prompt: start, length: length, sampler: Sampler(sampling))
    #expect(!isFaulty && !reused)
    #expect(totalVariation(law, plain) < 1e-12)
  }
}
