import Foundation
import ModelFiles

@testable import LanguageModels

/// The tensors and metadata that llama.cpp's converter would make of a tiny model.
struct GGUFTwin {
  var tensors: [String: (info: TensorInfo, bytes: [UInt8])] = [:]
  var metadata: [String: GGUFValue] = [:]

  private static let names = [
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
  ]

  init(_ tiny: TinyModel) throws {
    let fields = try ConfigurationFields(folder: tiny.folder)
    let file = try SafetensorsFile(path: tiny.folder)
    let configuration = try ModelConfiguration(fields: fields, file: file)
    let architecture =
      tiny == .gemma3
      ? "gemma3"
      : tiny == .mistral
        ? "llama"
        : configuration.architecture
    let isGemma = architecture == "gemma3"

    for (name, (info, bytes)) in try MemoryTensorFile.contents(of: file) {
      var (info, bytes) = (info, bytes)
      let parts = name.split(separator: ".")
      let suffix = String(parts[parts.count - 1])
      var stem = name.dropLast(suffix.count + 1)
      var layer = ""
      if parts.count > 3, parts[1] == "layers" {
        layer = "blk.\(parts[2])."
        stem = parts[3..<parts.count - 1].joined(separator: ".")[...]
      }
      let twin =
        stem == "post_attention_layernorm"
        ? (isGemma ? "post_attention_norm" : "ffn_norm") : Self.names[String(stem)] ?? ""
      if architecture == "llama", twin == "attn_q" || twin == "attn_k" {
        bytes = Self.interleaved(
          bytes, headDim: configuration.headDim, rowBytes: bytes.count / info.shape[0])
      }
      if isGemma, name.hasSuffix("norm.weight") {
        bytes = Self.bfloats(bytes).flatMap { Self.bytes(of: $0 + 1) }
        info.type = .f32
      }
      info.name = layer + twin + "." + suffix
      tensors[info.name] = (info, bytes)
    }

    metadata["general.architecture"] = .string(architecture)
    func set(_ name: String, _ value: GGUFValue) { metadata["\(architecture).\(name)"] = value }
    set("block_count", .int(configuration.layerCount))
    set("embedding_length", .int(configuration.hiddenSize))
    set("feed_forward_length", .int(configuration.intermediateSize))
    set("attention.head_count", .int(configuration.headCount))
    set("attention.head_count_kv", .int(configuration.kvHeadCount))
    set("attention.key_length", .int(configuration.headDim))
    set("attention.value_length", .int(configuration.headDim))
    set("context_length", .int(configuration.contextLength))
    set("attention.layer_norm_rms_epsilon", .float(Double(configuration.normEpsilon)))
    let rotary = configuration.rotaries[0]
    set("rope.freq_base", .float(rotary.theta))
    switch rotary.scaling {
    case .none: break
    case .linear(let factor):
      set("rope.scaling.type", .string("linear"))
      set("rope.scaling.factor", .float(factor))
    case .llama3:
      let plain = RotaryConfiguration(theta: rotary.theta)
      let divisors = zip(
        plain.frequencies(headDim: configuration.headDim),
        rotary.frequencies(headDim: configuration.headDim)
      ).map { Float($0 / $1) }
      let info = TensorInfo(name: "rope_freqs.weight", type: .f32, shape: [divisors.count])
      tensors[info.name] = (info, divisors.flatMap(Self.bytes))
    case .yarn(let yarn):
      set("rope.scaling.type", .string("yarn"))
      set("rope.scaling.factor", .float(yarn.factor))
      set("rope.scaling.original_context_length", .float(yarn.originalContext))
    }
    if configuration.layers[0].window > 0 {
      set("attention.sliding_window", .int(configuration.layers[0].window))
    }
  }

  func load() throws -> TransformerModel {
    try TransformerModel(
      file: MemoryTensorFile(tensors),
      fields: ConfigurationFields(metadata: metadata, file: "twin.gguf"),
      pool: ComputePool(threads: 2))
  }

  /// Rows of each head in the order 0, d/2, 1, d/2 + 1, …
  private static func interleaved(_ bytes: [UInt8], headDim: Int, rowBytes: Int) -> [UInt8] {
    let rows = bytes.count / rowBytes
    return (0..<rows).flatMap { row -> ArraySlice<UInt8> in
      let (head, lane) = (row / headDim, row % headDim)
      let source = head * headDim + lane / 2 + (lane % 2) * headDim / 2
      return bytes[source * rowBytes..<(source + 1) * rowBytes]
    }
  }

  private static func bfloats(_ bytes: [UInt8]) -> [Float] {
    stride(from: 0, to: bytes.count, by: 2).map {
      Float(bitPattern: UInt32(bytes[$0]) << 16 | UInt32(bytes[$0 + 1]) << 24)
    }
  }

  private static func bytes(of value: Float) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
  }
}
