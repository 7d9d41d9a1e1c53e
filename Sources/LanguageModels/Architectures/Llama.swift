/// Llama 2 and 3, SmolLM2, Mistral (arXiv 2307.09288, 2310.06825): the plain block.
enum Llama: Architecture {
  static let ggufNames = ["llama"]
  static let huggingFaceNames = ["llama", "mistral"]

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    // GGUF's converter permutes the rows of queries and keys for rotation of neighbours.
    configuration.interleavedRotary = fields.format == .gguf
    if fields.format == .huggingFace { try fields.require("hidden_act", oneOf: ["silu"]) }
    // Mistral 7B v0.1: every layer.
    let field =
      fields.format == .gguf ? "llama.attention.sliding_window" : "sliding_window"
    let window = try fields.int(field, in: 0...134_217_728, default: 0)
    configuration.setWindow(window) { _ in true }
  }
}
