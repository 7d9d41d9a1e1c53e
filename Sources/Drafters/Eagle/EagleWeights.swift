import LanguageModels
import ModelFiles
import Speculation

/// The weights of an EAGLE-1 or EAGLE-3 drafter for one target, whose embedding they share and,
/// without a head of their own, its output head too. Immutable; drafters of several sequences
/// share them.
///
/// Matrices are held as Q8_0: what a draft costs is bytes.
public final class EagleWeights: TrainedWeights {
  public let version: EagleVersion
  /// What it sees of the target.
  public let observing: Observation
  /// The one decoder layer: from a token and a state to the next state.
  let model: TransformerModel
  /// EAGLE-3: makes one state of the target's three.
  let fusion: PackedLinear?
  let head: EagleHead

  /// Reads a checkpoint folder in the layout of SafeAILab's EAGLE, vLLM or SGLang: config.json
  /// beside safetensors.
  /// - Parameters:
  ///   - target: the model that it drafts for. Computes on its threads.
  ///   - tokens: the frequent tokens to cut the target's head to (FR-Spec, 2502.14856), ascending;
  ///     nil for all. A checkpoint with a head of its own does not need them.
  /// - Throws: `LanguageModelError`, `ModelFileError` or `StoreError`, naming file and field.
  public convenience init(
    folder: String, target: TransformerModel, tokens: [Int32]? = nil
  ) throws {
    try self.init(
      EagleCheckpoint(
        SafetensorsFile(path: folder), fields: ConfigurationFields(folder: folder)),
      target: target, tokens: { tokens })
  }

  convenience init(_ files: DrafterFiles) throws {
    try self.init(
      EagleCheckpoint(files.tensors, fields: files.fields), target: files.target,
      tokens: files.headTokens)
  }

  /// - Parameters:
  ///   - tokens: asked for only where the target's head is used.
  ///   - exact: keeps matrices as the file stores them, for tests.
  init(
    _ checkpoint: EagleCheckpoint, target: TransformerModel, tokens: () throws -> [Int32]?,
    exact: Bool = false
  ) throws {
    version = checkpoint.version
    let input: ModelConfiguration.InputStage
    switch checkpoint.version {
    case .eagle1:
      input = .fused(bias: checkpoint.has(.fusionBias))
      observing = Observation(finalHidden: true)
      fusion = nil
    case .eagle3:
      input = .paired(
        normalisedResidual: try checkpoint.fields.bool("norm_before_residual", default: false))
      let layers = try checkpoint.observedLayers(of: target)
      observing = Observation(layers: layers)
      fusion = try checkpoint.linear(
        .fusion, rows: target.hiddenSize, columns: layers.count * target.hiddenSize,
        bias: .fusionBias, exact: exact, pool: target.pool)
    }
    let configuration = try ModelConfiguration(
      stateModel: checkpoint.layerFields(), input: input,
      outputNorm: checkpoint.version == .eagle3, biases: checkpoint.has(.queryBias),
      target: target.configuration)
    model = try TransformerModel(
      stateModel: checkpoint, configuration: configuration,
      options: LoadingOptions(quantizesFloats: !exact), embeddingOf: target)
    if checkpoint.version == .eagle3, checkpoint.has(.head) {
      head = try checkpoint.head(for: target, exact: exact)
    } else {
      head = .target(try target.outputHead(tokens: try tokens()))
    }
  }

  public var parameterCount: Int {
    let own = fusion.map { $0.rows * $0.columns } ?? 0
    return model.parameterCount + own + head.parameterCount
  }

  /// An EAGLE drafter; its trees are EAGLE-2's dynamic ones unless another shape is asked for.
  public func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter {
    var configuration = DraftModelConfiguration(shape: settings.trainedShape ?? .dynamic())
    if let length = settings.length { configuration.length = length }
    return try EagleDrafter(
      weights: self, capacity: settings.capacity, configuration: configuration)
  }

  /// The target's hidden size.
  public var hiddenSize: Int { model.hiddenSize }
  /// The tokens it can propose, ascending; nil for all.
  public var tokens: [Int32]? { head.vocabulary.tokens }
}
