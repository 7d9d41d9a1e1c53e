import Foundation
import LanguageModels
import Synchronization

/// The tokens that texts of each language need: what a draft model's output head is cut to while such
/// a text is written (FR-Spec, 2502.14856, for each language). A folder with a file of
/// `FrequentTokens` for each: `ko.json`, `en.json`, …
///
///     let vocabularies = try DraftVocabularies(folder: "vocabularies", vocabularySize: 151_936)
///     settings.draftVocabularies = vocabularies
public final class DraftVocabularies: Sendable {
  public let shares: LanguageShares
  private let tokens: [Set<Int32>]
  /// Heads that were cut already, by model and languages.
  private let heads = Mutex<[Key: OutputHead]>([:])

  private struct Key: Hashable {
    var model: ObjectIdentifier
    var languages: [Int]
  }

  /// A language with a smaller share of the text adds nothing to its vocabulary.
  private static let leastShare: Float = 0.08

  public init(_ frequent: [(language: String, tokens: FrequentTokens)]) {
    shares = LanguageShares(frequent)
    tokens = frequent.map { Set($0.tokens.tokens) }
  }

  /// - Throws: `StoreError`, naming file and field.
  public convenience init(folder: String, vocabularySize: Int) throws {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
      .filter { $0.hasSuffix(".json") }
    guard !names.isEmpty else {
      throw StoreError.malformed(
        path: folder, field: "folder", expected: "files such as ko.json", found: "none")
    }
    self.init(
      try names.map {
        (
          String($0.dropLast(5)),
          try FrequentTokens(path: "\(folder)/\($0)", vocabularySize: vocabularySize)
        )
      })
  }

  public var languages: [String] { shares.languages }

  /// The languages, by place, that a text needs; of a mixed one several.
  func languages(of text: [Int32]) -> [Int] {
    let shares = shares.shares(of: text)
    let needed = shares.indices.filter { shares[$0] >= Self.leastShare }
    return needed.isEmpty ? Array(shares.indices) : needed
  }

  /// A model's head with the tokens of some languages.
  /// - Throws: `LanguageModelError`.
  func head(of model: TransformerModel, languages: [Int]) throws -> OutputHead {
    let key = Key(model: ObjectIdentifier(model), languages: languages)
    return try heads.withLock { heads in
      if let head = heads[key] { return head }
      let union = languages.reduce(into: Set<Int32>()) { $0.formUnion(tokens[$1]) }
      let head = try model.outputHead(tokens: union.sorted())
      heads[key] = head
      return head
    }
  }
}
