/// Tells which languages a text is in from its tokens alone, by how often texts of each language have
/// them: quick enough to be asked at every step, and it needs no characters to be whole.
public struct LanguageShares: Sendable {
  public let languages: [String]
  /// Of each language how probable its tokens are.
  private let probabilities: [[Int32: Float]]

  /// The tokens that count: what was written last.
  public static let recentTokens = 64
  /// What a token counts that a language's list does not have.
  private static let unlisted: Float = 1e-6
  private static let rounds = 8

  /// - Parameter frequent: of each language the tokens of its texts, counted.
  public init(_ frequent: [(language: String, tokens: FrequentTokens)]) {
    languages = frequent.map(\.language)
    probabilities = frequent.map { _, list in
      Dictionary(
        uniqueKeysWithValues: zip(list.tokens, list.counts).map { token, count in
          (token, max(Self.unlisted, Float(count) / Float(max(1, list.total))))
        })
    }
  }

  /// The share of each language in the last tokens, in the order of `languages`; their sum is 1.
  ///
  /// The weights of a mixture under which the tokens are most probable (by expectation
  /// maximisation): of languages that have the same tokens, as many European ones do, the one that
  /// explains all of them takes the others' part.
  public func shares(of tokens: [Int32]) -> [Float] {
    var weights = [Float](repeating: 1 / Float(max(1, languages.count)), count: languages.count)
    guard languages.count > 1 else { return weights }
    let rows = tokens.suffix(Self.recentTokens).compactMap { token -> [Float]? in
      let row = probabilities.map { $0[token] ?? Self.unlisted }
      // What none knows, or all do alike, says nothing.
      return row.contains { $0 > Self.unlisted } ? row : nil
    }
    guard !rows.isEmpty else { return weights }
    for _ in 0..<Self.rounds {
      var next = [Float](repeating: 0, count: weights.count)
      for row in rows {
        var sum: Float = 0
        for index in row.indices { sum += weights[index] * row[index] }
        for index in row.indices { next[index] += weights[index] * row[index] / sum }
      }
      weights = next.map { $0 / Float(rows.count) }
    }
    return weights
  }
}
