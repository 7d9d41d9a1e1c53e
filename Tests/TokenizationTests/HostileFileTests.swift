import Foundation
import Testing

@testable import Tokenization

struct HostileFileTests {
  /// A valid file; each case changes one thing of it.
  static let small = """
    {"added_tokens":[{"id":5,"content":"<e>","special":true}],"normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
    "post_processor":null,"decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","unk_token":null,"vocab":{"a":0,"b":1,"ab":2,"c":3,"abc":4},
    "merges":["a b",["ab","c"]]}}
    """

  static func tokenizer(_ json: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: Data(json.utf8), tokenizerConfig: nil)
  }

  @Test("The small file works, and leaves out bytes it has no token for")
  func smallFile() throws {
    let tokenizer = try Self.tokenizer(Self.small)
    #expect(tokenizer.encode("abcab<e>xb") == [4, 2, 5, 1])
    #expect(tokenizer.vocabularySize == 6 && tokenizer.decode([4, 5, 2]) == "abcab")
  }

  static let changes: [(old: String, new: String, field: String)] = [
    ("\"BPE\"", "\"Unigram\"", "tokenizer.json.model.type"),
    ("\"BPE\"", "7", "tokenizer.json.model.type"),
    ("\"vocab\":{", "\"vocab\":[],\"other\":{", "tokenizer.json.model.vocab"),
    ("\"b\":1", "\"b\":0", "tokenizer.json.model.vocab[\"b\"]"),
    ("\"b\":1", "\"b\":-1", "tokenizer.json.model.vocab[\"b\"]"),
    ("\"b\":1", "\"b\":4000000000", "tokenizer.json.model.vocab[\"b\"]"),
    ("\"b\":1", "\"b\":1.5", "tokenizer.json.model.vocab[\"b\"]"),
    ("\"b\":1", "\"a\":1", "tokenizer.json.model.vocab[\"a\"]"),
    ("\"id\":5", "\"id\":2", "tokenizer.json.added_tokens[0].id"),
    ("\"id\":5", "\"id\":99999999999", "tokenizer.json.added_tokens[0].id"),
    ("\"content\":\"<e>\"", "\"content\":\"\"", "tokenizer.json.added_tokens[0].content"),
    ("\"special\":true", "\"special\":1", "tokenizer.json.added_tokens[0].special"),
    ("\"special\":true", "\"single_word\":true", "tokenizer.json.added_tokens[0].single_word"),
    ("\"a b\"", "\"ab\"", "tokenizer.json.model.merges[0]"),
    ("\"a b\"", "\"a x\"", "merges[0]"),
    ("\"a b\"", "\"b a\"", "merges[0]"),
    ("[\"ab\",\"c\"]", "[\"ab\"]", "tokenizer.json.model.merges[1]"),
    ("[\"ab\",\"c\"]", "3", "tokenizer.json.model.merges[1]"),
    ("\"merges\"", "\"merge\"", "tokenizer.json.model.merges"),
    ("\"unk_token\":null", "\"unk_token\":\"?\"", "tokenizer.json.model.unk_token"),
    ("\"unk_token\":null", "\"dropout\":0.1", "tokenizer.json.model.dropout"),
    (
      "\"add_prefix_space\":false", "\"add_prefix_space\":true",
      "tokenizer.json.pre_tokenizer.add_prefix_space"
    ),
    ("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}", "tokenizer.json.normalizer.type"),
    (
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
      "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x+\"}},{\"type\":\"ByteLevel\"}]}",
      "tokenizer.json.pre_tokenizer.pretokenizers[0].pattern.Regex"
    ),
    (
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}", "null",
      "tokenizer.json.normalizer"
    ),
    (
      "\"post_processor\":null", "\"post_processor\":{\"type\":\"BertProcessing\"}",
      "tokenizer.json.post_processor.type"
    ),
  ]

  @Test("Each fault gives one error that names its field", arguments: changes.indices)
  func faults(index: Int) throws {
    let (old, new, field) = Self.changes[index]
    let json = Self.small.replacingOccurrences(of: old, with: new)
    #expect(json != Self.small)
    let error = #expect(throws: TokenizationError.self) { try Self.tokenizer(json) }
    guard case .invalid(let found, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found == field)
  }

  @Test(
    "What is not JSON is refused with its place",
    arguments: [
      "", "{", "[1,]", "{\"a\":}", "nul", "\"\\q\"", "\"\\ud800x\"", "1 2", "{\"a\" 1}",
      "\"open", "-", "\u{FEFF}{}", String(repeating: "[", count: 100_000),
    ])
  func notJSON(text: String) {
    let error = #expect(throws: TokenizationError.self) { try Self.tokenizer(text) }
    guard case .malformedJSON? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("Thousands of mutated files load or fail with a TokenizationError, and what loads works")
  func mutations() throws {
    var generator = SplitMix(state: 11)
    let seeds =
      try [Array(Self.small.utf8)]
      + ["llama3", "llama2", "metaspace"].map {
        Array(try Goldens.data("tiny-\($0).json"))
      }
    var (loaded, refused) = (0, 0)
    for round in 0..<2_400 {
      var bytes = seeds[round % 8 < 5 ? 0 : round % 3 + 1]
      for _ in 0..<Int.random(in: 1...5, using: &generator) { bytes.mutate(using: &generator) }
      do {
        let tokenizer = try Tokenizer(tokenizerJSON: Data(bytes), tokenizerConfig: Data(bytes))
        let ids = tokenizer.encode("abcab <e> the 한글 123")
        #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
        _ = tokenizer.decode(ids, skipSpecial: false)
        loaded += 1
      } catch is TokenizationError {
        refused += 1
      }
    }
    #expect(loaded > 50 && refused > 500)
  }

  struct Metadata: TokenizerMetadata {
    var values: [String: any Sendable] = [:]
    func string(_ key: String) -> String? { values[key] as? String }
    func strings(_ key: String) -> ByteStrings? {
      (values[key] as? [String]).map { ByteStrings($0) }
    }
    func int(_ key: String) -> Int? { values[key] as? Int }
    func ints(_ key: String) -> [Int]? { values[key] as? [Int] }
    func floats(_ key: String) -> [Float]? { values[key] as? [Float] }
    func bool(_ key: String) -> Bool? { values[key] as? Bool }
  }

  static let metadata = Metadata(values: [
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "▁", "a", "▁a"],
    "tokenizer.ggml.scores": [0, 0, 0, -2, -3, -1] as [Float],
    "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1],
  ])

  @Test("SentencePiece metadata with few keys use llama.cpp's defaults")
  func defaults() throws {
    let tokenizer = try Tokenizer(TokenizerDescription(metadata: Self.metadata))
    #expect(tokenizer.encode("a a") == [1, 5, 5] && tokenizer.encode("aß") == [1, 5, 0])
    #expect(tokenizer.decode([1, 5, 5]) == "a a" && tokenizer.endOfGeneration == [2])
  }

  @Test(
    "Metadata that do not fit are refused by key",
    arguments: [
      ("model", "bert" as any Sendable), ("tokens", [String]()), ("scores", [Float]([1])),
      ("scores", [Float](repeating: .nan, count: 6)), ("token_type", [1]),
      ("token_type", [2, 3, 3, 1, 1, 9]),
    ])
  func badMetadata(key: String, value: any Sendable) throws {
    var metadata = Self.metadata
    metadata.values["tokenizer.ggml.\(key)"] = value
    let error = #expect(throws: TokenizationError.self) {
      try Tokenizer(TokenizerDescription(metadata: metadata))
    }
    #expect(
      error?.description.contains(key.hasPrefix("token_") || key != "tokens" ? key : "tokens")
        == true)
  }

  @Test("An unknown pre-tokenizer is named, with those that are known")
  func unknownPreTokenizer() {
    let metadata = Metadata(values: [
      "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "tekken",
      "tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.merges": [String](),
    ])
    let error = #expect(throws: TokenizationError.self) {
      try TokenizerDescription(metadata: metadata)
    }
    #expect(error?.description.contains("tekken") == true)
    #expect(error?.description.contains("llama-bpe") == true)
  }
}

extension [UInt8] {
  /// Changes, removes, doubles or inserts a few bytes somewhere.
  mutating func mutate(using generator: inout SplitMix) {
    guard !isEmpty else { return }
    let start = Int.random(in: 0..<count, using: &generator)
    let end = Swift.min(start + Int.random(in: 1...8, using: &generator), count)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: self[start] = UInt8.random(in: 0...255, using: &generator)
    case 1: removeSubrange(start..<end)
    case 2: insert(contentsOf: self[start..<end], at: start)
    case 3:
      self[start] = Array("0123456789\"{}[],:-eE.\\%|()".utf8).randomElement(using: &generator) ?? 0
    default: removeSubrange(start...)
    }
  }
}
