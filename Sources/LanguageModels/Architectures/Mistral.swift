/// Mistral (arXiv 2310.06825) in a Hugging Face folder: Llama with a sliding window in every layer.
enum Mistral: Architecture {
  static let ggufNames: [String] = []
  static let huggingFaceNames = ["mistral"]
  static let huggingFaceDefaults = [
    "num_key_value_heads": 8, "max_position_embeddings": 131_072, "sliding_window": 4096,
  ]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    try Llama.specialise(&configuration, from: fields)
    // Null says that there is none.
    let window = try fields.int("sliding_window", in: 0...134_217_728, default: 0)
    configuration.setWindow(window) { _ in true }
  }
}
