import Drafters
import LanguageModels
import ModelFiles

extension EagleNetwork {
  /// SafeAILab's layout, which vLLM and SGLang load.
  func configuration(
    _ version: EagleVersion, _ shape: BlockShape, target: ModelConfiguration
  ) -> [String: any Sendable] {
    [
      "architectures": EagleLayout.architectures(of: version),
      "model_type": "llama",
      "hidden_act": "silu",
      "hidden_size": shape.hidden,
      "intermediate_size": shape.intermediate,
      "num_attention_heads": shape.heads,
      "num_key_value_heads": shape.kvHeads,
      "head_dim": shape.headSize,
      "num_hidden_layers": 1,
      "max_position_embeddings": target.contextLength,
      "rms_norm_eps": Double("\(target.normEpsilon)") ?? 1e-6,
      "rope_theta": target.rotaries[0].theta,
      "vocab_size": target.vocabularySize,
      "tie_word_embeddings": false,
      "torch_dtype": "bfloat16",
    ]
  }
}

extension Eagle1Network {
  /// With a fusion bias of zeros, which SGLang would draw at random if the file had none.
  func export(_ setup: StateTraining) -> DrafterExport {
    var configuration = configuration(
      .eagle1, block.shape, target: setup.target.model.configuration)
    configuration["bias"] = false
    let bias = EagleLayout.name(of: .fusionBias, in: .eagle1)
    return DrafterExport(
      method: method, configuration: configuration,
      weights: exportedWeights() + [(bias, Tensor(shape: [block.shape.hidden]))], cut: setup.cut)
  }
}

extension Eagle3Network {
  /// With the rows of the target's output matrix that the drafter uses, and which tokens they are
  /// where they are not all: vLLM has no place for tables that say nothing.
  func export(_ setup: StateTraining) throws -> DrafterExport {
    func name(_ tensor: EagleTensor) -> String { EagleLayout.name(of: tensor, in: .eagle3) }
    let tokens = setup.cut.tokens
    var configuration = configuration(
      .eagle3, block.shape, target: setup.target.model.configuration)
    configuration["draft_vocab_size"] = tokens.count
    configuration["eagle_aux_hidden_state_layer_ids"] = inputs.compactMap(\.layer)
    return DrafterExport(
      method: method, configuration: configuration,
      weights: exportedWeights() + [(name(.head), try setup.target.head(setup.cut))],
      tables: setup.cut.isWhole
        ? []
        : [
          (
            TensorInfo(name: name(.draftToTarget), type: .i64, shape: [tokens.count]),
            tokens.enumerated().map { Int64($1) - Int64($0) }
          ),
          (
            TensorInfo(
              name: name(.targetToDraft), type: .bool, shape: [setup.cut.vocabularySize]),
            setup.cut.places.map { $0 < 0 ? 0 : 1 }
          ),
        ], cut: setup.cut)
  }
}

extension StateKind {
  /// The layer's number; nil for the final state.
  var layer: Int? {
    if case .layer(let layer) = self { layer } else { nil }
  }
}
