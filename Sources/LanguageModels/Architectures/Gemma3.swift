/// Gemma 3, text only (arXiv 2503.19786): five layers with a sliding window for each one that
/// sees everything, norms before and after each half of the block.
enum Gemma3: Architecture {
  static let ggufNames = ["gemma3"]
  static let huggingFaceNames = ["gemma3_text"]
  static let huggingFaceDefaults = [
    "head_dim": 256, "num_key_value_heads": 4, "max_position_embeddings": 131_072,
    "sliding_window": 4096, "query_pre_attn_scalar": 256,
  ]

  /// Of the layers that see everything, and of those with a window.
  static func rotaries(from fields: ConfigurationFields) throws -> [RotaryConfiguration] {
    switch fields.format {
    case .gguf:
      // llama.cpp never scales the layers with a window.
      let theta = try fields.positive("gemma3.rope.freq_base_swa", default: localTheta)
      return [
        try RotaryConfiguration(fields: fields, defaultTheta: globalTheta),
        RotaryConfiguration(theta: theta),
      ]
    case .huggingFace:
      for name in fields.names(within: "rope_parameters") where !name.contains(".") {
        throw fields.invalid(
          "rope_parameters.\(name)",
          expected: "'full_attention' and 'sliding_attention' there, each with its own fields")
      }
      return [
        try RotaryConfiguration(
          fields: fields, groups: ["rope_scaling", "rope_parameters.full_attention"],
          defaultTheta: globalTheta),
        try RotaryConfiguration(
          fields: fields, groups: ["rope_parameters.sliding_attention"],
          theta: "rope_local_base_freq", defaultTheta: localTheta),
      ]
    }
  }

  private static let globalTheta = 1_000_000.0
  private static let localTheta = 10_000.0

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    configuration.activation = .geluTanh
    configuration.queryKeyNorm = true
    configuration.postNorms = true
    configuration.embeddingScale = Float(configuration.hiddenSize).squareRoot()
    let window: Int
    var sliding: [Bool]?
    var pattern = 6
    let queryScalar: Double
    switch fields.format {
    case .gguf:
      window = try fields.int("gemma3.attention.sliding_window", in: 1...134_217_728)
      // The file does not say it; only the 27B model differs, which is told by its layers.
      queryScalar = Double(
        configuration.layerCount == 62
          ? configuration.hiddenSize / configuration.headCount : configuration.headDim)
    case .huggingFace:
      try fields.require("hidden_activation", oneOf: ["gelu_pytorch_tanh"])
      configuration.normOffset = 1
      window = try fields.int("sliding_window", in: 1...134_217_728)
      sliding = try configuration.slidingLayers(fields)
      pattern = try fields.int(
        fields.has("sliding_window_pattern")
          ? "sliding_window_pattern" : "_sliding_window_pattern", in: 1...1024, default: pattern)
      queryScalar = try fields.positive("query_pre_attn_scalar")
      if fields.has("attn_logit_softcapping") {
        configuration.attentionSoftCap = Float(try fields.positive("attn_logit_softcapping"))
      }
    }
    configuration.attentionScale = Float(1 / queryScalar.squareRoot())
    configuration.setWindow(window, rotary: 1) { sliding?[$0] ?? (($0 + 1) % pattern != 0) }
  }

  static func rename(_ names: inout TensorNames, format: ModelFormat) {
    guard format == .huggingFace else { return }
    names.feedForwardNorm = "model.layers.#.pre_feedforward_layernorm.weight"
  }
}
