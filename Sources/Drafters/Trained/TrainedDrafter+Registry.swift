import Speculation

extension DrafterRegistry {
  /// Entries that draft with `DrafterSettings.trained`.
  public static let trained = trainedEntries.map(\.name)

  static let trainedEntries = [
    Entry(trained: "medusa", summary: "trained heads, each for a token further ahead"),
    Entry(trained: "hydra", summary: "trained heads that see the drafted tokens before them"),
    Entry(trained: "eagle", summary: "a trained layer on the target's own last state"),
    Entry(trained: "eagle3", summary: "the same on three of the target's states, fused"),
    Entry(trained: "tiny-lm", summary: "a tiny language model trained for the target"),
  ]
}

extension DrafterRegistry.Entry {
  fileprivate init(trained method: String, summary: String) {
    self.init(name: method, summary: summary) { settings in
      guard let trained = settings.trained, trained.method == method else {
        throw SpeculationError.invalidSetting(
          name: "trained drafter", expected: "one of the method \(method)",
          found: settings.trained?.method ?? "none")
      }
      return try trained.weights.makeDrafter(settings)
    }
  }
}
