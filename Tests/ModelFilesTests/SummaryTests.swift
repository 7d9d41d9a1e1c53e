import Foundation
import Testing

@testable import ModelFiles

@Suite struct SummaryTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let keys: [(String, GGUFWriter.Value)] = [
    ("general.architecture", .text("llama")),
    ("llama.block_count", .uint32(2)),
    ("llama.embedding_length", .uint32(64)),
    ("llama.attention.head_count", .uint32(4)),
    ("llama.attention.head_count_kv", .array(5, [.int32(1), .int32(2)])),
    ("llama.context_length", .uint32(128)),
    ("tokenizer.ggml.model", .text("gpt2")),
    ("tokenizer.ggml.pre", .text("smollm")),
    ("tokenizer.ggml.tokens", .array(8, [.text("a"), .text("</s>")])),
    ("tokenizer.ggml.eos_token_id", .uint32(1)),
    ("tokenizer.ggml.bos_token_id", .uint32(9)),
    ("tokenizer.chat_template", .text("{{ messages }}")),
  ]

  private func summary(of writer: GGUFWriter) throws -> ModelSummary {
    try ModelSummary(of: .gguf(path: folder.write(writer.bytes(), as: "model.gguf")))
  }

  @Test("A GGUF file's sizes, tensors, tokenizer and memory are told")
  func gguf() throws {
    var writer = GGUFWriter.sample
    writer.keys = Self.keys
    let summary = try summary(of: writer)
    #expect(summary.format == "GGUF 3")
    #expect(summary.architecture == "llama")
    #expect(summary.layers == 2)
    #expect(summary.hiddenSize == 64)
    #expect(summary.heads == 4)
    #expect(summary.keyValueHeads == 2)
    #expect(summary.keySize == 16)
    #expect(summary.contextLength == 128)
    #expect(summary.vocabularySize == 2)
    #expect(summary.chatTemplate == "{{ messages }}")
    // Keys and values of 2 layers, 2 heads, 16 numbers of 2 bytes.
    #expect(summary.cacheBytesPerThousandTokens == 2 * 2 * 2 * 16 * 2 * 1000)
    #expect(summary.weightBytes == writer.tensors.reduce(0) { $0 + $1.data.count })
    #expect(summary.parameters == TensorType.weights.reduce(0) { $0 + 6 * $1.blockElements })
    #expect(summary.tensorKinds.count == TensorType.weights.count)
    #expect(summary.tensorKinds.first?.type == "Q6_K")
    let tokenizer = try #require(summary.tokenizer)
    #expect(tokenizer.kind == "byte-level BPE")
    #expect(tokenizer.preTokenizer == "smollm")
    #expect(
      tokenizer.specialTokens == [
        .init(role: "bos", id: 9, text: nil), .init(role: "eos", id: 1, text: "</s>"),
      ])
  }

  @Test("A GGUF file without sizes is described as far as it goes; one of another kind refused")
  func poorGGUF() throws {
    var writer = GGUFWriter()
    writer.keys = [("general.architecture", .text("new"))]
    let summary = try summary(of: writer)
    #expect(summary.layers == nil && summary.cacheBytesPerThousandTokens == nil)
    #expect(summary.tokenizer == nil && summary.parameters == 0)
    writer.keys.append(("new.block_count", .text("many")))
    let error = try modelFileError { _ = try self.summary(of: writer) }
    #expect("\(error)".contains("'new.block_count': expected an integer"), "\(error)")
    writer.keys = []
    #expect(throws: ModelFileError.self) { try self.summary(of: writer) }
  }

  private func writeFolder(configuration: String) throws {
    _ = try folder.write(SafetensorsTests.sample, as: "model.safetensors")
    _ = try folder.write(configuration, as: "config.json")
  }

  @Test("A Hugging Face folder's sizes, tensors, tokenizer and memory are told")
  func huggingFace() throws {
    try writeFolder(
      configuration: """
        {"model_type": "qwen2", "num_hidden_layers": 3, "hidden_size": 32,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 99,
         "max_position_embeddings": 512, "intermediate_size": 48, "rope_scaling": null}
        """)
    let poor = try ModelSummary(of: .huggingFace(folder: folder.path))
    #expect(poor.tokenizer == nil && poor.chatTemplate == nil)
    _ = try folder.write(
      """
      {"added_tokens": [{"id": 2, "content": "<s>", "special": true},
                        {"id": 3, "content": "x", "special": false}],
       "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
      """, as: "tokenizer.json")
    _ = try folder.write(
      #"{"chat_template": [{"name": "default", "template": "{{ x }}"}]}"#,
      as: "tokenizer_config.json")
    let summary = try ModelSummary(of: .huggingFace(folder: folder.path))
    #expect(summary.architecture == "qwen2")
    #expect(summary.layers == 3)
    #expect(summary.keySize == 8)
    #expect(summary.vocabularySize == 99)
    #expect(summary.weightBytes == 20)
    #expect(summary.cacheBytesPerThousandTokens == 3 * 2 * (8 + 8) * 2 * 1000)
    #expect(summary.tokenizer?.kind == "BPE")
    #expect(summary.tokenizer?.size == 2)
    #expect(summary.tokenizer?.specialTokens == [.init(role: "special", id: 2, text: "<s>")])
    #expect(summary.chatTemplate == "{{ x }}")
  }

  @Test(
    "Absurd sizes of a Hugging Face folder end in a description or an error",
    arguments: [
      #"{"num_hidden_layers": 9223372036854775807, "num_attention_heads": 3, "head_dim": 9}"#,
      #"{"num_hidden_layers": -9223372036854775808, "num_attention_heads": -1, "head_dim": -9223372036854775808}"#,
      #"{"hidden_size": -9223372036854775808, "num_attention_heads": -1}"#,
      #"{"hidden_size": 5, "num_attention_heads": 0}"#,
    ])
  func absurd(configuration: String) throws {
    try writeFolder(configuration: configuration)
    #expect(try ModelSummary(of: .huggingFace(folder: folder.path)).architecture == "unknown")
  }

  @Test("A folder without a configuration, or with a broken one, is refused")
  func broken() throws {
    try writeFolder(configuration: #"{"hidden_size": "large"}"#)
    let error = try modelFileError {
      _ = try ModelSummary(of: .huggingFace(folder: folder.path))
    }
    #expect("\(error)".contains("config.json"), "\(error)")
    try FileManager.default.removeItem(atPath: "\(folder.path)/config.json")
    #expect(throws: ModelFileError.self) {
      try ModelSummary(of: .huggingFace(folder: folder.path))
    }
  }
}
