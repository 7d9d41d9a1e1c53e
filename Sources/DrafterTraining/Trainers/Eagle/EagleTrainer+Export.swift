import Drafters
import LanguageModels
import ModelFiles

extension EagleTrainer {
  public func export(to folder: String, provenance: Provenance) throws {
    try export.write(to: folder, target: setup.target, provenance: provenance)
  }

  /// The drafter in SafeAILab's layout, which vLLM and SGLang load.
  var export: DrafterExport {
    let version: EagleVersion = method == "eagle3" ? .eagle3 : .eagle1
    let target = setup.target.model.configuration
    var configuration: [String: any Sendable] = [
      "architectures": [EagleLayout.architecture(of: version)],
      "model_type": "llama",
      "hidden_act": "silu",
      "hidden_size": target.hiddenSize,
      "intermediate_size": self.configuration.intermediate,
      "num_attention_heads": self.configuration.heads,
      "num_key_value_heads": self.configuration.kvHeads,
      "head_dim": self.configuration.headSize,
      "num_hidden_layers": 1,
      "max_position_embeddings": target.contextLength,
      "rms_norm_eps": Double(target.normEpsilon),
      "rope_theta": target.rotaries[0].theta,
      "vocab_size": target.vocabularySize,
      "tie_word_embeddings": false,
      "torch_dtype": "bfloat16",
    ]
    var export = DrafterExport(
      method: method, configuration: configuration, weights: network.exported(), cut: setup.cut)
    guard version == .eagle3 else {
      configuration["bias"] = false
      export.configuration = configuration
      return export
    }
    let tokens = setup.cut.tokens
    configuration["draft_vocab_size"] = tokens.count
    configuration["eagle_config"] =
      ["eagle_aux_hidden_state_layer_ids": network.inputs.compactMap(\.layer)]
      as [String: any Sendable]
    export.configuration = configuration
    return export
  }
}

extension StateKind {
  /// The layer's number; nil for the final state.
  var layer: Int? {
    if case .layer(let layer) = self { layer } else { nil }
  }
}
