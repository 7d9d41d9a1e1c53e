import Foundation
import Tokenization

/// Passages of documents, short enough for a prompt.
enum Passages {
  /// Some paragraphs that follow each other, or nil when there are none of a useful length.
  static func prose(
    of document: CorpusDocument, atMost longest: Int, using random: inout SeededRandom
  ) -> String? {
    let isDense = document.script.isDense
    let longest = isDense ? longest / 2 : longest
    let shortest = isDense ? 100 : 200
    let shortestParagraph = isDense ? 25 : 60
    // Headings and labels of buttons say nothing.
    let paragraphs = document.text.components(separatedBy: "\n\n")
      .filter { $0.count >= shortestParagraph }
    guard let start = paragraphs.indices.randomElement(using: &random) else { return nil }
    var passage = ""
    var count = 0
    for paragraph in paragraphs[start...] {
      let added = paragraph.count + 1
      if count + added > longest { break }
      passage += (passage.isEmpty ? "" : "\n") + paragraph
      count += added
      if count >= shortest, Double.random(in: 0..<1, using: &random) < 0.4 { break }
    }
    return count >= shortest ? passage : nil
  }

  /// The beginning of a passage, from half of it to nine tenths, to be continued.
  static func beginning(
    of passage: String, hasWords: Bool, _ random: inout SeededRandom
  ) -> String {
    let share = Double.random(in: 0.5..<0.9, using: &random)
    let head = passage.prefix(Int(Double(passage.count) * share))
    guard hasWords, let space = head.lastIndex(where: \.isWhitespace) else { return String(head) }
    return String(head[..<space])
  }

  /// The functions of a source file that have from 200 to so many characters, outdented.
  static func functions(
    in code: String, language: ProgrammingLanguage, atMost longest: Int
  ) -> [String] {
    let lines = code.components(separatedBy: "\n")
    let found = language == .python ? indented(lines) : braced(lines)
    return found.filter { (200...longest).contains($0.count) }
  }

  /// Python's functions and methods: `def`, and all that is indented more.
  private static func indented(_ lines: [String]) -> [String] {
    var found: [String] = []
    var index = 0
    while index < lines.count {
      let indent = lines[index].prefix { $0 == " " }.count
      let body = lines[index].dropFirst(indent)
      guard indent <= 4, body.hasPrefix("def ") || body.hasPrefix("async def ") else {
        index += 1
        continue
      }
      var end = index + 1
      while end < lines.count {
        let next = lines[end]
        let nextIndent = next.prefix { $0 == " " }.count
        // The parameter list may end in a line of its own.
        let isInside =
          nextIndent == next.count || nextIndent > indent
          || (nextIndent == indent && next.dropFirst(indent).hasPrefix(")"))
        if !isInside { break }
        end += 1
      }
      found.append(joined(lines[index..<end].map { String($0.dropFirst(indent)) }))
      index = end
    }
    return found
  }

  /// Functions that begin at the left margin with a line that ends with `{`, up to `}` there.
  private static func braced(_ lines: [String]) -> [String] {
    var found: [String] = []
    var index = 0
    while index < lines.count {
      let line = lines[index]
      let isStart =
        line.first.map { !$0.isWhitespace && $0 != "}" } == true && line.contains("(")
        && line.reversed().first { !$0.isWhitespace } == "{"
      guard isStart, let end = lines[(index + 1)...].firstIndex(where: { $0.hasPrefix("}") })
      else {
        index += 1
        continue
      }
      found.append(joined(lines[index...end]))
      index = end + 1
    }
    return found
  }

  private static func joined(_ lines: some Sequence<String>) -> String {
    lines.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
