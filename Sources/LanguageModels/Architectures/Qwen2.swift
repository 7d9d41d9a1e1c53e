/// Qwen2 and Qwen2.5 (arXiv 2407.10671): biases on queries, keys and values.
enum Qwen2: Architecture {
  static let ggufNames = ["qwen2"]
  static let huggingFaceNames = ["qwen2"]
  static let huggingFaceDefaults = [
    "num_key_value_heads": 32, "max_position_embeddings": 32_768, "sliding_window": 4096,
  ]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    configuration.queryKeyValueBias = true
    try readWindow(&configuration, from: fields)
  }

  /// The upper layers may have a sliding window; it is off in every published model.
  static func readWindow(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    guard fields.format == .huggingFace else { return }
    try fields.require("hidden_act", oneOf: ["silu"])
    guard try fields.bool("use_sliding_window", default: false),
      !fields.isNull("sliding_window")
    else { return }
    let window = try fields.int("sliding_window", in: 1...134_217_728)
    let first = try fields.int("max_window_layers", in: 0...1024, default: 28)
    let sliding = try configuration.slidingLayers(fields)
    configuration.setWindow(window) { sliding?[$0] ?? ($0 >= first) }
  }
}
