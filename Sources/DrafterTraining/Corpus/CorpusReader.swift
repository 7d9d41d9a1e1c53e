import Foundation
import ModelFiles

/// Reads texts out of files and folders: plain text, code, HTML, JSON, and parallel texts
/// (tab-separated, or one file a language).
///
/// - `.html`, `.htm`, `.xhtml`: a page is a document.
/// - `.jsonl`, and `.json` that is named itself: a line, or an entry of the array, is a document,
///   made of `text`, `prompt` or the turns of `messages` or `conversations`.
/// - `.tsv`: a line has one text in several languages. A first line of language codes is a header.
/// - `news.en` beside `news.ko`: line by line the same text.
/// - Source code by its usual extensions; every other file that is named itself, and `.txt`,
///   `.text`, `.md` and `.rst` of folders, is plain text. Other files of folders are passed over.
///
/// Texts of the same group are translations of each other: files whose paths are the same but for
/// a language code (`ko/a.html` and `de/a.html`, `a.ko.html` and `a.de.html`).
public struct CorpusReader {
  /// A text as it was found.
  struct RawText {
    var title: String?
    var paragraphs: [String]
    /// If the file tells.
    var language: String?
    /// What the names of the folders or the file say; not always true.
    var expected: String?
    var source: String
    var group: String
  }

  /// Files that are not text are passed over and told to `broken`, rather than thrown.
  public var skipsBroken = false
  /// What was wrong with each of the files that were passed over.
  public private(set) var broken: [TrainingError] = []
  /// Lines of JSON that are no documents.
  public internal(set) var leftOut: [LeftOut] = []
  /// How many files were read.
  public private(set) var files = 0

  /// A line longer than this is a mistake; bytes.
  static let longestLine = 16 << 20

  public init() {}

  /// Hands over the texts of files and folders, in an order that depends on their names only.
  /// - Throws: `TrainingError.file` or `.line`, with file and line, for what is not text.
  mutating func read(_ inputs: [String], _ take: (RawText) throws -> Void) throws {
    for input in inputs {
      let files = try InputFile.files(of: input)
      for file in files {
        do {
          self.files += 1
          try read(file, take)
        } catch let error as TrainingError where skipsBroken {
          broken.append(error)
        }
      }
    }
  }

  private mutating func read(_ file: InputFile, _ take: (RawText) throws -> Void) throws {
    switch file.kind {
    case .lines: try readJSON(file, take)
    case .table: try readTable(file, take)
    case .parallel(let files): try readParallel(file, files, take)
    case .code(let language):
      let text = TextNormalisation.code(try text(of: file))
      guard !text.isEmpty else { return }
      try take(
        RawText(
          paragraphs: [text], language: language.rawValue, source: file.source,
          group: file.source))
    case .html:
      let page = HTMLText(try text(of: file))
      try take(
        RawText(
          title: page.title, paragraphs: page.paragraphs, expected: file.language,
          source: file.source, group: file.group))
    case .text:
      try take(
        RawText(
          paragraphs: Self.paragraphs(try text(of: file)), expected: file.language,
          source: file.source, group: file.group))
    }
  }

  /// The paragraphs of plain text, which blank lines part.
  static func paragraphs(_ text: String) -> [String] {
    TextNormalisation.prose(text).components(separatedBy: "\n\n")
  }

  /// A whole file as text.
  private func text(of file: InputFile) throws -> String {
    let data = try Data(reading: file.path)
    func error(_ end: Data.Index, _ found: String) -> TrainingError {
      let line = data[..<end].count { $0 == 0x0A } + 1
      return .line(path: file.path, line: line, field: "text", expected: "UTF-8", found: found)
    }
    if let zero = data.firstIndex(of: 0) { throw error(zero, "a zero byte; the file is binary") }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw error(Self.firstInvalid(data), "other bytes")
    }
    return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
  }

  /// Where the bytes stop being UTF-8. Line breaks are never inside a character, so it is enough
  /// to find the line.
  private static func firstInvalid(_ data: Data) -> Data.Index {
    var start = data.startIndex
    while start < data.endIndex {
      let end = data[start...].firstIndex(of: 0x0A) ?? data.endIndex
      if String(validating: data[start..<end], as: UTF8.self) == nil { return start }
      start = min(end + 1, data.endIndex)
    }
    return data.endIndex
  }
}
