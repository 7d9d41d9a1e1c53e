import Drafters
import Foundation
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Nunchi

@Suite("EAGLE on a real model", .serialized) struct EagleModelTests {
  @Test("random drafters give the plain output, token for token", arguments: EagleVersion.allCases)
  func identity(version: EagleVersion) async throws {
    let model = try await TestModels.smol.value
    let folder = try RandomEagle(version, for: model.transformer).write()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let trained = try model.trainedDrafter(folder: folder)
    #expect(trained.method == version.rawValue)
    let texts = ["The capital of France is", "1 2 3 4 5 6 7", "눈치는 한국어로", "def fibonacci(n):\n"]
    var suite = IdentitySuite(
      target: model.transformer,
      prompts: texts.map { .init(name: $0, tokens: model.tokens(of: $0)) },
      candidates: [version.rawValue, "auto,\(version.rawValue)"].map { names in
        .init(name: names) {
          try DrafterRegistry.make(names: names.split(separator: ",").map(String.init), $0)
        }
      })
    suite.settings.trained = trained
    suite.costs = try model.verificationCosts()
    suite.maxTokens = 12
    suite.passes = 2
    for result in try suite.run() { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test func measure() async throws {
    guard ProcessInfo.processInfo.environment["MEASURE"] != nil else { return }
    let model = try await TestModels.smol.value
    for version in EagleVersion.allCases {
      for (intermediate, cut) in [(1536, 8192), (1536, 0), (512, 8192)] {
        var random = RandomEagle(version, for: model.transformer)
        random.intermediate = intermediate
        random.heads = 8
        random.headRows = 8192
        random.vocabulary = model.transformer.vocabularySize
        if version == .eagle3 && cut == 0 { continue }
        if version == .eagle3 { random.headRows = 1228 }
        let folder = try random.write()
        let tokens = cut == 0 ? nil : (0..<Int32(cut)).map { $0 * 6 }
        let weights = try EagleWeights(folder: folder, target: model.transformer, tokens: tokens)
        for shape in [DraftShape.chain, .dynamic(topK: 4)] {
          let drafter = try EagleDrafter(
            weights: weights, capacity: 2048,
            configuration: DraftModelConfiguration(shape: shape, length: 16))
          let prompt = model.tokens(of: String(repeating: "All work and no play. ", count: 80))
          let generator = try SpeculativeGenerator(target: model.transformer, capacity: 2048)
          func run(_ depth: Int, _ drafter: (any Drafter)?) throws -> (Double, Double, Double) {
            let setup = GenerationSetup(
              drafter: drafter, draftLength: .fixed(depth), draftNodes: 24,
              limits: GenerationLimits(maxTokens: 60))
            generator.cache.truncate(to: 0)
            let fresh = try SpeculativeGenerator(target: model.transformer, capacity: 2048)
            try fresh.begin(prompt: prompt, setup: setup)
            while try fresh.next() != nil {}
            let rounds = fresh.traces.dropFirst()
            let drafts = rounds.map(\.draftSeconds).sorted()
            let commits = rounds.map(\.commitSeconds).sorted()
            let first = fresh.traces[0]
            return (
              drafts[drafts.count / 2], commits[commits.count / 2],
              first.draftSeconds + first.commitSeconds + first.verifySeconds + first.acceptSeconds)
          }
          let none = try run(1, nil)
          let one = try run(1, drafter)
          let again = try EagleDrafter(
            weights: weights, capacity: 2048,
            configuration: DraftModelConfiguration(shape: shape, length: 16))
          let nine = try run(9, again)
          print(
            version, "intermediate", intermediate, "head", cut, shape, "parameters",
            weights.parameterCount, "first level µs", Int(one.0 * 1e6), "further level µs",
            Int((nine.0 - one.0) / 8 * 1e6), "commit µs", Int(one.1 * 1e6), "prompt µs/token",
            (min(one.2, nine.2) - none.2) * 1e6 / Double(prompt.count), "target prompt µs/token",
            none.2 * 1e6 / Double(prompt.count), prompt.count)
        }
        try? FileManager.default.removeItem(atPath: folder)
      }
    }
  }
}
