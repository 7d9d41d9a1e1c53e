import Foundation

extension ModelSummary {
  init(gguf file: GGUFFile) throws {
    let architecture = try file.string("general.architecture")
    self.init(
      path: file.path, format: "GGUF \(file.version)", architecture: architecture, file: file)
    func size(_ key: String) throws -> Int? { try Self.size(file, "\(architecture).\(key)") }
    name = try file.optionalString("general.name")
    layers = try size("block_count")
    hiddenSize = try size("embedding_length")
    feedForwardSize = try size("feed_forward_length")
    heads = try size("attention.head_count")
    keyValueHeads = try size("attention.head_count_kv")
    keySize = try size("attention.key_length")
    valueSize = try size("attention.value_length")
    contextLength = try size("context_length")
    tokenizer = try Self.tokenizer(of: file)
    vocabularySize = try tokenizer?.size ?? size("vocab_size")
    chatTemplate = try file.optionalString("tokenizer.chat_template")
    completeSizes()
  }

  /// A size; some files give one for each layer, of which the largest is taken.
  private static func size(_ file: GGUFFile, _ key: String) throws -> Int? {
    if case .ints(let values) = file.metadata[key] { return values.max() }
    return try file.optionalInt(key)
  }

  private static func tokenizer(of file: GGUFFile) throws -> Tokenizer? {
    guard let model = try file.optionalString("tokenizer.ggml.model") else { return nil }
    let kinds = ["gpt2": "byte-level BPE", "llama": "SentencePiece"]
    let tokens = try file.byteStrings("tokenizer.ggml.tokens")
    let roles = ["bos", "eos", "eot", "eom", "unknown", "padding"]
    let special = try roles.compactMap { role -> SpecialToken? in
      guard let id = try file.optionalInt("tokenizer.ggml.\(role)_token_id") else { return nil }
      return SpecialToken(
        role: role, id: id, text: tokens.indices.contains(id) ? tokens.string(at: id) : nil)
    }
    return Tokenizer(
      kind: kinds[model] ?? model, preTokenizer: try file.optionalString("tokenizer.ggml.pre"),
      size: tokens.count, specialTokens: special)
  }

  // MARK: - Hugging Face

  private struct Configuration: Decodable {
    var architectures: [String]?
    var modelType: String?
    var numHiddenLayers: Int?
    var hiddenSize: Int?
    var intermediateSize: Int?
    var numAttentionHeads: Int?
    var numKeyValueHeads: Int?
    var headDim: Int?
    var maxPositionEmbeddings: Int?
    var vocabSize: Int?
  }

  private struct TokenizerFile: Decodable {
    struct AddedToken: Decodable {
      var id: Int
      var content: String
      var special: Bool?
    }

    struct Model: Decodable {
      var type: String?
      var size: Int

      enum CodingKeys: CodingKey { case type, vocab }

      init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        type = try container.decodeIfPresent(String.self, forKey: .type)
        if let vocabulary = try? container.nestedUnkeyedContainer(forKey: .vocab) {
          size = vocabulary.count ?? 0
        } else {
          size = try container.decode([String: Int].self, forKey: .vocab).count
        }
      }
    }

    var model: Model
    // Decoded with snake case: `added_tokens`.
    var addedTokens: [AddedToken]?
  }

  private struct TokenizerConfiguration: Decodable {
    struct Named: Decodable {
      var name: String
      var template: String
    }

    var template: String?

    enum CodingKeys: CodingKey { case chatTemplate }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      if let named = try? container.decode([Named].self, forKey: .chatTemplate) {
        template = named.first { $0.name == "default" }?.template ?? named.first?.template
      } else {
        template = try container.decodeIfPresent(String.self, forKey: .chatTemplate)
      }
    }
  }

  init(folder: String) throws {
    let configurationPath = "\(folder)/config.json"
    guard let configuration = try Self.decode(Configuration.self, at: configurationPath) else {
      throw ModelFileError.unreadable(path: configurationPath, reason: "no such file")
    }
    let weights = try SafetensorsFile(path: folder)
    self.init(
      path: folder, format: "safetensors",
      architecture: configuration.modelType ?? configuration.architectures?.first ?? "unknown",
      file: weights)
    layers = configuration.numHiddenLayers
    hiddenSize = configuration.hiddenSize
    feedForwardSize = configuration.intermediateSize
    heads = configuration.numAttentionHeads
    keyValueHeads = configuration.numKeyValueHeads
    // Where it is not said, architectures differ; the rows of the matrix do not lie.
    let query = weights.tensors["model.layers.0.self_attn.q_proj.weight"]?.shape.first
    keySize = configuration.headDim
    if keySize == nil, let query, let heads, heads > 0, query % heads == 0 {
      keySize = query / heads
    }
    valueSize = keySize
    contextLength = configuration.maxPositionEmbeddings
    vocabularySize = configuration.vocabSize
    if let file = try Self.decode(TokenizerFile.self, at: "\(folder)/tokenizer.json") {
      let special = (file.addedTokens ?? []).filter { $0.special == true }
      tokenizer = Tokenizer(
        kind: file.model.type ?? "unknown", preTokenizer: nil, size: file.model.size,
        specialTokens: special.map {
          SpecialToken(role: "special", id: $0.id, text: $0.content)
        })
    }
    let template = try? String(contentsOfFile: "\(folder)/chat_template.jinja", encoding: .utf8)
    chatTemplate =
      try template
      ?? Self.decode(TokenizerConfiguration.self, at: "\(folder)/tokenizer_config.json")?.template
    completeSizes()
  }

  /// Decodes a JSON file; nil when there is none.
  private static func decode<Value: Decodable>(_: Value.Type, at path: String) throws -> Value? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(Value.self, from: data)
    } catch {
      throw ModelFileError.malformed(
        path: path, field: "JSON", expected: "the fields of a Hugging Face model",
        found: SafetensorsFile.describe(error))
    }
  }
}
