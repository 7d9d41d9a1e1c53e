import Foundation
import ModelFiles

/// The blueprint of a decoder-only transformer: sizes, and which of the known variations of a
/// block it uses. `init(fields:file:)` reads and checks it.
public struct ModelConfiguration: Sendable, Equatable {
  public enum Activation: Sendable, Equatable {
    case silu
    case geluTanh
  }

  /// What enters the first layer.
  public enum InputStage: Sendable, Equatable {
    /// The embeddings of tokens.
    case tokens
    /// A linear layer makes one state of a token's embedding and a given state, side by side; the
    /// first layer takes it as it is, without a norm (EAGLE, arXiv 2401.15077).
    case fused(bias: Bool)
    /// The given state enters the residual stream; the first layer's attention sees the token's
    /// embedding and the state side by side, each normalised (EAGLE-3, arXiv 2503.01840).
    ///
    /// `normalisedResidual`: whether it is the normalised state that enters the stream.
    case paired(normalisedResidual: Bool)

    var isPaired: Bool {
      if case .paired = self { true } else { false }
    }
  }

  /// What one layer does differently from another.
  public struct Layer: Sendable, Equatable {
    /// A token sees the last `window` positions, itself included; 0: all.
    public var window: Int
    /// Index in `rotaries`.
    public var rotary: Int

    public init(window: Int = 0, rotary: Int = 0) {
      self.window = window
      self.rotary = rotary
    }
  }

  /// The architecture's name, such as `qwen2`.
  public var architecture: String
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var headCount: Int
  /// Heads of keys and values; divides `headCount`.
  public var kvHeadCount: Int
  public var headDim: Int
  public var vocabularySize: Int
  /// Tokens that the model was made for.
  public var contextLength: Int
  public var normEpsilon: Float
  /// Whether the output head is the embedding matrix.
  public var tiedEmbeddings: Bool
  /// One for each layer.
  public var layers: [Layer]
  public var rotaries: [RotaryConfiguration]

  // The variations. The defaults are Llama's.
  public var activation = Activation.silu
  /// Multiplies the embedding rows (Gemma).
  public var embeddingScale: Float = 1
  /// Multiplies query · key.
  public var attentionScale: Float
  /// Scores become cap · tanh(score / cap); 0: none.
  public var attentionSoftCap: Float = 0
  /// The query, key and value products have biases (Qwen2).
  public var queryKeyValueBias = false
  /// Each query and key head is normalised before rotation (Qwen3, Gemma 3).
  public var queryKeyNorm = false
  /// The outputs of attention and feed-forward are normalised before they join the residual
  /// stream (Gemma).
  public var postNorms = false
  /// Rotary pairs are (2i, 2i+1) rather than (i, i + headDim/2): Llama in GGUF.
  public var interleavedRotary = false
  /// Added to norm weights on load: Gemma in safetensors stores them less one.
  public var normOffset: Float = 0
  public var input = InputStage.tokens
  /// Whether the output states are normalised.
  public var outputNorm = true

  /// Whether every token comes with a state, `hiddenSize` wide. Such a model borrows another's
  /// embedding and has no output head.
  public var takesStates: Bool { input != .tokens }
  public var layerCount: Int { layers.count }
  /// Columns of the query product.
  public var queryWidth: Int { headCount * headDim }
  /// Columns of the key product, and of the value product.
  public var kvWidth: Int { kvHeadCount * headDim }
  /// Bytes that one token takes in a cache: keys and values of all layers in half precision.
  public var kvBytesPerToken: Int { layerCount * kvWidth * 2 * 2 }
}

extension ModelConfiguration {
  /// Reads and checks a model's configuration.
  /// - Parameter file: the tensors: not every file says how many tokens there are, and what it
  ///   says of its head is not always so.
  /// - Throws: `LanguageModelError`, naming the file and the field.
  public init(fields: ConfigurationFields, file: any TensorFile) throws {
    let architecture = try Architectures.named(in: fields)
    let names = TensorNames(architecture, format: fields.format)
    guard let embedding = file.tensors[names.embedding], embedding.shape.count == 2 else {
      throw LanguageModelError.missingTensor(
        file: fields.file, tensor: names.embedding, expected: [])
    }
    let fields =
      fields.format == .huggingFace
      ? fields.filled(with: architecture.huggingFaceDefaults) : fields
    // A head that differs counts, whatever the configuration says.
    let hasHead = file.tensors[names.head] != nil
    let isTied =
      try fields.bool("tie_word_embeddings", default: !hasHead)
      && (!hasHead || file.holdsSame(names.head, names.embedding))
    try self.init(
      common: fields, rotaries: architecture.rotaries(from: fields),
      vocabularySize: embedding.shape[0], tiedEmbeddings: isTied)
    try architecture.specialise(&self, from: fields)
  }

  /// Reads the configuration of a model that takes the states of `target` with its tokens: a
  /// plain Llama block or several, of the target's width and vocabulary.
  /// - Parameter biases: whether the query, key and value products have biases.
  /// - Throws: `LanguageModelError`, naming the file and the field.
  public init(
    stateModel fields: ConfigurationFields, input: InputStage, outputNorm: Bool, biases: Bool,
    target: ModelConfiguration
  ) throws {
    try self.init(
      common: fields, rotaries: Llama.rotaries(from: fields),
      vocabularySize: target.vocabularySize, tiedEmbeddings: false)
    try fields.require("hidden_act", oneOf: ["silu"])
    guard hiddenSize == target.hiddenSize else {
      throw fields.invalid(
        "hidden_size", expected: "\(target.hiddenSize), the target's")
    }
    self.input = input
    self.outputNorm = outputNorm
    queryKeyValueBias = biases
  }

  /// What all architectures state in the same fields.
  private init(
    common fields: ConfigurationFields, rotaries: [RotaryConfiguration], vocabularySize: Int,
    tiedEmbeddings: Bool
  ) throws {
    let names = FieldNames(fields)
    architecture = names.architecture
    let layerCount = try fields.int(names.layerCount, in: 1...1024)
    hiddenSize = try fields.int(names.hiddenSize, in: 32...65536)
    intermediateSize = try fields.int(names.intermediateSize, in: 32...1_048_576)
    headCount = try fields.int(names.headCount, in: 1...1024)
    kvHeadCount = try fields.int(names.kvHeadCount, in: 1...headCount, default: headCount)
    headDim = try fields.int(names.headDim, in: 1...1024, default: hiddenSize / headCount)
    contextLength = try fields.int(names.contextLength, in: 1...134_217_728)
    normEpsilon = Float(try fields.positive(names.normEpsilon, default: 1e-6))
    guard normEpsilon < 1 else {
      throw fields.invalid(names.normEpsilon, expected: "a number below 1")
    }
    self.vocabularySize = try fields.int(
      names.vocabularySize, in: 1...4_194_304, default: vocabularySize)
    guard self.vocabularySize == vocabularySize else {
      throw fields.invalid(
        names.vocabularySize, expected: "\(vocabularySize), the rows of the embedding")
    }
    self.tiedEmbeddings = tiedEmbeddings
    attentionScale = Float(1 / Double(headDim).squareRoot())
    self.rotaries = rotaries
    layers = Array(repeating: Layer(), count: layerCount)

    // The kernels take input columns in blocks of 32 and heads in pieces of 16.
    for (name, value) in [
      (names.hiddenSize, hiddenSize), (names.intermediateSize, intermediateSize),
      (names.headCount, headCount * headDim),
    ] where value % 32 != 0 {
      throw fields.invalid(
        name,
        expected: name == names.headCount
          ? "heads times head size \(headDim) to be a multiple of 32" : "a multiple of 32")
    }
    guard headDim % 16 == 0 else {
      throw LanguageModelError.invalidField(
        file: fields.file, field: names.headDim,
        expected: "a head size that is a multiple of 16 (others are not supported)",
        found: "\(headDim)")
    }
    guard headCount % kvHeadCount == 0 else {
      throw fields.invalid(names.kvHeadCount, expected: "a divisor of \(headCount) query heads")
    }
    for unsupported in names.unsupported { try fields.requireAbsent(unsupported) }
    if fields.format == .gguf {
      let causal = "\(architecture).attention.causal"
      guard try fields.bool(causal, default: true) else {
        throw fields.invalid(causal, expected: "true (others are not supported)")
      }
      for same in ["attention.value_length", "rope.dimension_count"] {
        let field = "\(architecture).\(same)"
        guard try fields.int(field, in: 1...1024, default: headDim) == headDim else {
          throw fields.invalid(field, expected: "\(headDim), the head size")
        }
      }
    }
  }

  /// Gives every layer for which `isLocal` holds a sliding window.
  mutating func setWindow(_ window: Int, rotary: Int = 0, where isLocal: (Int) -> Bool) {
    for index in layers.indices where isLocal(index) {
      layers[index] = Layer(window: window, rotary: rotary)
    }
  }

  /// Which layers Hugging Face's `layer_types` names as sliding; nil when it is not there.
  func slidingLayers(_ fields: ConfigurationFields) throws -> [Bool]? {
    guard let types = try fields.strings("layer_types") else { return nil }
    guard types.count == layerCount,
      types.allSatisfy({ ["full_attention", "sliding_attention"].contains($0) })
    else {
      throw fields.invalid(
        "layer_types",
        expected: "\(layerCount) times 'full_attention' or 'sliding_attention'")
    }
    return types.map { $0 == "sliding_attention" }
  }
}

extension TensorFile {
  /// Whether two tensors have the same elements, stored in the same way.
  fileprivate func holdsSame(_ left: String, _ right: String) throws -> Bool {
    guard tensors[left]?.type == tensors[right]?.type, tensors[left]?.shape == tensors[right]?.shape
    else { return false }
    let (left, right) = (try data(of: left), try data(of: right))
    guard left.count == right.count, let first = left.baseAddress, let second = right.baseAddress
    else { return false }
    return memcmp(first, second, left.count) == 0
  }
}

/// The two formats' names for the fields that all architectures share.
private struct FieldNames {
  var architecture: String
  var layerCount = "num_hidden_layers"
  var hiddenSize = "hidden_size"
  var intermediateSize = "intermediate_size"
  var headCount = "num_attention_heads"
  var kvHeadCount = "num_key_value_heads"
  var headDim = "head_dim"
  var vocabularySize = "vocab_size"
  var contextLength = "max_position_embeddings"
  var normEpsilon = "rms_norm_eps"
  var unsupported = [
    "attention_bias", "mlp_bias", "final_logit_softcapping", "num_local_experts",
    "use_bidirectional_attention", "quantization_config.quant_method",
  ]

  init(_ fields: ConfigurationFields) {
    switch fields.format {
    case .huggingFace:
      architecture = (try? fields.string("model_type")) ?? ""
    case .gguf:
      let name = (try? fields.string("general.architecture")) ?? ""
      architecture = name
      layerCount = "\(name).block_count"
      hiddenSize = "\(name).embedding_length"
      intermediateSize = "\(name).feed_forward_length"
      headCount = "\(name).attention.head_count"
      kvHeadCount = "\(name).attention.head_count_kv"
      headDim = "\(name).attention.key_length"
      vocabularySize = "\(name).vocab_size"
      contextLength = "\(name).context_length"
      normEpsilon = "\(name).attention.layer_norm_rms_epsilon"
      unsupported = [
        "expert_count", "final_logit_softcapping", "attn_logit_softcapping", "logit_scale",
        "residual_scale", "embedding_scale", "attention.clamp_kqv", "attention.max_alibi_bias",
      ].map { "\(name).\($0)" }
    }
  }
}
