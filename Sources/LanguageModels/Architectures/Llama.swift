/// Llama 2 and 3, SmolLM2 (arXiv 2307.09288), and Mistral in GGUF: the plain block.
enum Llama: Architecture {
  static let ggufNames = ["llama"]
  static let huggingFaceNames = ["llama"]
  static let huggingFaceDefaults = ["max_position_embeddings": 2048]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    switch fields.format {
    case .huggingFace: try fields.require("hidden_act", oneOf: ["silu"])
    case .gguf:
      // GGUF's converter permutes the rows of queries and keys for rotation of neighbours.
      configuration.interleavedRotary = true
      if fields.isSet("llama.attention.scale") {
        configuration.attentionScale = Float(try fields.positive("llama.attention.scale"))
      }
      // Mistral 7B v0.1: every layer.
      let window = try fields.int(
        "llama.attention.sliding_window", in: 0...134_217_728, default: 0)
      configuration.setWindow(window) { _ in true }
    }
  }
}
