import LanguageModels
import Speculation

extension DrafterRegistry.Entry {
  static let affineTree = Self(
    name: "affine-tree", summary: "a smaller model's tree, pruned by predicted acceptance"
  ) { settings in
    guard let model = settings.draftModel ?? settings.tinyLM else {
      throw SpeculationError.invalidSetting(
        name: "draft model", expected: "a model or a tiny-lm, which affine-tree needs",
        found: "none")
    }
    guard settings.crossVocabulary.bridge == nil else {
      throw SpeculationError.incompatibleModel(
        expected: "the target's vocabulary, which affine-tree needs", found: "another")
    }
    return try makeAffineTree(model, settings)
  }
}

private func makeAffineTree<Model: LanguageModel>(
  _ model: Model, _ settings: DrafterSettings
) throws -> any Drafter {
  try AffineTreeDrafter(
    model: model, tree: try settings.affineTree ?? AffineTree(), capacity: settings.capacity,
    length: settings.length, knownText: settings.knownText)
}
