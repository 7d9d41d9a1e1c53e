import Foundation
import ModelFiles
import Tokenization

/// How a corpus is made.
public struct CorpusSettings: Sendable, Equatable {
  public var split: CorpusSplit
  /// Documents with fewer characters are left out.
  public var minimumCharacters: Int
  /// Longer documents are cut, between paragraphs where they have some.
  public var maximumCharacters: Int
  /// The share of 24-byte windows in common from which two texts are the same; above 1 only equal
  /// texts are.
  public var duplicateThreshold: Double

  /// - Throws: `TrainingError.setting`.
  public init(
    split: CorpusSplit, minimumCharacters: Int = 32, maximumCharacters: Int = 16_384,
    duplicateThreshold: Double = 0.8
  ) throws {
    guard minimumCharacters >= 1, maximumCharacters >= max(256, minimumCharacters) else {
      throw TrainingError.setting(
        name: "characters of a document",
        expected: "at least 1, and at most 256 or more",
        found: "\(minimumCharacters) to \(maximumCharacters)")
    }
    self.split = split
    self.minimumCharacters = minimumCharacters
    self.maximumCharacters = maximumCharacters
    self.duplicateThreshold = duplicateThreshold
  }
}

/// Makes a corpus of texts: tells their languages, drops duplicates and splits them. Keeps all
/// texts in memory.
public struct CorpusBuilder {
  /// In the order of the files.
  public private(set) var documents: [CorpusDocument] = []
  public private(set) var dropped = DroppedDocuments()

  private let settings: CorpusSettings
  private let detector = LanguageDetector()
  private var ids: Set<String> = []
  private var near: NearDuplicates

  public init(settings: CorpusSettings) {
    self.settings = settings
    near = NearDuplicates(threshold: settings.duplicateThreshold)
  }

  /// Adds all texts of files and folders.
  /// - Throws: `TrainingError` with the file and line of what cannot be read.
  public mutating func add(_ inputs: [String], with reader: inout CorpusReader) throws {
    try reader.read(inputs) { add($0) }
    guard !documents.isEmpty else {
      throw TrainingError.file(
        path: inputs.joined(separator: ", "), reason: "expected at least one text, found none")
    }
  }

  private mutating func add(_ raw: CorpusReader.RawText) {
    var raw = raw
    guard let detected = language(of: &raw) else {
      dropped.untranslated += 1
      return
    }
    let text = raw.paragraphs.joined(separator: "\n\n")
    let parts = Self.parts(of: text, at: settings.maximumCharacters)
    for (index, part) in parts.enumerated() {
      add(
        CorpusDocument(
          id: "", language: detected.language, script: detected.script, title: raw.title,
          text: part, source: parts.count > 1 ? "\(raw.source)#\(index + 1)" : raw.source,
          group: raw.group))
    }
  }

  private mutating func add(_ document: CorpusDocument) {
    guard document.text.unicodeScalars.count >= settings.minimumCharacters else {
      dropped.short += 1
      return
    }
    var document = document
    let hash = String(stableHash([document.text]), radix: 16)
    document.id = String(repeating: "0", count: 16 - hash.count) + hash
    guard ids.insert(document.id).inserted else {
      dropped.equal += 1
      return
    }
    guard settings.duplicateThreshold > 1 || !near.insert(document.text) else {
      dropped.near += 1
      return
    }
    documents.append(document)
  }

  /// The language that most of a text is in. Paragraphs of others are taken away: half-translated
  /// pages are common. Nil when none of them is in the language that the file's path promises.
  private mutating func language(of raw: inout CorpusReader.RawText) -> LanguageDetector.Detection?
  {
    if let language = raw.language {
      let isCode = ProgrammingLanguage(rawValue: language) != nil
      let text = raw.paragraphs.joined(separator: "\n").prefix(1000)
      return LanguageDetector.Detection(
        language: language, script: isCode ? .latin : ScriptCounts(text).script)
    }
    let detections = raw.paragraphs.map { detector.detect($0) }
    var weights: [LanguageDetector.Detection: Int] = [:]
    for (paragraph, detection) in zip(raw.paragraphs, detections) {
      weights[detection, default: 0] += paragraph.utf8.count
    }
    var known = weights.filter { $0.key.language != LanguageDetector.undetermined }
    if let expected = raw.expected, LanguageDetector.languages.contains(expected), !known.isEmpty {
      known = known.filter { $0.key.language == expected }
      if known.isEmpty { return nil }
    }
    let heaviest = (known.isEmpty ? weights : known).max {
      ($0.value, $1.key.language) < ($1.value, $0.key.language)
    }
    guard let main = heaviest?.key else {
      return LanguageDetector.Detection(
        language: LanguageDetector.undetermined, script: .other)
    }
    let kept = raw.paragraphs.indices.filter {
      [main.language, LanguageDetector.undetermined].contains(detections[$0].language)
    }
    dropped.paragraphs += raw.paragraphs.count - kept.count
    raw.paragraphs = kept.map { raw.paragraphs[$0] }
    return main
  }

  /// A text cut into parts of at most so many characters.
  static func parts(of text: String, at most: Int) -> [String] {
    var parts: [String] = []
    var rest = Substring(text)
    // A character has at most a few scalars; bytes are an upper bound that costs nothing.
    while rest.utf8.count > most,
      let end = rest.index(rest.startIndex, offsetBy: most, limitedBy: rest.endIndex),
      end < rest.endIndex
    {
      let head = rest[..<end]
      let cut =
        head.range(of: "\n\n", options: .backwards)?.upperBound
        ?? head.lastIndex(where: \.isWhitespace).map(head.index(after:)) ?? end
      parts.append(rest[..<cut].trimmingCharacters(in: .whitespacesAndNewlines))
      rest = rest[cut...]
    }
    parts.append(parts.isEmpty ? String(rest) : rest.trimmingCharacters(in: .newlines))
    return parts.filter { !$0.isEmpty }
  }

  /// Writes `train.jsonl`, `validation.jsonl`, `heldout.jsonl` and `statistics.json`. Each appears
  /// when it is complete.
  /// - Parameter tokenizer: counts tokens.
  /// - Throws: `TrainingError.file` or `ModelFileError` when the folder cannot be written.
  public func write(to folder: String, tokenizer: Tokenizer? = nil) throws -> CorpusStatistics {
    let statistics = CorpusStatistics(
      documents, split: settings.split, dropped: dropped, tokenizer: tokenizer)
    try makeFolder(folder)
    let parts = Dictionary(grouping: documents) { settings.split.split(of: $0.group) }
    for split in Split.allCases {
      try writeLines((parts[split] ?? []).map { try $0.line() }, to: "\(folder)/\(split).jsonl")
    }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(statistics), to: "\(folder)/statistics.json")
    return statistics
  }
}

/// Writes lines as a file that appears when it is complete.
func writeLines(_ lines: [Data], to path: String) throws {
  var data = Data(capacity: lines.reduce(0) { $0 + $1.count + 1 })
  for line in lines {
    data.append(line)
    data.append(0x0A)
  }
  try AtomicFile.write(data, to: path)
}
