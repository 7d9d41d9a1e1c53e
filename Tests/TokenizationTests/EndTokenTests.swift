import Foundation
import Testing

@testable import Tokenization

@Suite("What ends a text")
struct EndTokenTests {
  private typealias Metadata = HostileFileTests.Metadata

  /// A GGUF file of byte-level BPE.
  private static func gguf(
    _ pieces: [String], types: [Int]? = nil, _ more: [String: any Sendable] = [:]
  ) throws -> Tokenizer {
    var values: [String: any Sendable] = [
      "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.merges": [String](),
    ]
    values["tokenizer.ggml.token_type"] = types
    return try Tokenizer(
      TokenizerDescription(metadata: Metadata(values: values.merging(more) { $1 })))
  }

  @Test(
    "is every token that llama.cpp stops at, of whatever type",
    arguments: [
      "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
      "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
      "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
      "<｜end▁of▁sentence｜>", "[e~[", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
      "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
    ])
  func names(name: String) throws {
    for type in [0, 1, 3, 4, 5] {
      let tokenizer = try Self.gguf(["a", name, "b"], types: [1, type, 1])
      #expect(tokenizer.endOfGeneration == [1])
      // It is a control token then: found in text, and not shown.
      #expect(tokenizer.encode("a\(name)b") == [0, 1, 2])
      #expect(tokenizer.decode([0, 1, 2]) == "ab")
    }
    #expect(try Self.gguf(["a", name]).endOfGeneration == [1])
  }

  @Test("is </s> only as a control token: elsewhere it is a tag of HTML")
  func tag() throws {
    #expect(try Self.gguf(["a", "</s>"], types: [1, 3]).endOfGeneration == [1])
    #expect(try Self.gguf(["a", "</s>"], types: [1, 4]).endOfGeneration.isEmpty)
    #expect(try Self.gguf(["a", "<s>", "<|im_start|>"], types: [1, 3, 3]).endOfGeneration.isEmpty)
  }

  @Test("is not <|end|> where messages have parts, unless the file says so")
  func parts() throws {
    let harmony = ["<|end|>", "<|return|>", "<|call|>"]
    #expect(try Self.gguf(harmony).endOfGeneration == [1, 2])
    #expect(
      try Self.gguf(harmony, ["tokenizer.ggml.eos_token_id": 0]).endOfGeneration == [0, 1, 2])
    #expect(try Self.gguf(["<|end|>", "<|flush|>", "<|calls|>"]).endOfGeneration == [1, 2])
    #expect(try Self.gguf(["<|end|>", "<|return|>"]).endOfGeneration == [0, 1])
  }

  @Test(
    "is what any key of a GGUF file names",
    arguments: ["eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"])
  func keys(key: String) throws {
    let tokenizer = try Self.gguf(["a", "b"], ["tokenizer.ggml.\(key)_token_id": 1])
    #expect(tokenizer.endOfGeneration == [1])
  }

  private static let json = """
    {"added_tokens":[{"id":3,"content":"<stop>","special":true},
    {"id":4,"content":"<|im_end|>","special":false},{"id":5,"content":"<bye>","special":true}],
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2},"merges":[]}}
    """

  private static func folder(
    config: String? = nil, map: String? = nil, ends: [String: String] = [:]
  ) throws -> TokenizerDescription {
    var description = try TokenizerDescription(
      tokenizerJSON: Data(json.utf8), tokenizerConfig: config.map { Data($0.utf8) },
      specialTokensMap: map.map { Data($0.utf8) })
    for (name, text) in ends {
      try description.addEnds(ofConfiguration: Data(text.utf8), named: name)
    }
    return description
  }

  @Test("is the union of all that a Hugging Face folder says")
  func union() throws {
    let nothing = try Tokenizer(Self.folder())
    #expect(nothing.endOfGeneration == [4] && nothing.eosToken == nil)
    let all = try Tokenizer(
      Self.folder(
        config: #"{"eos_token": "<bye>"}"#, map: #"{"eos_token": {"content": "<stop>"}}"#,
        ends: [
          "config.json": #"{"eos_token_id": 0}"#,
          "generation_config.json": #"{"eos_token_id": [1, 300]}"#,
        ]))
    // 300 has no piece, but a model with more rows than pieces may write it.
    #expect(all.endOfGeneration == [0, 1, 3, 4, 5, 300])
    #expect(all.eosToken == 3 && all.warnings.isEmpty)
    // An ordinary piece that ends a text stays one.
    #expect(all.encode("ab") == [0, 1] && all.decode([0, 1]) == "ab")
  }

  @Test("names the role as transformers does: the map's, or tokenizer_config.json's if complete")
  func roles() throws {
    let map = #"{"eos_token": "<stop>", "pad_token": "a"}"#
    let legacy = try Self.folder(config: #"{"eos_token": "<bye>"}"#, map: map)
    #expect(legacy.eosToken == 3 && legacy.padToken == 0)
    let complete = try Self.folder(
      config: #"{"eos_token": "<bye>", "added_tokens_decoder": {}}"#, map: map)
    #expect(complete.eosToken == 5 && complete.padToken == nil)
    #expect(complete.endTokens == [3, 4, 5])
    #expect(try Self.folder(map: map).eosToken == 3)
  }

  @Test("that is no id is refused by name", arguments: [#""<stop>""#, "[0, 1.5]", "true", "{}"])
  func noIDs(value: String) throws {
    #expect {
      _ = try Self.folder(ends: ["config.json": "{\"eos_token_id\": \(value)}"])
    } throws: { "\($0)".contains("config.json.eos_token_id") && "\($0)".contains("an id") }
    for none in ["null", "[]"] {
      let ends = ["config.json": "{\"eos_token_id\": \(none)}"]
      #expect(try Self.folder(ends: ends).endTokens == [4])
    }
  }

  @Test("A token that no text needs may be missing: a warning, with what is known without it")
  func missing() throws {
    let folder = try Self.folder(
      config: #"{"pad_token": "[X]", "eos_token": "<y>"}"#,
      ends: ["config.json": #"{"eos_token_id": -1}"#])
    let tokenizer = try Tokenizer(folder)
    #expect(tokenizer.padToken == nil && tokenizer.endOfGeneration == [4])
    #expect(tokenizer.warnings.count == 3)
    for (warning, part) in zip(
      tokenizer.warnings,
      ["tokenizer_config.json.eos_token", "tokenizer_config.json.pad_token", "eos_token_id"])
    { #expect(warning.contains(part) && warning.contains("found")) }

    for key in ["padding", "eos", "eot", "unknown", "bos"] {
      var metadata = HostileFileTests.metadata
      for id in [6, -1] {
        metadata.values["tokenizer.ggml.\(key)_token_id"] = id
        let tokenizer = try Tokenizer(TokenizerDescription(metadata: metadata))
        #expect(tokenizer.encode("a a") == [1, 5, 5] && tokenizer.endOfGeneration == [2])
        #expect(
          tokenizer.warnings == [
            "tokenizer.ggml.\(key)_token_id: expected an id below 6, found \(id); it is not used"
          ])
      }
    }
  }

  @Test("A token that texts begin with must be there")
  func missingBeginning() {
    #expect {
      _ = try Self.gguf(
        ["a"], ["tokenizer.ggml.bos_token_id": 7, "tokenizer.ggml.add_bos_token": true])
    } throws: { "\($0)".contains("bos_token_id") }
  }

  @Test(
    "A GGUF file that says no pre-tokenizer has its architecture's, and a warning",
    arguments: [nil, "", "default"] as [String?])
  func preTokenizer(name: String?) throws {
    for (architecture, expected) in [
      ("qwen2", PreTokenizer.qwen2), ("qwen3", .qwen2), ("llama", .llama3), ("starcoder", .gpt2),
    ] {
      var values: [String: any Sendable] = [
        "tokenizer.ggml.model": "gpt2", "general.architecture": architecture,
        "tokenizer.ggml.tokens": ["a", "<|begin_of_text|>"], "tokenizer.ggml.merges": [String](),
        "tokenizer.ggml.token_type": [1, 3],
      ]
      values["tokenizer.ggml.pre"] = name
      let description = try TokenizerDescription(metadata: Metadata(values: values))
      #expect(description.kind == .byteLevelBPE(expected))
      #expect(description.normalizesNFC == (expected == .qwen2))
      #expect(description.warnings.count == 1)
      let warning = try #require(description.warnings.first)
      #expect(warning.contains("tokenizer.ggml.pre") && warning.contains(architecture))

      // Llama 3's texts begin with its token; others of the architecture do not say so.
      values["tokenizer.ggml.bos_token_id"] = 1
      let isLlama3 = architecture == "llama"
      #expect(
        try TokenizerDescription(metadata: Metadata(values: values)).prefix == (isLlama3 ? [1] : [])
      )
      values["tokenizer.ggml.tokens"] = ["a", "<s>"]
      #expect(try TokenizerDescription(metadata: Metadata(values: values)).prefix.isEmpty)
    }
    let said = try Self.gguf(["a"])
    #expect(said.warnings.isEmpty)
  }
}
