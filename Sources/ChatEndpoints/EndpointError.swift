import Foundation

/// What can go wrong with a server that answers conversations.
public enum EndpointError: Error, Equatable, Sendable {
  case address(found: String)
  /// It gives no answers, or none that can be read.
  case failed(url: String, reason: String)
  /// It does not take these messages, while it may take others.
  case refused(reason: String)
}

extension EndpointError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .address(let found):
      "endpoint: expected an address such as http://host:8000/v1, found \(found)"
    case .failed(let url, let reason): "\(url): \(reason)"
    case .refused(let reason): "the server refused it: \(reason)"
    }
  }

  public var errorDescription: String? { description }
}
