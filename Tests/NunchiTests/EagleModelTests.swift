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
    suite.settings.trained = [trained]
    suite.costs = try model.verificationCosts()
    suite.maxTokens = 10
    suite.passes = 1
    for result in try suite.run() { #expect(result.outcome == .passed, "\(result)") }
  }
}
