import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

private let prompt: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6]
private let shapes: [DraftShape?] = [
  nil, .chain, .dynamic(topK: 3), .optimal(), .widths([3, 2, 1]), .paths(MedusaChoices.vicuna7B),
]

private func drafter(
  _ trained: TrainedDrafter, _ shape: DraftShape? = nil, length: Int? = nil
) throws -> any Drafter {
  var settings = DrafterSettings(length: length, capacity: 128)
  settings.trained = [trained]
  settings.trainedShape = shape
  return try DrafterRegistry.make(trained.method, settings)
}

/// The law of what a target generates, explored through every random choice.
private func outcomes(
  _ target: TransformerModel, _ setup: () throws -> GenerationSetup
) throws -> [[Int32]: Double] {
  let (law, reused) = try Enumerator.law { chance in
    let generator = try SpeculativeGenerator(target: target, capacity: 64)
    let (output, faults) = try generate(
      generator, prompt: prompt, setup: setup(), chance: chance)
    #expect(faults == [])
    return output
  }
  #expect(!reused)
  return law
}

@Suite struct HeadsLosslessnessTests {
  @Test("trained drafters give the plain output", arguments: TinyDrafter.allCases)
  func identity(tiny: TinyDrafter) throws {
    let target = try TinyDrafter.target()
    let trained = try tiny.load(target)
    for sampling in [
      .greedy, try SamplingParameters(temperature: 0.6, seed: 3),
      try SamplingParameters(
        temperature: 1, topK: 20, topP: 0.9, repetitionPenalty: 1.3, seed: 4),
    ] {
      for shape in shapes {
        for (depth, nodes) in [(1, 3), (2, 8), (8, 30)] {
          let setup = GenerationSetup(
            drafter: try drafter(trained, shape), draftLength: .fixed(depth), draftNodes: nodes,
            sampling: sampling, limits: GenerationLimits(maxTokens: 24))
          let fault = try difference(
            target: target, prompt: prompt, setup: setup, capacity: 128)
          #expect(fault == nil, "\(String(describing: shape)), \(depth) deep")
        }
      }
    }
  }

  @Test("sampled proposals keep exactly the target's law", arguments: TinyDrafter.allCases)
  func law(tiny: TinyDrafter) throws {
    let target = try TinyDrafter.target(threads: 1)
    let trained = try tiny.load(target)
    let sampling = try SamplingParameters(temperature: 1.5, topK: 2)
    let limits = GenerationLimits(maxTokens: 3)
    let plain = try outcomes(target) {
      GenerationSetup(sampling: sampling, limits: limits)
    }
    for shape in [DraftShape.chain, .widths([2, 1])] {
      let found = try outcomes(target) {
        GenerationSetup(
          drafter: try drafter(trained, shape), draftLength: .fixed(2), draftNodes: 4,
          rule: RejectionSampling(), sampling: sampling, limits: limits)
      }
      let distance = totalVariation(found, plain)
      #expect(distance < 1e-12, "\(shape)")
    }
  }

  @Test("what is drafted is accepted where the drafter knows the target")
  func acceptance() throws {
    // The target as its own draft model, its head cut to what it says.
    let target = try TinyDrafter.target()
    let generator = try SpeculativeGenerator(target: target, capacity: 128)
    let limits = GenerationLimits(maxTokens: 30)
    let plain = try generate(
      generator, prompt: prompt, setup: GenerationSetup(limits: limits)
    ).output
    let cut = try TransformerModel(
      folder: TinyDrafter.targetFolder,
      options: LoadingOptions(headTokens: Set(plain).sorted()), pool: target.pool)
    let setup = GenerationSetup(
      drafter: try DraftModelDrafter(model: cut, capacity: 128), draftLength: .fixed(4),
      limits: limits)
    let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
    #expect(output == plain && faults == [])
    let statistics = SpeculationStatistics(generator.traces)
    #expect(statistics.accepted == statistics.drafted)
  }
}
