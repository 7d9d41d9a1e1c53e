import Foundation
import ModelFiles
import Tokenization

/// Loads the tokenizer of a model and nothing else of it.
/// - Parameter name: a name of the catalogue, `hf:OWNER/REPO` or `hf:OWNER/REPO/FILE`, the path of
///   a GGUF file, or of a Hugging Face folder.
/// - Throws: `ModelFileError` or `TokenizationError`.
public func loadTokenizer(named name: String) throws -> Tokenizer {
  switch try ModelLocation.resolve(name) {
  case .gguf(let path): try Tokenizer(GGUFFile(path: path))
  case .huggingFace(let folder): try Tokenizer(folder: folder)
  }
}

extension Tokenizer {
  /// The tokenizer that a GGUF file's metadata describe.
  /// - Throws: `ModelFileError` or `TokenizationError`.
  public convenience init(_ file: GGUFFile) throws {
    try self.init(TokenizerDescription(metadata: GGUFTokenizerMetadata(file: file)))
  }

  /// The tokenizer of a Hugging Face folder: `tokenizer.json` and, if they are there, what
  /// `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja` add to it, and
  /// the ends of texts in `config.json` and `generation_config.json`.
  /// - Throws: `ModelFileError.unreadable` or `TokenizationError`.
  public convenience init(folder: String) throws {
    do {
      try self.init(TokenizerDescription(folder: folder))
    } catch TokenizationError
      .malformedJSON(let offset, let expected, let found)
    {
      throw ModelFileError.malformed(
        path: TokenizerDescription.malformedFile(in: folder), field: "JSON, byte \(offset)",
        expected: expected, found: found)
    }
  }
}

extension TokenizerDescription {
  fileprivate init(folder: String) throws {
    func contents(_ name: String) -> Data? {
      FileManager.default.contents(atPath: "\(folder)/\(name)")
    }
    guard let json = contents("tokenizer.json") else {
      throw ModelFileError.unreadable(
        path: "\(folder)/tokenizer.json", reason: "no such file, or no right to read it")
    }
    try self.init(
      tokenizerJSON: json, tokenizerConfig: contents("tokenizer_config.json"),
      specialTokensMap: contents("special_tokens_map.json"))
    for name in ["config.json", "generation_config.json"] {
      if let json = contents(name) { try addEnds(ofConfiguration: json, named: name) }
    }
    if let template = contents("chat_template.jinja") {
      chatTemplate = String(decoding: template, as: UTF8.self)
    }
  }

  /// The first file of a folder whose text is not JSON: `Tokenization`, which finds out, knows no
  /// files.
  fileprivate static func malformedFile(in folder: String) -> String {
    let names = [
      "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json",
      "generation_config.json",
    ]
    let malformed = names.map { "\(folder)/\($0)" }.first { path in
      guard let data = FileManager.default.contents(atPath: path) else { return false }
      return (try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)) == nil
    }
    return malformed ?? folder
  }
}

/// A GGUF file's metadata as `Tokenization`, which knows no files, reads them.
private struct GGUFTokenizerMetadata: TokenizerMetadata {
  let file: GGUFFile

  func string(_ key: String) throws -> String? { try file.optionalString(key) }
  func int(_ key: String) throws -> Int? { try file.optionalInt(key) }
  func ints(_ key: String) throws -> [Int]? { try file.optionalInts(key) }
  func bool(_ key: String) throws -> Bool? { try file.optionalBool(key) }
  func floats(_ key: String) throws -> [Float]? {
    try file.optionalFloats(key)?.map { Float($0) }
  }
  func strings(_ key: String) throws -> ByteStrings? {
    guard let strings = try file.optionalByteStrings(key) else { return nil }
    var result = ByteStrings()
    for index in strings.indices { strings.withBytes(at: index) { result.append($0) } }
    return result
  }
}

extension Tokenizer {
  /// A checksum of all tokens' bytes: ids of one vocabulary mean nothing in another.
  public var vocabularyFingerprint: UInt64 {
    var checksum = Checksum64()
    for id in 0..<Int32(vocabularySize) {
      checksum.append(bytes(of: id))
      // 0xFF is in no UTF-8 text: it tells where a token ends.
      checksum.append(CollectionOfOne(0xFF))
    }
    return checksum.value
  }
}
