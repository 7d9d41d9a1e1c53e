/// A family of models.
///
/// To add one: write a file like `Qwen3.swift`, which says what differs from Llama in the
/// configuration and in the tensor names, and list it in `Architectures.all`. Blocks that no
/// option of `ModelConfiguration` describes need a branch in `ForwardPass.swift`.
protocol Architecture {
  /// What GGUF's `general.architecture` calls it.
  static var ggufNames: [String] { get }
  /// What `model_type` of `config.json` calls it.
  static var huggingFaceNames: [String] { get }
  /// What a `config.json` means that leaves these fields out: the values of transformers'
  /// configuration class.
  static var huggingFaceDefaults: [String: Int] { get }
  /// How positions turn into angles; each layer has one of these.
  static func rotaries(from fields: ConfigurationFields) throws -> [RotaryConfiguration]
  /// Sets the variations of the block. `configuration` holds the fields that all share.
  static func specialise(
    _ configuration: inout ModelConfiguration, from fields: ConfigurationFields) throws
  /// Changes the names of tensors that differ from Llama's.
  static func rename(_ names: inout TensorNames, format: ModelFormat)
}

extension Architecture {
  static func rotaries(from fields: ConfigurationFields) throws -> [RotaryConfiguration] {
    [try RotaryConfiguration(fields: fields)]
  }
  static func rename(_ names: inout TensorNames, format: ModelFormat) {}
}

/// The architectures that can be loaded.
enum Architectures {
  static var all: [any Architecture.Type] {
    [Llama.self, Mistral.self, Qwen2.self, Qwen3.self, Gemma3.self]
  }

  /// The architecture that the file names.
  /// - Throws: `LanguageModelError.unsupportedArchitecture`.
  static func named(in fields: ConfigurationFields) throws -> any Architecture.Type {
    let field = fields.format == .gguf ? "general.architecture" : "model_type"
    func names(_ architecture: any Architecture.Type) -> [String] {
      fields.format == .gguf ? architecture.ggufNames : architecture.huggingFaceNames
    }
    guard let found = try fields.string(field) else {
      throw LanguageModelError.missingField(
        file: fields.file, field: field, expected: "the architecture's name")
    }
    guard let architecture = all.first(where: { names($0).contains(found) }) else {
      throw LanguageModelError.unsupportedArchitecture(
        file: fields.file, field: field, found: found, supported: all.flatMap(names))
    }
    return architecture
  }
}
