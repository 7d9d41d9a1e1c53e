import Foundation
import ModelFiles
import Tokenization

/// A prompt written from a document.
public struct TextPrompt: Codable, Sendable, Equatable {
  public var id: String
  /// Of the instruction; `code` where it is about source code.
  public var language: String
  public var category: String
  public var prompt: String
  /// The document's group.
  public var document: String
  public var split: Split
}

/// How prompts are written.
public struct TextPromptSettings: Sendable, Equatable {
  public var perLanguage: Int
  /// The longest passage in a prompt; half of it for Korean, Japanese and Chinese, whose
  /// characters say about twice as much.
  public var maximumCharacters: Int
  public var seed: UInt64

  /// - Throws: `TrainingError.setting`.
  public init(perLanguage: Int = 500, maximumCharacters: Int = 900, seed: UInt64 = 1) throws {
    guard perLanguage >= 1 else {
      throw TrainingError.setting(
        name: "per-language", expected: "at least 1", found: "\(perLanguage)")
    }
    guard maximumCharacters >= 200 else {
      throw TrainingError.setting(
        name: "max-characters", expected: "at least 200", found: "\(maximumCharacters)")
    }
    self.perLanguage = perLanguage
    self.maximumCharacters = maximumCharacters
    self.seed = seed
  }
}

/// Writes prompts from a corpus: explain, summarise, translate, continue, question and answer,
/// each in the language of its document, and tasks about code. What comes out depends on the
/// corpus and the seed only; every prompt is in its document's part of the data.
public struct TextPromptWriter {
  /// Written so far.
  public private(set) var prompts: [TextPrompt] = []
  /// Lines of the corpus that are no documents.
  public private(set) var leftOut: [LeftOut] = []

  private let settings: TextPromptSettings
  private let wordings: PromptWordings
  private let documents: [(document: CorpusDocument, split: Split)]
  /// Places of the documents of a group, by language.
  private let translations: [String: [String: Int]]
  private var written: Set<String> = []

  /// Reads a corpus that `CorpusBuilder` wrote.
  /// - Parameter wordingsPath: a YAML file in place of the built-in wordings.
  /// - Throws: `TrainingError` with file and line.
  public init(
    corpus folder: String, settings: TextPromptSettings, wordingsPath: String? = nil
  ) throws {
    self.settings = settings
    if let wordingsPath {
      guard let yaml = String(validating: try Data(reading: wordingsPath), as: UTF8.self) else {
        throw TrainingError.file(path: wordingsPath, reason: "expected UTF-8, found other bytes")
      }
      wordings = try PromptWordings(yaml: yaml, path: wordingsPath)
    } else {
      wordings = try PromptWordings()
    }
    var documents: [(document: CorpusDocument, split: Split)] = []
    let decoder = JSONDecoder()
    for split in Split.allCases {
      let path = "\(folder)/\(split).jsonl"
      guard let data = FileManager.default.contents(atPath: path) else {
        throw TrainingError.file(
          path: path, reason: "expected a part of a corpus (see 'nunchi data corpus'), found none")
      }
      if data.isEmpty { continue }
      try TextRecords(path: path, isJSON: true).forEach(
        leavingOut: &leftOut, read: { try $0.decoded(CorpusDocument.self, by: decoder) }
      ) { documents.append(($0, split)) }
    }
    self.documents = documents
    var translations: [String: [String: Int]] = [:]
    for (place, entry) in documents.enumerated() {
      let language = entry.document.language
      if translations[entry.document.group]?[language] == nil {
        translations[entry.document.group, default: [:]][language] = place
      }
    }
    self.translations = translations
  }

  /// Writes the prompts of every language that the corpus and the wordings have.
  public mutating func write() {
    for language in wordings.languages.keys.sorted() {
      if language == PromptWordings.code {
        writeCode()
      } else {
        writeProse(language)
      }
    }
  }

  /// How many prompts each language that is in the corpus has.
  public var counts: [(language: String, count: Int)] {
    Dictionary(grouping: prompts, by: \.language).mapValues(\.count).sorted { $0.key < $1.key }
      .map { ($0.key, $0.value) }
  }

  /// Writes `train.jsonl`, `validation.jsonl` and `heldout.jsonl`, each mixed by the seed.
  public func write(to folder: String) throws {
    try makeFolder(folder)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    for split in Split.allCases {
      let part = prompts.filter { $0.split == split }.map {
        (stableHash(["\(settings.seed)", $0.id]), $0)
      }.sorted { ($0.0, $0.1.id) < ($1.0, $1.1.id) }
      try writeLines(part.map { try encoder.encode($0.1) }, to: "\(folder)/\(split).jsonl")
    }
  }

  /// The places of documents in an order that the seed draws; a document keeps its rank when
  /// others are added.
  private func order(where isTaken: (CorpusDocument) -> Bool) -> [Int] {
    documents.indices.filter { isTaken(documents[$0].document) }
      .map { (stableHash(["\(settings.seed)", "order", documents[$0].document.id]), $0) }
      .sorted { $0 < $1 }.map(\.1)
  }

  private mutating func writeProse(_ language: String) {
    guard let own = wordings.languages[language] else { return }
    let order = order { $0.language == language }
    let categories = PromptWordings.prose
    var count = 0
    // Twice through all categories; after that a corpus has little new to give.
    for round in 0..<2 * categories.count {
      for (rank, place) in order.enumerated() {
        if count == settings.perLanguage { return }
        let category = categories[(rank + round) % categories.count]
        var random = random(documents[place].document, "\(language) \(round)")
        guard let text = prose(category, own, place, &random) else { continue }
        if add(text, language, category, place, count) { count += 1 }
      }
    }
  }

  private mutating func writeCode() {
    guard let own = wordings.languages[PromptWordings.code] else { return }
    let order = order { $0.isCode }
    // One document of each programming language after the other, as long as they last.
    let byLanguage = Dictionary(grouping: order) { documents[$0].document.language }
    let longest = byLanguage.values.map(\.count).max() ?? 0
    let mixed = (0..<longest).flatMap { rank in
      byLanguage.keys.sorted().compactMap { language -> Int? in
        byLanguage[language].flatMap { rank < $0.count ? $0[rank] : nil }
      }
    }
    var count = 0
    for round in 0..<2 * PromptWordings.programming.count {
      for (rank, place) in mixed.enumerated() {
        if count == settings.perLanguage { return }
        let category = PromptWordings.programming[(rank + round) % PromptWordings.programming.count]
        var random = random(documents[place].document, "code \(round)")
        guard let text = code(category, own, place, &random) else { continue }
        if add(text, PromptWordings.code, category, place, count) { count += 1 }
      }
    }
  }

  private func random(_ document: CorpusDocument, _ purpose: String) -> SeededRandom {
    SeededRandom(seed: stableHash(["\(settings.seed)", purpose, document.id]))
  }

  private mutating func add(
    _ text: String, _ language: String, _ category: String, _ place: Int, _ number: Int
  ) -> Bool {
    guard written.insert(text).inserted else { return false }
    let (document, split) = documents[place]
    prompts.append(
      TextPrompt(
        id: "\(language)-\(category)-\(document.id)-\(number)", language: language,
        category: category, prompt: text, document: document.group, split: split))
    return true
  }

  private func prose(
    _ category: String, _ own: LanguageWordings, _ place: Int, _ random: inout SeededRandom
  ) -> String? {
    var source = documents[place].document
    var kind = category
    var otherName: String?
    if category == "translate" {
      let others = (translations[source.group] ?? [:]).filter {
        $0.key != source.language && own.names?[$0.key] != nil
      }.sorted { $0.key < $1.key }
      guard let other = others.randomElement(using: &random) else { return nil }
      otherName = own.names?[other.key]
      let isReverse = Bool.random(using: &random)
      kind = isReverse ? "translateTo" : "translateFrom"
      if isReverse { source = documents[other.value].document }
    }
    let title = documents[place].document.title.flatMap { $0.count <= 80 ? $0 : nil }
    let possible = (own.categories[kind] ?? []).filter { title != nil || !$0.contains("{title}") }
    guard let wording = possible.randomElement(using: &random) else { return nil }
    var text = ""
    if wording.contains("{text}") {
      guard
        var passage = Passages.prose(
          of: source, atMost: settings.maximumCharacters, using: &random)
      else { return nil }
      if category == "continue" {
        passage = Passages.beginning(of: passage, hasWords: !source.script.hasNoWords, &random)
      }
      text = passage
    }
    return Self.filled(wording, ["title": title, "language": otherName, "text": text])
  }

  private func code(
    _ category: String, _ own: LanguageWordings, _ place: Int, _ random: inout SeededRandom
  ) -> String? {
    let document = documents[place].document
    guard let language = ProgrammingLanguage(rawValue: document.language),
      let wording = own.categories[category]?.randomElement(using: &random),
      var code = Passages.functions(
        in: document.text, language: language, atMost: settings.maximumCharacters
      ).randomElement(using: &random)
    else { return nil }
    if category == "complete" {
      let lines = code.components(separatedBy: "\n")
      let kept = Int(Double(lines.count) * Double.random(in: 0.3..<0.6, using: &random))
      code = lines.prefix(max(2, kept)).joined(separator: "\n")
    }
    return Self.filled(
      wording,
      ["language": language.name, "code": "```\(language.rawValue)\n\(code)\n```"])
  }

  /// The wording with its marks replaced, in one pass: what a passage says is never a mark.
  static func filled(_ wording: String, _ values: [String: String?]) -> String {
    var result = ""
    var rest = Substring(wording)
    while let open = rest.firstIndex(of: "{") {
      result += rest[..<open]
      rest = rest[open...]
      let name = rest.dropFirst().prefix { $0 != "}" }
      if let value = values[String(name)] ?? nil, name.endIndex < rest.endIndex {
        result += value
        rest = rest[name.endIndex...].dropFirst()
      } else {
        result += "{"
        rest = rest.dropFirst()
      }
    }
    return result + rest
  }
}
