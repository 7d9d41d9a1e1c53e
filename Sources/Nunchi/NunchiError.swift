import Foundation

/// What can go wrong between a model's name and its text.
public enum NunchiError: Error, Equatable, Sendable {
  /// Messages for a model that says nowhere how to write them.
  case noChatTemplate(model: String, reason: String)
  case emptyStopString
  case invalidThreads(Int)
  /// A line of a trace that is not what `--trace` writes.
  case malformedTrace(path: String, line: Int, expected: String, found: String)
  /// Nobody has trained a drafter of the method for the model's file.
  case noTrainedDrafter(method: String, model: String, found: String)
}

extension NunchiError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .noChatTemplate(let model, let reason):
      "model \(model): expected a chat template, found \(reason)"
    case .emptyStopString:
      "stop string: expected text, found an empty one"
    case .malformedTrace(let path, let line, let expected, let found):
      "\(path), line \(line): expected \(expected), found \(found)"
    case .noTrainedDrafter(let method, let model, let found):
      "drafter \(method): expected one trained for \(model) "
        + "('nunchi train \(method) --target \(model)' makes it), found \(found)"
    case .invalidThreads(let count):
      "threads: expected 1 or more, found \(count)"
    }
  }

  public var errorDescription: String? { description }
}
