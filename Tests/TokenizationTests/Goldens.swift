import Foundation
import ModelFiles
import Nunchi
import Testing

@testable import Tokenization

/// What `Scripts/make_tokenizer_goldens.py` wrote.
enum Goldens {
  struct Entry: Decodable {
    var text: String?
    var hex: String?

    var bytes: [UInt8] {
      if let text { return Array(text.utf8) }
      let digits = Array(hex ?? "")
      return stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(digits[$0...($0 + 1)]), radix: 16)
      }
    }
  }

  static func data(_ name: String) throws -> Data {
    let url = Bundle.module.url(forResource: "Goldens/\(name)", withExtension: nil)
    return try Data(contentsOf: #require(url, "no golden file \(name)"))
  }

  static func decode<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: data(name))
  }

  static func texts() throws -> [Entry] { try decode("texts.json", as: [Entry].self) }

  /// A real model that the tests can use: its golden name and its file in the cache.
  struct Model: Sendable, CustomTestStringConvertible {
    var name: String
    var file: String
    var testDescription: String { name }
    var path: String { "\(ModelCache.standard().models)/\(file)" }
    var isCached: Bool { FileManager.default.fileExists(atPath: path) }

    func tokenizer() throws -> Tokenizer { try Tokenizer(GGUFFile(path: path)) }
  }

  static let smollm = Model(name: "smollm2", file: "SmolLM2-135M-Instruct.Q4_1.gguf")
  static let gemma = Model(name: "gemma3", file: "gemma-3-270m-q4_k_m.gguf")
  static let qwen = Model(name: "qwen2.5", file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
  static let largerQwen = Model(
    name: "qwen2.5", file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")
  static let cached = [smollm, gemma, qwen, largerQwen].filter(\.isCached)
  static let tiny = ["gpt2", "llama3", "llama2", "metaspace", "gemma"]

  static func tinyTokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: data("tiny-\(name).json"), tokenizerConfig: nil)
  }
}
