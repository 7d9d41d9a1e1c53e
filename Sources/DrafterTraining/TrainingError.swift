import Foundation

/// What goes wrong in data generation and training. Every message names the file or setting, what
/// was expected and what was found.
public enum TrainingError: Error, Equatable, Sendable {
  /// A file that cannot be opened, read or written.
  case file(path: String, reason: String)
  /// One line of a file.
  case line(path: String, line: Int, field: String, expected: String, found: String)
  /// A field of a file that is not made of lines.
  case field(path: String, field: String, expected: String, found: String)
  /// The file system has too little room; sizes in bytes.
  case diskFull(path: String, needed: Int, free: Int)
  /// An option that is out of range.
  case setting(name: String, expected: String, found: String)
  /// A server that does not give answers.
  case endpoint(url: String, reason: String)
}

extension TrainingError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason)"
    case .line(let path, let line, let field, let expected, let found):
      "\(path), line \(line): \(field): expected \(expected), found \(found)"
    case .field(let path, let field, let expected, let found):
      "\(path): \(field): expected \(expected), found \(found)"
    case .diskFull(let path, let needed, let free):
      "\(path): expected \(needed) bytes of free space, found \(free)"
    case .setting(let name, let expected, let found):
      "\(name): expected \(expected), found \(found)"
    case .endpoint(let url, let reason): "\(url): \(reason)"
    }
  }

  public var errorDescription: String? { description }
}
