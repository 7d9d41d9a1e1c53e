import Drafters
import Foundation
import ModelFiles
import Nunchi

/// Texts with the languages that they are in, for what is counted by language.
enum LanguageDocuments {
  /// The texts of some files, JSON lines; of conversations the answers. A line that does not say its
  /// language is looked at.
  /// - Parameters:
  ///   - wanted: the languages to read; none takes all.
  /// - Returns: tokens of documents, by language, and the lines that are none.
  /// - Throws: `TrainingError` and `ModelFileError`, naming file and field.
  static func read(
    _ paths: [String], languages wanted: [String], model: Model
  ) throws -> (texts: [String: [[Int32]]], leftOut: [LeftOut]) {
    let detector = LanguageDetector()
    var texts: [String: [[Int32]]] = [:]
    var leftOut: [LeftOut] = []
    for path in paths {
      for (document, named) in try TextDocuments.read(
        path, languages: wanted, model: model, leavingOut: &leftOut)
      {
        for answer in document.answers where answer.count > 1 {
          let tokens = Array(document.tokens[answer])
          let language =
            named
            ?? detector.detect(model.tokenizer.decode(Array(tokens.prefix(512)))).language
          guard wanted.isEmpty || wanted.contains(language) else { continue }
          texts[language, default: []].append(tokens)
        }
      }
    }
    if let missing = wanted.first(where: { texts[$0] == nil }) {
      throw TrainingError.setting(
        name: "language", expected: "one of the data's", found: missing)
    }
    guard !texts.isEmpty else {
      throw TrainingError.file(
        path: paths.joined(separator: ", "), reason: "expected texts, found none")
    }
    return (texts, leftOut)
  }
}

/// Lists of the tokens that each language's texts need, for `DraftVocabularies`.
public struct VocabularyLists {
  public let model: Model
  /// The share of each language's text that its tokens make up, from 0 to 1.
  public var coverage = 0.99
  /// Lines that were no texts.
  public private(set) var leftOut: [LeftOut] = []

  public init(model: Model) {
    self.model = model
  }

  /// Counts, and writes `LANGUAGE.json` for each.
  /// - Returns: tokens of each list, and of the texts.
  /// - Throws: `TrainingError` and `ModelFileError`, naming file and field.
  public mutating func write(
    data: [String], languages: [String] = [], to folder: String
  ) throws -> [(language: String, tokens: Int, text: Int)] {
    try checkRange("coverage", coverage, 0.01...1)
    let (texts, leftOut) = try LanguageDocuments.read(data, languages: languages, model: model)
    self.leftOut = leftOut
    do {
      try createFolder(folder)
    } catch {
      throw TrainingError.file(path: folder, reason: "cannot be made a folder: \(error)")
    }
    return try texts.sorted { $0.key < $1.key }.map { language, documents in
      var counts = [Int](repeating: 0, count: model.transformer.vocabularySize)
      for document in documents {
        for token in document { counts[Int(token)] += 1 }
      }
      let (ends, all) = (model.tokenizer.endOfGeneration, FrequentTokens(counts: counts))
      // What ends a text stands in none, and is drafted all the same.
      let list =
        VocabularyCut(counts: counts, coverage: coverage, always: ends).frequent
        ?? all.prefix(counts.count, always: ends)
      try list.write(to: "\(folder)/\(language).json")
      return (language, list.tokens.count, list.total)
    }
  }
}
