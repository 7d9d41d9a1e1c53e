import Foundation
import ModelFiles

/// What public servers demand of a drafter's folder, written down from their sources: which class
/// config.json leads to, and which tensors of which shapes that class takes.
struct PublicLoader {
  enum Server: String {
    /// vLLM 0.33.0 (Medusa: 0.25.0, the last looked at that has it), where `strict` stands for
    /// 0.11 to 0.22.
    case vllm, strictVLLM
    /// SGLang 0.5.23.
    case sglang
  }

  let server: Server
  private let configuration: [String: Any]
  private let shapes: [String: [Int]]

  init(_ server: Server, folder: String) throws {
    self.server = server
    let json = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/config.json"))
    configuration = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
    // Both read every .safetensors file of a folder without an index.
    shapes = try SafetensorsFile(path: folder).tensors.mapValues(\.shape)
  }

  private func number(_ field: String) -> Int { configuration[field] as? Int ?? 0 }
  private var hidden: Int { number("hidden_size") }
  private var vocabulary: Int { number("vocab_size") }

  private var architectures: [String] { configuration["architectures"] as? [String] ?? [] }

  /// What keeps the server from loading the folder as a drafter of a method; nothing when it loads.
  func problems(_ method: String) -> [String] {
    switch (server, method) {
    case (.vllm, "eagle"), (.strictVLLM, "eagle"): vLLMEagle
    case (.sglang, "eagle"): sglangEagle
    case (.vllm, "eagle3"), (.strictVLLM, "eagle3"): vLLMEagle3
    case (.sglang, "eagle3"): sglangEagle3
    case (.vllm, "medusa"), (.strictVLLM, "medusa"): vLLMMedusa
    default: ["\(server.rawValue) has no \(method)"]
    }
  }

  // MARK: - Classes

  /// vllm/transformers_utils/configs/eagle.py: `Eagle` is put before architectures that do not
  /// begin so; for eagle3 `Eagle3`, unless they end so. vllm/model_executor/models/registry.py: the
  /// first that is registered is taken, before and after.
  private func vLLMClass(_ method: String, _ registered: Set<String>) -> [String] {
    let renamed = architectures.map { name in
      method == "eagle"
        ? (name.hasPrefix("Eagle") ? name : "Eagle" + name)
        : (name.hasPrefix("Eagle3") || name.hasSuffix("Eagle3") ? name : "Eagle3" + name)
    }
    let known = registered.union(["LlamaForCausalLM"])
    if !architectures.contains(where: known.contains) {
      return ["architectures \(architectures) are not supported"]
    }
    return renamed.contains(where: registered.contains)
      ? [] : ["architectures \(renamed) are not supported"]
  }

  /// sglang/srt/models/registry.py: the first architecture that is the name of a class.
  private func sglangClass(_ name: String) -> [String] {
    architectures.first { ["LlamaForCausalLMEagle", "LlamaForCausalLMEagle3"].contains($0) } == name
      ? [] : ["architectures \(architectures) are not \(name)"]
  }

  // MARK: - Tensors

  /// The projections of Llama's layer, which both merge into `qkv_proj` and `gate_up_proj`; biases
  /// where `bias` or `attention_bias` asks for them (`LlamaDecoderLayer`).
  private func layer(_ prefix: String, input: Int) -> [String: [Int]] {
    let (heads, kvHeads) = (number("num_attention_heads"), number("num_key_value_heads"))
    let width = configuration["head_dim"] as? Int ?? hidden / max(1, heads)
    let inner = number("intermediate_size")
    var all = [
      "self_attn.q_proj.weight": [heads * width, input],
      "self_attn.k_proj.weight": [kvHeads * width, input],
      "self_attn.v_proj.weight": [kvHeads * width, input],
      "self_attn.o_proj.weight": [hidden, heads * width],
      "post_attention_layernorm.weight": [hidden],
      "mlp.gate_proj.weight": [inner, hidden], "mlp.up_proj.weight": [inner, hidden],
      "mlp.down_proj.weight": [hidden, inner],
    ]
    for flag in ["bias", "attention_bias"] where configuration[flag] as? Bool == true {
      all["self_attn.q_proj.bias"] = [heads * width]
      all["self_attn.k_proj.bias"] = [kvHeads * width]
      all["self_attn.v_proj.bias"] = [kvHeads * width]
    }
    return Dictionary(uniqueKeysWithValues: all.map { (prefix + $0, $1) })
  }

  /// - Parameter passedBy: whether a tensor that has no place is no error.
  private func compare(
    _ wanted: [String: [Int]], passedBy: (String) -> Bool
  ) -> [String] {
    wanted.sorted { $0.key < $1.key }.compactMap { name, shape in
      guard let found = shapes[name] else { return "\(name) is not initialized" }
      return found == shape ? nil : "\(name): expected \(shape), found \(found)"
    }
      + shapes.keys.sorted().filter { wanted[$0] == nil && !passedBy($0) }.map {
        "there is no parameter \($0)"
      }
  }

  /// vllm/model_executor/models/llama_eagle.py: `fc` without a bias; embedding and head are shared
  /// with the target. Since 0.25 `AutoWeightsLoader` (models/utils.py) passes an unexpected `.bias`
  /// by; before, the name is looked up, and an unknown one is a KeyError.
  private var vLLMEagle: [String] {
    var wanted = layer("layers.0.", input: hidden)
    wanted["fc.weight"] = [hidden, 2 * hidden]
    return vLLMClass("eagle", ["EagleLlamaForCausalLM"])
      + compare(wanted) { server == .vllm && $0.hasSuffix(".bias") }
  }

  /// sglang/srt/models/llama_eagle.py: `fc` is torch's Linear, with a bias that is random where the
  /// file has none; what has no place is passed by.
  private var sglangEagle: [String] {
    var wanted = layer("layers.0.", input: hidden)
    wanted["fc.weight"] = [hidden, 2 * hidden]
    wanted["fc.bias"] = [hidden]
    return sglangClass("LlamaForCausalLMEagle") + compare(wanted) { _ in true }
  }

  private var eagle3: [String: [Int]] {
    var wanted = layer("midlayer.", input: 2 * hidden)
    wanted["midlayer.input_layernorm.weight"] = [hidden]
    wanted["midlayer.hidden_norm.weight"] = [hidden]
    wanted["norm.weight"] = [hidden]
    wanted["fc.weight"] = [hidden, 3 * hidden]
    wanted["lm_head.weight"] = [number("draft_vocab_size"), hidden]
    return wanted
  }

  /// vllm/model_executor/models/llama_eagle3.py: `midlayer` is the first layer, `t2d` is passed by,
  /// and `d2t` has a place only where the head does not have all of the target's tokens.
  private var vLLMEagle3: [String] {
    var wanted = eagle3
    if number("draft_vocab_size") != vocabulary { wanted["d2t"] = [number("draft_vocab_size")] }
    return vLLMClass("eagle3", ["LlamaForCausalLMEagle3", "Eagle3LlamaForCausalLM"])
      + compare(wanted) { $0 == "t2d" }
  }

  /// sglang/srt/models/llama_eagle3.py: `draft_vocab_size` is read without a default.
  private var sglangEagle3: [String] {
    (configuration["draft_vocab_size"] == nil ? ["draft_vocab_size is missing"] : [])
      + sglangClass("LlamaForCausalLMEagle3") + compare(eagle3) { _ in true }
  }

  /// vllm/model_executor/models/medusa.py, transformers_utils/configs/medusa.py: with
  /// `original_lm_head` one head for all, which the file must have; `token_map` where it is cut.
  /// What has no place is passed by, what is missing is an error (model_loader/base_loader.py).
  private var vLLMMedusa: [String] {
    var wanted: [String: [Int]] = [:]
    for head in 0..<number("num_heads") {
      for layer in 0..<number("num_hidden_layers") {
        wanted["blocks.\(head).layers.\(layer).weight"] = [hidden, hidden]
        if configuration["medusa_fc_bias"] as? Bool == true {
          wanted["blocks.\(head).layers.\(layer).bias"] = [hidden]
        }
      }
    }
    let truncated = configuration["truncated_vocab_size"] as? Int ?? vocabulary
    if configuration["original_lm_head"] as? Bool == true {
      wanted["lm_head.weight"] = [truncated, hidden]
    } else {
      for head in 0..<number("num_heads") {
        wanted["lm_heads.\(head).weight"] = [vocabulary, hidden]
      }
    }
    if truncated < vocabulary { wanted["token_map"] = [truncated] }
    return (configuration["model_type"] as? String == "medusa" ? [] : ["model_type is not medusa"])
      + (architectures == ["MedusaModel"] ? [] : ["architectures \(architectures)"])
      + compare(wanted) { _ in true }
  }
}
