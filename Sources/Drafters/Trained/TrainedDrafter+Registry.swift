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
    Entry(trained: "ngram-lm", summary: "what follows the last tokens in texts of the language"),
  ]
}

extension DrafterRegistry.Entry {
  fileprivate init(trained method: String, summary: String) {
    self.init(name: method, summary: summary) { settings in
      let found = settings.trained.filter { $0.method == method }
      guard let trained = found.first else {
        throw SpeculationError.invalidSetting(
          name: "trained drafter", expected: "one of the method \(method)",
          found: settings.trained.first?.method ?? "none")
      }
      guard found.count > 1 else { return try trained.weights.makeDrafter(settings) }
      return try LanguageChoiceDrafter(
        name: method,
        members: try found.map { trained in
          guard trained.weights is TinyLM || trained.weights is EagleWeights,
            let tokens = trained.frequent
          else {
            throw SpeculationError.invalidSetting(
              name: "drafters to choose from by language",
              expected: "tiny-lm, eagle or eagle3, whose output is cut to frequent tokens",
              found: "\(trained.method) in \(trained.folder)")
          }
          return .init(
            label: trained.label, drafter: try trained.weights.makeDrafter(settings),
            tokens: tokens)
        })
    }
  }
}
