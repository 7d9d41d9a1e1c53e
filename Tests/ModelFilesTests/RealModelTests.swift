import Foundation
import Testing

@testable import ModelFiles

/// Models that are in the cache of this machine; tests that need others are left out.
private func cached(_ name: String) -> String? {
  let environment = ProcessInfo.processInfo.environment
  let root = environment["NUNCHI_CACHE"] ?? NSHomeDirectory() + "/.cache/nunchi"
  let path = "\(root)/models/\(name)"
  return FileManager.default.fileExists(atPath: path) ? path : nil
}

private let smolLM = cached("SmolLM2-135M-Instruct.Q4_1.gguf")
private let gemma = cached("gemma-3-270m-q4_k_m.gguf")

@Suite struct RealModelTests {
  @Test("SmolLM2's file opens and says what it holds", .enabled(if: smolLM != nil))
  func smolLMOpens() throws {
    let file = try GGUFFile(path: #require(smolLM))
    #expect(file.version == 3)
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.int("llama.block_count") == 30)
    #expect(try file.byteStrings("tokenizer.ggml.tokens").count == 49152)
    let embedding = try #require(file.tensors["token_embd.weight"])
    #expect(embedding.shape == [49152, 576])
    #expect(try file.data(of: "token_embd.weight").count == embedding.byteCount)
  }

  @Test("Gemma's vocabulary of 262,144 is read quickly", .enabled(if: gemma != nil))
  func gemmaOpensQuickly() throws {
    let path = try #require(gemma)
    let clock = ContinuousClock()
    var tokens: [String] = []
    let opening = try clock.measure {
      let file = try GGUFFile(path: path)
      tokens = try file.strings("tokenizer.ggml.tokens")
    }
    print("opening took \(opening)")
    #expect(tokens.count == 262_144)
    #expect(tokens[0] == "<pad>")
    #expect(opening < .seconds(1))
  }
}
