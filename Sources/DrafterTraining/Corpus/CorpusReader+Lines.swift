import Foundation
import ModelFiles

// Files whose lines are documents.
extension CorpusReader {
  mutating func readJSON(_ file: InputFile, _ take: (RawText) throws -> Void) throws {
    let decoder = JSONDecoder()
    func text(of line: TextRecords.Record) throws -> RawText {
      try checkLength(of: line)
      let fields = try line.decoded(TextLine.self, by: decoder)
      guard let text = fields.content, text.contains(where: { !$0.isWhitespace }) else {
        throw line.error(
          "text", expected: "text, prompt, messages or conversations with text in it",
          found: "none")
      }
      let isCode = fields.language.flatMap { ProgrammingLanguage(rawValue: $0) } != nil
      return RawText(
        title: fields.title,
        paragraphs: isCode ? [TextNormalisation.code(text)] : Self.paragraphs(text),
        language: fields.language, source: "\(file.source)#\(line.number)",
        group: fields.group ?? "\(file.group)#\(line.number)")
    }
    var unusable: [LeftOut] = []
    try lines(of: file.path, isJSON: true).forEach(leavingOut: &unusable, read: text, take)
    leftOut += unusable
  }

  func readTable(_ file: InputFile, _ take: (RawText) throws -> Void) throws {
    var languages: [String]?
    var width: Int?
    for line in try lines(of: file.path) {
      let cells = try text(of: line).split(separator: "\t", omittingEmptySubsequences: false)
      if width == nil, cells.allSatisfy({ LanguageCode.of(String($0)) != nil }) {
        languages = cells.compactMap { LanguageCode.of(String($0)) }
        width = cells.count
        continue
      }
      let expected = width ?? cells.count
      width = expected
      guard expected > 1, cells.count == expected else {
        throw line.error(
          "columns", expected: expected > 1 ? "\(expected)" : "at least 2, parted by tabs",
          found: "\(cells.count)")
      }
      for (column, cell) in cells.enumerated() where !cell.allSatisfy(\.isWhitespace) {
        try take(
          RawText(
            paragraphs: Self.paragraphs(String(cell)), language: languages?[column],
            source: "\(file.source)#\(line.number).\(column + 1)",
            group: "\(file.source)#\(line.number)"))
      }
    }
  }

  /// Files of which line N says the same.
  func readParallel(
    _ file: InputFile, _ files: [(language: String, path: String)],
    _ take: (RawText) throws -> Void
  ) throws {
    var first: (path: String, last: Int)?
    for (language, path) in files {
      var last = 0
      for line in try lines(of: path) {
        last = line.number
        let text = try text(of: line)
        try take(
          RawText(
            paragraphs: Self.paragraphs(text), language: language,
            source: "\(file.source).\(language)#\(line.number)",
            group: "\(file.source)#\(line.number)"))
      }
      let expected = first ?? (path, last)
      first = expected
      guard last == expected.last else {
        throw TrainingError.line(
          path: path, line: min(last, expected.last) + 1, field: "lines",
          expected: "\(expected.last) as in \(expected.path)", found: "\(last)")
      }
    }
  }

  private func lines(of path: String, isJSON: Bool = false) throws -> TextRecords {
    do {
      return try TextRecords(path: path, isJSON: isJSON)
    } catch let error as ModelFileError {
      throw TrainingError.file(path: path, reason: "expected lines of text, found \(error)")
    }
  }

  private func checkLength(of line: TextRecords.Record) throws {
    guard line.bytes.count <= Self.longestLine else {
      throw line.error(
        "line", expected: "at most \(Self.longestLine) bytes", found: "\(line.bytes.count)")
    }
  }

  private func text(of line: TextRecords.Record) throws -> String {
    try checkLength(of: line)
    guard !line.bytes.contains(0) else {
      throw line.error("text", expected: "UTF-8", found: "a zero byte; the file is binary")
    }
    // Not trimmed: the first or last cell of a row may be empty.
    guard let text = String(validating: line.bytes, as: UTF8.self) else {
      throw line.error("text", expected: "UTF-8", found: "other bytes")
    }
    return text.hasSuffix("\r") ? String(text.dropLast()) : text
  }
}

/// A line of JSON in any of the usual forms.
private struct TextLine: Decodable {
  struct Message: Decodable {
    var content: String?
    var value: String?
  }

  var text: String?
  var prompt: String?
  var messages: [Message]?
  var conversations: [Message]?
  var title: String?
  var language: String?
  var group: String?

  var content: String? {
    let turns = (messages ?? conversations)?.compactMap { $0.content ?? $0.value }
    return text ?? prompt ?? turns?.joined(separator: "\n\n")
  }
}
