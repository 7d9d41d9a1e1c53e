import LanguageModels
import Speculation

extension DrafterRegistry.Entry {
  /// Without a bridge, both models are taken to have the same vocabulary.
  static let crossVocabulary = DrafterRegistry.Entry(
    name: "cross-vocabulary", summary: "a smaller model of another vocabulary"
  ) {
    guard let model = $0.draftingModel else {
      throw SpeculationError.invalidSetting(
        name: "draft model", expected: "a model, which this drafter needs", found: "none")
    }
    return try make(model, $0)
  }

  private static func make<Model: LanguageModel>(
    _ model: Model, _ settings: DrafterSettings
  ) throws -> any Drafter {
    var configuration = settings.crossVocabulary
    if let length = settings.length { configuration.length = length }
    configuration.minimumConfidence = settings.draftModelConfiguration.minimumConfidence
    return try CrossVocabularyDrafter(
      model: model, capacity: settings.capacity, configuration: configuration)
  }
}
