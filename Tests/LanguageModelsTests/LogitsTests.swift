@testable import LanguageModels
import Testing

@Suite("Logits equal transformers'")
struct LogitsTests {
  @Test("of tiny models of every architecture", arguments: TinyModel.allCases)
  func tiny(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    let tokens = try tiny.tokens()
    let cache = try model.makeCache(capacity: tokens.count)
    let logits = try model.forward(chain: tokens, cache: cache).logits.values

    let reference = try tiny.logits()
    #expect(logits.count == reference.count)
    #expect(distance(logits, reference) < 1e-4)
  }

  @Test("and the comparison notices a wrong token")
  func control() throws {
    let model = try TinyModel.llama.load()
    var tokens = try TinyModel.llama.tokens()
    tokens[3] = (tokens[3] + 1) % 96
    let cache = try model.makeCache(capacity: tokens.count)
    let logits = try model.forward(chain: tokens, cache: cache).logits.values
    #expect(distance(logits, try TinyModel.llama.logits()) > 0.01)
  }

  /// The largest difference; infinite when one of them has a NaN.
  private func distance(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { largest, pair in
      let difference = abs(pair.0 - pair.1)
      return difference.isNaN ? .infinity : max(largest, difference)
    }
  }
}
