import Foundation

/// What can go wrong with tokenizers and chat templates. Every message names the field or line, what
/// was expected and what was found.
public enum TokenizationError: Error, Equatable, CustomStringConvertible, LocalizedError {
  /// The tokenizer's file or metadata does not hold what a tokenizer needs.
  case invalid(field: String, expected: String, found: String)
  /// The text of a JSON file is not JSON.
  case malformedJSON(offset: Int, expected: String, found: String)
  /// A chat template that cannot be parsed, or that fails while it runs.
  case template(line: Int, expected: String, found: String)
  /// A chat template called `raise_exception`.
  case templateRaised(String)

  public var description: String {
    switch self {
    case .invalid(let field, let expected, let found):
      "tokenizer: \(field): expected \(expected), found \(found)"
    case .malformedJSON(let offset, let expected, let found):
      "tokenizer JSON, byte \(offset): expected \(expected), found \(found)"
    case .template(let line, let expected, let found):
      "chat template, line \(line): expected \(expected), found \(found)"
    case .templateRaised(let message):
      "chat template refused the conversation: \(message)"
    }
  }

  public var errorDescription: String? { description }
}
