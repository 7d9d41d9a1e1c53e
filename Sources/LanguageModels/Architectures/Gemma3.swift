/// Gemma 3, text only (arXiv 2503.19786): five layers with a sliding window for each one that
/// sees everything, norms before and after each half of the block.
enum Gemma3: Architecture {
  static let ggufNames = ["gemma3"]
  static let huggingFaceNames = ["gemma3_text"]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    configuration.activation = .geluTanh
    configuration.queryKeyNorm = true
    configuration.postNorms = true
    configuration.embeddingScale = Float(configuration.hiddenSize).squareRoot()

    let global = try RotaryConfiguration(
      fields: fields, kind: "full_attention", defaultTheta: 1_000_000)
    var local = RotaryConfiguration(theta: 10_000)
    let window: Int
    var sliding: [Bool]?
    var pattern = 6
    let queryScalar: Double
    switch fields.format {
    case .gguf:
      window = try fields.int("gemma3.attention.sliding_window", in: 1...134_217_728)
      local.theta = try fields.positive("gemma3.rope.freq_base_swa", default: local.theta)
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
      if fields.has("rope_parameters.sliding_attention.rope_theta") {
        local = try RotaryConfiguration(
          fields: fields, kind: "sliding_attention", defaultTheta: local.theta)
      } else {
        local.theta = try fields.positive("rope_local_base_freq", default: local.theta)
      }
      queryScalar = try fields.positive("query_pre_attn_scalar", default: 256)
      if fields.has("attn_logit_softcapping") {
        configuration.attentionSoftCap = Float(try fields.positive("attn_logit_softcapping"))
      }
    }
    configuration.attentionScale = Float(1 / queryScalar.squareRoot())
    configuration.rotaries = [global, local]
    configuration.setWindow(window, rotary: 1) { sliding?[$0] ?? (($0 + 1) % pattern != 0) }
  }

  static func rename(_ names: inout TensorNames, format: ModelFormat) {
    guard format == .huggingFace else { return }
    names.feedForwardNorm = "model.layers.#.pre_feedforward_layernorm.weight"
  }
}
