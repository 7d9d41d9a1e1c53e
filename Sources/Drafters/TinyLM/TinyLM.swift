import LanguageModels
import Speculation

/// A tiny language model with the target's vocabulary, in the layout that transformers loads: it
/// drafts as any draft model does (`DraftModelDrafter`). Its matrices are quantised to Q8_0, and
/// its output head may be cut to frequent tokens (FR-Spec, 2502.14856).
public final class TinyLM: TrainedWeights {
  public let model: TransformerModel
  public var parameterCount: Int { model.parameterCount }

  /// How it drafts unless asked otherwise.
  static let shape = DraftShape.dynamic()

  init(_ files: DrafterFiles) throws {
    let tokens = try files.headTokens()
    model = try TransformerModel(
      file: files.tensors, fields: files.fields,
      options: LoadingOptions(quantizesFloats: true, headTokens: tokens), pool: files.target.pool)
    guard model.vocabularySize == files.target.vocabularySize else {
      throw LanguageModelError.invalidField(
        file: files.fields.file, field: "vocab_size",
        expected: "\(files.target.vocabularySize), the target's", found: "\(model.vocabularySize)")
    }
  }

  public func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter {
    var configuration = settings.draftModelConfiguration
    configuration.shape = settings.trainedShape ?? Self.shape
    if let length = settings.length { configuration.length = length }
    func drafter(_ model: some LanguageModel) throws -> any Drafter {
      try DraftModelDrafter(
        model: model, name: "tiny-lm", capacity: settings.capacity, configuration: configuration)
    }
    guard let adaptation = settings.adaptation else { return try drafter(model) }
    try adaptation.check(hiddenSize: model.hiddenSize)
    return try drafter(AdaptiveModel(model, adaptation))
  }
}
