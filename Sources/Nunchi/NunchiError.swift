import Foundation

/// What can go wrong between a model's name and its text.
public enum NunchiError: Error, Equatable, Sendable {
  /// Messages for a model that says nowhere how to write them.
  case noChatTemplate(model: String, reason: String)
  case emptyStopString
  case invalidThreads(Int)
}

extension NunchiError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .noChatTemplate(let model, let reason):
      "model \(model): expected a chat template, found \(reason)"
    case .emptyStopString:
      "stop string: expected text, found an empty one"
    case .invalidThreads(let count):
      "threads: expected 1 or more, found \(count)"
    }
  }

  public var errorDescription: String? { description }
}
