/// Qwen3 (arXiv 2505.09388): norms on each head of queries and keys, no biases.
enum Qwen3: Architecture {
  static let ggufNames = ["qwen3"]
  static let huggingFaceNames = ["qwen3"]
  static let huggingFaceDefaults = Qwen2.huggingFaceDefaults.merging(["head_dim": 128]) { $1 }

  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields
  ) throws {
    configuration.queryKeyNorm = true
    try Qwen2.readWindow(&configuration, from: fields)
  }
}
