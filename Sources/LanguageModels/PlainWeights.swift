import ModelFiles

/// The weights of a model of plain Llama blocks as floats, under Hugging Face's names and in its
/// order, whatever format the file has: for a drafter that starts from them.
public struct PlainWeights {
  public let configuration: ModelConfiguration
  private let file: any TensorFile
  /// The file's name of each tensor, by Hugging Face's.
  private let names: [String: String]

  /// - Throws: `LanguageModelError.unsupportedArchitecture` when its blocks are not plain ones, or
  ///   its output matrix is not its embedding; what is wrong with the file.
  public init(of model: TransformerModel) throws {
    guard let file = model.weights.embedding.file else {
      throw Self.unsupported(model.configuration, file: "model in memory", "a model's file")
    }
    try self.init(file: file, configuration: model.configuration)
  }

  /// - Parameter folder: `config.json` beside `model.safetensors`.
  public init(folder: String) throws {
    let file = try SafetensorsFile(path: folder)
    try self.init(
      file: file,
      configuration: ModelConfiguration(
        fields: ConfigurationFields(folder: folder), file: file))
  }

  private init(file: any TensorFile, configuration: ModelConfiguration) throws {
    var plain = configuration
    plain.rotaries = [RotaryConfiguration(theta: configuration.rotaries[0].theta)]
    plain.layers = configuration.layers.map { _ in ModelConfiguration.Layer() }
    plain.activation = .silu
    plain.embeddingScale = 1
    plain.attentionScale = Float(1 / Double(configuration.headDim).squareRoot())
    plain.attentionSoftCap = 0
    plain.queryKeyValueBias = false
    plain.queryKeyNorm = false
    plain.postNorms = false
    plain.normOffset = 0
    plain.input = .tokens
    plain.outputNorm = true
    plain.tiedEmbeddings = true
    guard plain == configuration else {
      throw Self.unsupported(configuration, file: file.path, "plain Llama blocks, tied embeddings")
    }
    self.configuration = configuration
    self.file = file
    let format: ModelFormat =
      file.tensors[TensorNames(Llama.self, format: .gguf).embedding] == nil ? .huggingFace : .gguf
    let (own, public_) = (
      TensorNames(Llama.self, format: format), TensorNames(Llama.self, format: .huggingFace)
    )
    guard own.rotaryDivisors.map({ file.tensors[$0] == nil }) ?? true else {
      throw Self.unsupported(configuration, file: file.path, "rotary positions without divisors")
    }
    var names = [public_.embedding: own.embedding, public_.finalNorm: own.finalNorm]
    for role in Self.roles {
      for layer in configuration.layers.indices {
        names[public_[keyPath: role].replacing("#", with: "\(layer)")] =
          own[keyPath: role].replacing("#", with: "\(layer)")
      }
    }
    self.names = names
  }

  private static let roles: [any KeyPath<TensorNames, String> & Sendable] = [
    \.attentionNorm, \.query, \.key, \.value, \.output, \.feedForwardNorm, \.gate, \.up, \.down,
  ]

  private static func unsupported(
    _ configuration: ModelConfiguration, file: String, _ supported: String
  ) -> LanguageModelError {
    .unsupportedArchitecture(
      file: file, field: "architecture", found: configuration.architecture, supported: [supported])
  }

  /// One tensor's elements, row by row.
  /// - Parameter name: Hugging Face's, such as `model.layers.0.self_attn.q_proj.weight`.
  /// - Throws: `LanguageModelError` when there is none, or of another shape.
  public func floats(of name: String, shape: [Int]) throws -> [Float] {
    let values = try file.floats(of: names[name] ?? name, shape: shape)
    let rotated = name.hasSuffix(".q_proj.weight") || name.hasSuffix(".k_proj.weight")
    return rotated && configuration.interleavedRotary ? halves(values, columns: shape[1]) : values
  }

  /// Rows of heads whose rotary pairs are neighbours, in the order in which they are halves.
  private func halves(_ values: [Float], columns: Int) -> [Float] {
    let (rows, size) = (values.count / columns, configuration.headDim)
    return (0..<rows).flatMap { row in
      let (head, place) = (row / size, row % size)
      let source = head * size + (place < size / 2 ? 2 * place : 2 * (place - size / 2) + 1)
      return values[source * columns..<(source + 1) * columns]
    }
  }
}
