import Foundation

/// What can go wrong between logits and a token.
public enum SamplingError: Error, Equatable, Sendable {
  /// A sampling parameter outside its range.
  case invalidParameter(name: String, expected: String, found: String)
  /// No logit of a row is an ordinary number, or one is infinite: the model or its file is broken.
  case logitsNotFinite(vocabularySize: Int)
}

extension SamplingError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .invalidParameter(let name, let expected, let found):
      "sampling parameter \(name): expected \(expected), found \(found)"
    case .logitsNotFinite(let size):
      "logits: expected finite numbers, found none or an infinite maximum among \(size)"
    }
  }

  public var errorDescription: String? { description }
}
