import Foundation
import Tokenization

/// A document of a corpus: one line of `train.jsonl`, `validation.jsonl` or `heldout.jsonl`.
public struct CorpusDocument: Codable, Sendable, Equatable {
  /// A hash of the text, in hexadecimal digits.
  public var id: String
  /// ISO 639-1 (`und` when it cannot be told), or a programming language's name in lower case.
  public var language: String
  public var script: Script
  public var title: String?
  /// NFC; paragraphs are parted by blank lines.
  public var text: String
  /// The file, from the name of the input on, and the line or part behind a `#`.
  public var source: String
  /// What the same page in other languages has too, and the other parts of the same file.
  public var group: String

  /// Whether it is source code.
  public var isCode: Bool { ProgrammingLanguage(rawValue: language) != nil }

  /// The document's line of a file, without the break.
  func line() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }
}

/// A language of source files.
public enum ProgrammingLanguage: String, Sendable, CaseIterable {
  case c
  case cpp
  case go
  case java
  case javascript
  case python
  case rust
  case swift
  case typescript

  /// By the end of a file's name.
  init?(fileExtension: String) {
    switch fileExtension {
    case "c", "h": self = .c
    case "cc", "cpp", "cxx", "hpp", "hh": self = .cpp
    case "go": self = .go
    case "java": self = .java
    case "js", "mjs", "cjs": self = .javascript
    case "py": self = .python
    case "rs": self = .rust
    case "swift": self = .swift
    case "ts": self = .typescript
    default: return nil
    }
  }

  /// Its name for people.
  var name: String {
    switch self {
    case .c: "C"
    case .cpp: "C++"
    case .go: "Go"
    case .java: "Java"
    case .javascript: "JavaScript"
    case .python: "Python"
    case .rust: "Rust"
    case .swift: "Swift"
    case .typescript: "TypeScript"
    }
  }
}
