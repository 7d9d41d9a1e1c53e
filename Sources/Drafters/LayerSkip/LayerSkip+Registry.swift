import LanguageModels
import Speculation

extension DrafterRegistry.Entry {
  static let layerSkip = Self(
    name: "layer-skip", summary: "the target with some layers left out, found on the prompt"
  ) { settings in
    try layerSkip(settings, name: "layer-skip") { _ in settings.layerSkip }
  }

  static let earlyExit = Self(
    name: "early-exit", summary: "the first half of the target's layers"
  ) {
    try layerSkip($0, name: "early-exit") { .earlyExit(after: $0 / 2, of: $0) }
  }

  private static func layerSkip(
    _ settings: DrafterSettings, name: String,
    _ configuration: (Int) -> LayerSkipConfiguration
  ) throws -> any Drafter {
    guard let target = settings.target else {
      throw SpeculationError.invalidSetting(
        name: "target", expected: "the target model, which this drafter needs", found: "none")
    }
    return try drafter(target, name: name, configuration(target.layerCount))
  }

  private static func drafter<Model: LanguageModel>(
    _ target: Model, name: String, _ configuration: LayerSkipConfiguration
  ) throws -> any Drafter {
    try LayerSkipDrafter(target: target, name: name, configuration: configuration)
  }
}
