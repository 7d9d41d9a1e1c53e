import LanguageModels
import Speculation

extension DrafterRegistry.Entry {
  static let draftModel = Self(
    name: "draft-model", summary: "a smaller model of the same vocabulary"
  ) { try makeDraftModel($0, $0.draftModelConfiguration) }

  /// The draft model with trees, so that they join the losslessness tests.
  static let draftModelTree = Self(
    name: "draft-model-tree", summary: "a smaller model that grows trees", isReference: true
  ) {
    var configuration = $0.draftModelConfiguration
    configuration.shape = .dynamic(topK: 3)
    return try makeDraftModel($0, configuration)
  }
}

private func makeDraftModel(
  _ settings: DrafterSettings, _ configuration: DraftModelConfiguration
) throws -> any Drafter {
  guard let model = settings.draftingModel else {
    throw SpeculationError.invalidSetting(
      name: "draft model", expected: "a model, which this drafter needs", found: "none")
  }
  return try makeDraftModel(model, settings, configuration)
}

private func makeDraftModel<Model: LanguageModel>(
  _ model: Model, _ settings: DrafterSettings, _ configuration: DraftModelConfiguration
) throws -> any Drafter {
  var configuration = configuration
  if let length = settings.length { configuration.length = length }
  return try DraftModelDrafter(
    model: model, capacity: settings.capacity, configuration: configuration)
}
