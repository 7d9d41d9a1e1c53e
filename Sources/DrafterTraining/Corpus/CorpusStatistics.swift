import Foundation
import Synchronization
import Tokenization

/// What was left out of a corpus.
public struct DroppedDocuments: Sendable, Equatable, Encodable {
  /// Documents that are too short, that equal an earlier one, and that nearly do.
  public var short = 0
  public var equal = 0
  public var near = 0
  /// Documents that are not in the language that their path names.
  public var untranslated = 0
  /// Paragraphs in another language than the rest of their document.
  public var paragraphs = 0
}

/// What a corpus holds, per language.
public struct CorpusStatistics: Sendable, Equatable, Encodable {
  public struct Language: Sendable, Equatable, Encodable {
    public var language: String
    public var script: Script
    public var train = 0
    public var validation = 0
    public var heldout = 0
    /// Unicode scalars of the NFC text, white space included.
    public var characters = 0
    /// What spaces part; none in scripts without spaces, and in code.
    public var words: Int?
    /// Of the tokenizer, if there is one.
    public var tokens: Int?
    /// The fertility: how many tokens a character or a word takes.
    public var tokensPerCharacter: Double?
    public var tokensPerWord: Double?

    public var documents: Int { train + validation + heldout }
  }

  /// The largest first.
  public private(set) var languages: [Language]
  public let dropped: DroppedDocuments
  public let seed: UInt64

  init(
    _ documents: [CorpusDocument], split: CorpusSplit, dropped: DroppedDocuments,
    tokenizer: Tokenizer?
  ) {
    self.dropped = dropped
    seed = split.seed
    let counts = tokenizer.map { Self.tokens(of: documents, $0) }
    var languages: [String: Language] = [:]
    for (index, document) in documents.enumerated() {
      var entry =
        languages[document.language]
        ?? Language(language: document.language, script: document.script)
      switch split.split(of: document.group) {
      case .train: entry.train += 1
      case .validation: entry.validation += 1
      case .heldout: entry.heldout += 1
      }
      entry.characters += document.text.unicodeScalars.count
      if !document.isCode, !document.script.hasNoWords {
        entry.words = (entry.words ?? 0) + document.text.split(whereSeparator: \.isWhitespace).count
      }
      if let counts { entry.tokens = (entry.tokens ?? 0) + counts[index] }
      languages[document.language] = entry
    }
    self.languages = languages.values.map { entry in
      var entry = entry
      let tokens = entry.tokens.map(Double.init)
      entry.tokensPerCharacter = tokens.map { $0 / Double(max(1, entry.characters)) }
      if let tokens, let words = entry.words, words > 0 {
        entry.tokensPerWord = tokens / Double(words)
      }
      return entry
    }.sorted { ($1.characters, $0.language) < ($0.characters, $1.language) }
  }

  /// Tokens of each document, counted on all cores.
  private static func tokens(of documents: [CorpusDocument], _ tokenizer: Tokenizer) -> [Int] {
    let counts = Mutex([Int](repeating: 0, count: documents.count))
    let chunk = 64
    DispatchQueue.concurrentPerform(iterations: (documents.count + chunk - 1) / chunk) { part in
      for index in part * chunk..<min(documents.count, (part + 1) * chunk) {
        let count = tokenizer.encode(
          bytes: Data(documents[index].text.utf8), addSpecial: false, parseSpecial: false
        ).count
        counts.withLock { $0[index] = count }
      }
    }
    return counts.withLock { $0 }
  }
}
