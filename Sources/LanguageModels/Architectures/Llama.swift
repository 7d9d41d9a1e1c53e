/// Llama 2 and 3, SmolLM2, Mistral (arXiv 2307.09288, 2310.06825): the plain block.
enum Llama: Architecture {
  static let ggufNames = ["llama"]
  static let huggingFaceNames = ["llama", "mistral"]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    switch fields.format {
    case .gguf:
      // The converter permutes the rows of queries and keys for rotation of neighbours.
      configuration.interleavedRotary = true
    case .huggingFace:
      try fields.require("hidden_act", oneOf: ["silu"])
      if fields.has("sliding_window") {  // Mistral 7B v0.1: every layer
        let window = try fields.int("sliding_window", in: 1...134_217_728)
        configuration.setWindow(window) { _ in true }
      }
    }
  }
}
