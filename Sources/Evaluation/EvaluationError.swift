import Foundation

/// What can go wrong with the files of a benchmark.
public enum EvaluationError: Error, Equatable, Sendable {
  /// A file that cannot be opened, read or written.
  case file(path: String, reason: String)
  /// One line of a suite or of recorded results.
  case line(path: String, line: Int, field: String, expected: String, found: String)
  /// A suite without a question.
  case noQuestions(path: String)
  /// What a file has in one place.
  case field(path: String, field: String, expected: String, found: String)
}

extension EvaluationError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason)"
    case .line(let path, let line, let field, let expected, let found):
      "\(path), line \(line): \(field): expected \(expected), found \(found)"
    case .noQuestions(let path): "\(path): expected at least one question, found none"
    case .field(let path, let field, let expected, let found):
      "\(path): \(field): expected \(expected), found \(found)"
    }
  }

  public var errorDescription: String? { description }
}
