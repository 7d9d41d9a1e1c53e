import Foundation
import ModelFiles
import Testing

@testable import LanguageModels

@Suite("Loading")
struct LoadingTests {
  @Test(
    "a GGUF file gives the logits of the safetensors that it was made from",
    arguments: TinyModel.allCases.filter { $0 != .gemma3 })
  func twins(_ tiny: TinyModel) throws {
    try expectEqualLogits(GGUFTwin(tiny).load(), tiny.load(), tiny.tokens())
  }

  /// Gemma's GGUF files do not state the score scale, which the tiny model sets to an odd value.
  @Test("a Gemma GGUF file does too, given its usual score scale")
  func gemmaTwin() throws {
    let json = try String(contentsOfFile: TinyModel.gemma3.folder + "/config.json", encoding: .utf8)
      .replacing("\"query_pre_attn_scalar\": 24", with: "\"query_pre_attn_scalar\": 16")
    let original = try TransformerModel(
      file: SafetensorsFile(path: TinyModel.gemma3.folder),
      fields: ConfigurationFields(json: Data(json.utf8), file: "config.json"),
      pool: ComputePool(threads: 2))
    try expectEqualLogits(GGUFTwin(.gemma3).load(), original, TinyModel.gemma3.tokens())
  }

  /// Equal up to the order of sums: interleaved heads add in another order.
  private func expectEqualLogits(
    _ a: TransformerModel, _ b: TransformerModel, _ tokens: [Int32]
  ) throws {
    let (cacheA, cacheB) = (try a.makeCache(capacity: 64), try b.makeCache(capacity: 64))
    let left = try a.forward(chain: tokens, cache: cacheA).logits.values
    let right = try b.forward(chain: tokens, cache: cacheB).logits.values
    #expect(left.count == right.count)
    #expect(zip(left, right).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test("progress rises to 1, and the facts about weights are right")
  func facts() throws {
    var seen: [Double] = []
    let model = try TransformerModel(
      folder: TinyModel.qwen3.folder, pool: ComputePool(threads: 1)
    ) { seen.append($0) }
    #expect(seen == seen.sorted())
    #expect(abs((seen.last ?? 0) - 1) < 1e-9)
    let tensors = try SafetensorsFile(path: TinyModel.qwen3.folder).tensors.values
    let elements = tensors.map { $0.shape.reduce(1, *) }.reduce(0, +)
    #expect(model.parameterCount == elements)
    // bf16 matrices without the embedding, and a few norms as floats.
    let matrices = 2 * (elements - 96 * 32)
    #expect(model.weightBytesPerPass >= matrices)
    #expect(model.weightBytesPerPass < matrices + 4096)
    #expect(model.kvBytesPerToken == 2 * 2 * 2 * 2 * 16)
  }

  @Test("every tensor that is missing is named")
  func missingTensors() throws {
    let twin = try GGUFTwin(.gemma3)
    for name in twin.tensors.keys {
      var broken = twin
      broken.tensors[name] = nil
      #expect("\(name)") {
        _ = try broken.load()
      } throws: { error in
        guard case .missingTensor("memory", name, _)? = error as? LanguageModelError else {
          // The embedding is asked for together with the configuration.
          return name == "token_embd.weight" && "\(error)".contains("twin.gguf")
        }
        return "\(error)".contains(name)
      }
    }
  }

  @Test("every tensor of another shape is named, with both shapes")
  func wrongShapes() throws {
    let twin = try GGUFTwin(.qwen2)
    for (name, tensor) in twin.tensors where name != "token_embd.weight" {
      var broken = twin
      broken.tensors[name]?.info.shape = tensor.info.shape.dropLast() + [7]
      #expect(
        throws: LanguageModelError.tensorShape(
          file: "memory", tensor: name, expected: tensor.info.shape,
          found: tensor.info.shape.dropLast() + [7])
      ) { try broken.load() }
    }
  }

  @Test("a bias that the architecture does not read is refused by name")
  func unreadBias() throws {
    var twin = try GGUFTwin(.llama)
    let name = "blk.0.attn_output.bias"
    twin.tensors[name] = twin.tensors["blk.0.attn_norm.weight"]
    twin.tensors[name]?.info.name = name
    #expect {
      _ = try twin.load()
    } throws: { "\($0)".contains(name) && "\($0)".contains("no bias") }
  }

  @Test("a kind whose blocks do not fit the columns is refused")
  func wrongKind() throws {
    var twin = try GGUFTwin(.qwen2)
    twin.tensors["blk.0.attn_q.weight"]?.info.type = .q4K
    #expect {
      _ = try twin.load()
    } throws: { "\($0)".contains("blk.0.attn_q.weight") && "\($0)".contains("256") }
  }

  @Test(
    "a bad metadata field is refused by name",
    arguments: [
      ("general.architecture", GGUFValue.string("mamba"), "supported"),
      ("general.architecture", .int(3), "a string"),
      ("llama.block_count", .int(0), "1 to 1024"),
      ("llama.block_count", .int(1 << 40), "1 to 1024"),
      ("llama.block_count", .string("2"), "an integer"),
      ("llama.embedding_length", .int(-32), "32 to"),
      ("llama.embedding_length", .int(48), "multiple of 32"),
      ("llama.feed_forward_length", .int(.max), "32 to"),
      ("llama.attention.head_count", .int(0), "1 to"),
      ("llama.attention.head_count_kv", .int(3), "a divisor"),
      ("llama.attention.key_length", .int(24), "multiple of 16"),
      ("llama.attention.value_length", .int(32), "16, the head size"),
      ("llama.rope.dimension_count", .int(8), "16, the head size"),
      ("llama.attention.layer_norm_rms_epsilon", .float(.nan), "positive"),
      ("llama.attention.layer_norm_rms_epsilon", .float(2), "below 1"),
      ("llama.rope.freq_base", .float(-1), "positive"),
      ("llama.rope.scaling.type", .string("longrope"), "'none' or 'linear' or 'yarn'"),
      ("llama.rope.scaling.alpha", .float(1000), "not supported"),
      ("llama.rope.scaling.yarn_log_multiplier", .float(0.1), "not supported"),
      ("llama.rope.scaling.yarn_ext_factor", .float(0.5), "expected 1"),
      ("llama.attention.causal", .bool(false), "expected true"),
      ("llama.logit_scale", .float(8), "not supported"),
      ("llama.vocab_size", .int(95), "96"),
      ("llama.context_length", .float(2.5), "an integer"),
      ("llama.expert_count", .int(8), "not supported"),
      ("llama.attention.sliding_window", .int(-1), "0 to"),
    ])
  func badMetadata(field: String, value: GGUFValue, expected: String) throws {
    var twin = try GGUFTwin(.llama)
    twin.metadata[field] = value
    #expect("\(field)") {
      _ = try twin.load()
    } throws: { error in
      let message = "\(error)"
      return message.contains("twin.gguf") && message.contains(field)
        && message.contains(expected)
    }
  }

  @Test("a required metadata field that is missing is named")
  func missingMetadata() throws {
    let twin = try GGUFTwin(.llama)
    for field in [
      "general.architecture", "llama.block_count", "llama.embedding_length",
      "llama.feed_forward_length", "llama.attention.head_count", "llama.context_length",
    ] {
      var broken = twin
      broken.metadata[field] = nil
      #expect("\(field)") { _ = try broken.load() } throws: { "\($0)".contains(field) }
    }
  }

  @Test(
    "a config.json that is no configuration gives one clear error",
    arguments: [
      "", "[]", "{", "null", "{}", #"{"model_type": "gpt2"}"#, #"{"model_type": 3}"#,
      #"{"model_type": "llama", "num_hidden_layers": 1e300}"#,
      String(repeating: "[", count: 100_000),
    ])
  func badJSON(_ json: String) throws {
    #expect {
      _ = try TransformerModel(
        file: SafetensorsFile(path: TinyModel.llama.folder),
        fields: ConfigurationFields(json: Data(json.utf8), file: "config.json"),
        pool: ComputePool(threads: 1))
    } throws: { $0 is LanguageModelError && "\($0)".hasPrefix("config.json: ") }
  }

  @Test(
    "a config.json's unsupported feature is refused by name",
    arguments: [
      ("\"attention_bias\": false", "\"attention_bias\": true", "attention_bias"),
      ("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"", "hidden_act"),
      ("\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"", "rope_type"),
      ("\"rope_type\": \"default\"", "\"factor\": 4.0", "rope_parameters.rope_type"),
      (
        "\"rope_type\": \"default\"",
        "\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5",
        "rope_parameters.partial_rotary_factor"
      ),
      (
        "\"rope_type\": \"default\"", "\"full_attention\": {\"rope_theta\": 500}",
        "rope_parameters.full_attention.rope_theta"
      ),
      (
        "\"attention_bias\": false",
        "\"attention_bias\": false, \"partial_rotary_factor\": 0.5", "partial_rotary_factor"
      ),
      ("\"head_dim\": 16", "\"head_dim\": 8", "head_dim"),
      ("\"vocab_size\": 96", "\"vocab_size\": 97", "vocab_size"),
    ])
  func unsupported(old: String, new: String, field: String) throws {
    let json = try String(contentsOfFile: TinyModel.llama.folder + "/config.json", encoding: .utf8)
    #expect(json.contains(old))
    #expect("\(field)") {
      _ = try TransformerModel(
        file: SafetensorsFile(path: TinyModel.llama.folder),
        fields: ConfigurationFields(
          json: Data(json.replacing(old, with: new).utf8), file: "config.json"),
        pool: ComputePool(threads: 1))
    } throws: { "\($0)".contains(field) }
  }

  @Test("a folder without config.json, and thread counts that cannot be, are refused")
  func missing() {
    #expect { _ = try ConfigurationFields(folder: "/nonexistent") } throws: {
      "\($0)".contains("config.json")
    }
    for threads in [0, -1, 100_000] {
      #expect(throws: LanguageModelError.threadsUnavailable(requested: threads)) {
        try ComputePool(threads: threads)
      }
    }
  }
}
