import Foundation
import ModelFiles
import NunchiKernels
import Testing

@testable import LanguageModels

/// Models of the catalogue, where they have been fetched.
enum RealModel: String, CaseIterable, Sendable {
  case smolLM2 = "SmolLM2-135M-Instruct.Q4_1"
  case gemma3 = "gemma-3-270m-q4_k_m"

  var path: String {
    let cache =
      ProcessInfo.processInfo.environment["NUNCHI_CACHE"]
      ?? NSHomeDirectory() + "/.cache/nunchi"
    return "\(cache)/models/\(rawValue).gguf"
  }

  static var cached: [RealModel] {
    allCases.filter { FileManager.default.fileExists(atPath: $0.path) }
  }

  func golden() throws -> Golden {
    let url = Bundle.module.bundleURL.appendingPathComponent("Goldens/greedy-\(rawValue).json")
    return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
  }

  /// A greedy continuation by transformers in float32 on the dequantized weights.
  struct Golden: Decodable {
    var prompt: [Int32]
    var continuation: [Int32]
    /// Of each step: log-probability of the best token less that of the next. (steps)
    var margins: [Double]
    /// Of each step: ten tokens with their log-probabilities. (steps, 10, 2)
    var top: [[[Double]]]
  }
}

@Suite("Real models equal transformers", .serialized)
struct RealModelTests {
  @Test("in greedy choices and log-probabilities", arguments: RealModel.cached)
  func greedy(_ real: RealModel) throws {
    let golden = try real.golden()
    let model = try TransformerModel.load(path: real.path, pool: ComputePool(threads: 2))
    let tokens = golden.prompt + golden.continuation
    let cache = try model.makeCache(capacity: tokens.count)
    let logits = try model.forward(chain: tokens, cache: cache).logits
    var differences: [Double] = []
    for step in golden.continuation.indices {
      // Row r's logits are about token r + 1.
      let row = logits[golden.prompt.count + step - 1]
      let normaliser = nk_log_sum_exp(row.baseAddress, Int64(row.count))
      for pair in golden.top[step] {
        differences.append(abs(Double(row[Int(pair[0])]) - normaliser - pair[1]))
      }
      if golden.margins[step] > 1 {
        let best = nk_argmax(row.baseAddress, Int64(row.count))
        #expect(best == Int64(golden.continuation[step]), "step \(step)")
      }
    }
    let mean = differences.reduce(0, +) / Double(differences.count)
    #expect(mean < 0.1)
    #expect((differences.max() ?? .infinity) < 0.6)
  }
}
