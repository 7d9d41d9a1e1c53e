import ModelFiles

/// The generations of EAGLE drafters.
public enum EagleVersion: String, Sendable, CaseIterable {
  /// Predicts the target's next state from its last one and the token after it, for the target's
  /// own head (2401.15077). EAGLE-2 (2406.16858) drafts with the same weights.
  case eagle1 = "eagle"
  /// Fuses three of the target's states, and has a head of its own (2503.01840).
  case eagle3 = "eagle3"
}

/// The tensors of an EAGLE checkpoint. h is the target's hidden size.
public enum EagleTensor: Sendable, CaseIterable {
  /// EAGLE-1: the embedding and the state side by side to one state, (h, 2h). EAGLE-3: three of
  /// the target's states side by side to one, (h, 3h).
  case fusion
  /// EAGLE-1. (h)
  case fusionBias
  /// EAGLE-3: norms of what its attention sees. (h)
  case embeddingNorm, stateNorm
  /// (width, h); in EAGLE-3 (width, 2h).
  case query, key, value
  case queryBias, keyBias, valueBias
  case output
  case feedForwardNorm
  case gate, up, down
  /// EAGLE-3, before its head. (h)
  case outputNorm
  /// EAGLE-3. (tokens of the head, h)
  case head
  /// For each row of the head its token less the row's number. I64 (tokens of the head)
  case draftToTarget
  /// Which tokens the head has. BOOL (vocabulary)
  case targetToDraft
  /// The target's own embedding, which some files carry along. Not read.
  case embedding
}

/// What checkpoint files call their tensors and what their config.json says, for whoever reads or
/// writes them: SafeAILab's layout, which vLLM and SGLang load.
public enum EagleLayout {
  /// The name in files that are written here.
  public static func name(of tensor: EagleTensor, in version: EagleVersion) -> String {
    let layer = version == .eagle1 ? "layers.0." : "midlayer."
    if let part = layerNames[tensor] { return layer + part }
    return otherNames[tensor] ?? ""
  }

  /// The tensor that a name in a file stands for, in any of the known spellings; nil for others,
  /// such as tables of rotation angles.
  public static func tensor(named name: String) -> EagleTensor? {
    var name = Substring(name)
    if name.hasPrefix("model.") { name = name.dropFirst("model.".count) }
    for layer in ["layers.0.", "midlayer."] where name.hasPrefix(layer) {
      return tensorsOfLayer[String(name.dropFirst(layer.count))]
    }
    return otherTensors[String(name)]
  }

  /// The version of a checkpoint, by its tensors: their config.json do not always tell. nil when
  /// it is no EAGLE checkpoint.
  public static func version(of tensors: some Sequence<String>) -> EagleVersion? {
    let found = Set(tensors.compactMap(tensor(named:)))
    guard found.contains(.fusion), found.contains(.query) else { return nil }
    return found.contains(.stateNorm) ? .eagle3 : .eagle1
  }

  /// The `architectures` that a written config.json names. Servers take the first that they know:
  /// SGLang calls EAGLE-1 by the first name, vLLM by the second, having put `Eagle` before names
  /// that do not begin so.
  public static func architectures(of version: EagleVersion) -> [String] {
    switch version {
    case .eagle1: ["LlamaForCausalLMEagle", "EagleLlamaForCausalLM"]
    case .eagle3: ["LlamaForCausalLMEagle3"]
    }
  }

  /// The layers whose output EAGLE-3 sees of a target of `layerCount` layers, where config.json
  /// names none; 0 is the embedding, n the output of layer n.
  public static func observedLayers(layerCount: Int) -> [Int] {
    [2, layerCount / 2, layerCount - 3].map { min(max(0, $0), layerCount) }
  }

  private static let layerNames: [EagleTensor: String] = [
    .embeddingNorm: "input_layernorm.weight",
    .stateNorm: "hidden_norm.weight",
    .query: "self_attn.q_proj.weight",
    .key: "self_attn.k_proj.weight",
    .value: "self_attn.v_proj.weight",
    .queryBias: "self_attn.q_proj.bias",
    .keyBias: "self_attn.k_proj.bias",
    .valueBias: "self_attn.v_proj.bias",
    .output: "self_attn.o_proj.weight",
    .feedForwardNorm: "post_attention_layernorm.weight",
    .gate: "mlp.gate_proj.weight",
    .up: "mlp.up_proj.weight",
    .down: "mlp.down_proj.weight",
  ]

  private static let otherNames: [EagleTensor: String] = [
    .fusion: "fc.weight",
    .fusionBias: "fc.bias",
    .outputNorm: "norm.weight",
    .head: "lm_head.weight",
    .draftToTarget: "d2t",
    .targetToDraft: "t2d",
    .embedding: "embed_tokens.weight",
  ]

  private static let tensorsOfLayer = inverse(layerNames)
  private static let otherTensors = inverse(otherNames)

  private static func inverse(_ names: [EagleTensor: String]) -> [String: EagleTensor] {
    Dictionary(uniqueKeysWithValues: names.map { ($0.value, $0.key) })
  }
}
