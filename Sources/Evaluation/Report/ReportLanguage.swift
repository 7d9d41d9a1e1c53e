/// The language of a report's page, of its plots and of their labels. Names of models, drafters and
/// files, and what models wrote, stay as they are.
public enum ReportLanguage: String, Sendable, CaseIterable {
  case en, ko

  /// A text of the table `Phrase`.
  /// - Parameter values: come in the places of {1}, {2} and so on.
  func callAsFunction(_ phrase: Phrase, _ values: String...) -> String {
    var (text, rest) = ("", self[phrase][...])
    // From left to right, so that a value is not searched for places.
    while let open = rest.firstIndex(of: "{") {
      text += rest[..<open]
      let after = rest.index(after: open)
      if let close = rest[after...].firstIndex(of: "}"), let number = Int(rest[after..<close]),
        values.indices.contains(number - 1)
      {
        text += values[number - 1]
        rest = rest[rest.index(after: close)...]
      } else {
        text.append("{")
        rest = rest[after...]
      }
    }
    return text + rest
  }

  /// A word that comes as a value, such as the name of a column or of a category: the table's, or
  /// the word itself where the table has none.
  func word(_ english: String) -> String { Self.words[english].map { self[$0] } ?? english }

  private static let words = Dictionary(
    Phrase.allCases.map { ($0.texts.en, $0) }, uniquingKeysWith: { first, _ in first })

  private subscript(phrase: Phrase) -> String {
    switch self {
    case .en: phrase.texts.en
    case .ko: phrase.texts.ko
    }
  }
}
