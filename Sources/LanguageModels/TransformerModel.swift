import ModelFiles

/// A decoder-only transformer of any architecture in `Architectures/`, computed on the CPU.
///
/// Weights are shared and immutable; everything of one sequence is in its `TransformerCache`.
public final class TransformerModel: LanguageModel {
  /// The most rows that go through the layers together, of all sequences. A longer chain, when
  /// it is the only sequence, goes in several pieces.
  public static let chunkRows = 256

  public let configuration: ModelConfiguration
  public let pool: ComputePool
  let weights: TransformerWeights
  /// Radians per position of each pair, for each of the configuration's rotaries.
  let rotaryFrequencies: [[Double]]
  /// The tokens of the logits, ascending, when the head is cut to some; nil for all.
  public let headTokens: [Int32]?
  /// What passes compute in.
  let workspace: Workspace

  public var vocabularySize: Int { configuration.vocabularySize }
  public var hiddenSize: Int { configuration.hiddenSize }
  public var contextLength: Int { configuration.contextLength }
  public var layerCount: Int { configuration.layerCount }
  /// Columns of the logits.
  public var logitCount: Int { weights.head == nil ? 0 : headTokens?.count ?? vocabularySize }

  /// Weights of all kinds, an embedding that is also the head counted once.
  public var parameterCount: Int { weights.parameterCount }
  /// Those of the layers: without embedding and head.
  public var layerParameterCount: Int {
    let matrices = configuration.takesStates ? 0 : configuration.tiedEmbeddings ? 1 : 2
    return parameterCount - matrices * vocabularySize * hiddenSize
  }
  /// Bytes of weights that a pass reads: all packed matrices with the head, norms and biases.
  public var weightBytesPerPass: Int { weights.byteCount }
  /// Bytes that one token takes in a cache.
  public var kvBytesPerToken: Int { configuration.kvBytesPerToken }

  /// Loads a model whose configuration and tensors are at hand.
  /// - Parameters:
  ///   - options: how the weights are held.
  ///   - pool: the threads to compute with, which models may share.
  ///   - progress: told the share of the weights that are loaded, from 0 to 1.
  /// - Throws: `LanguageModelError` when a field or tensor is missing or not as it should be, or
  ///   memory is short.
  public convenience init(
    file: any TensorFile, fields: ConfigurationFields,
    options: LoadingOptions = LoadingOptions(), pool: ComputePool,
    progress: (Double) -> Void = { _ in }
  ) throws {
    let configuration = try ModelConfiguration(fields: fields, file: file)
    if let tokens = options.headTokens {
      try Self.check(tokens, vocabularySize: configuration.vocabularySize)
    }
    let names = TensorNames(try Architectures.named(in: fields), format: fields.format)
    try self.init(
      configuration: configuration,
      weights: TransformerWeights(
        file: file, configuration: configuration, names: names, options: options, pool: pool,
        progress: progress),
      headTokens: options.headTokens, pool: pool)
  }

  /// Loads a model that takes a state with every token and borrows another's embedding, such as
  /// an EAGLE drafter. It computes on the other's threads.
  /// - Parameters:
  ///   - file: tensors with Llama's names; `fc` and `hidden_norm` beside them.
  ///   - configuration: as `ModelConfiguration.init(stateModel:…)` reads it.
  /// - Throws: `LanguageModelError` when a tensor is missing or not as it should be, or memory is
  ///   short.
  public convenience init(
    stateModel file: any TensorFile, configuration: ModelConfiguration,
    options: LoadingOptions = LoadingOptions(), embeddingOf other: TransformerModel
  ) throws {
    try self.init(
      configuration: configuration,
      weights: TransformerWeights(
        file: file, configuration: configuration,
        names: TensorNames(Llama.self, format: .huggingFace), borrowed: other.weights.embedding,
        options: options, pool: other.pool, progress: { _ in }),
      pool: other.pool)
  }

  private init(
    configuration: ModelConfiguration, weights: TransformerWeights, headTokens: [Int32]? = nil,
    pool: ComputePool
  ) throws {
    self.configuration = configuration
    self.weights = weights
    self.headTokens = headTokens
    self.pool = pool
    var frequencies = configuration.rotaries.map { [headDim = configuration.headDim] in
      $0.frequencies(headDim: headDim)
    }
    if let divisors = weights.rotaryDivisors {
      frequencies[0] = zip(frequencies[0], divisors).map { $0 / Double($1) }
    }
    rotaryFrequencies = frequencies
    workspace = try Workspace(configuration: configuration, rows: Self.chunkRows)
  }

  /// The same model, its weights shared, computing with other threads.
  /// - Throws: `LanguageModelError` when memory is short.
  public init(sharing other: TransformerModel, pool: ComputePool) throws {
    configuration = other.configuration
    weights = other.weights
    rotaryFrequencies = other.rotaryFrequencies
    headTokens = other.headTokens
    self.pool = pool
    workspace = try Workspace(configuration: configuration, rows: Self.chunkRows)
  }

  public func makeCache(capacity: Int) throws -> TransformerCache {
    try TransformerCache(model: self, capacity: capacity)
  }
}
