import Foundation

/// What can be wrong with a model file, a catalogue or a download. Every message names the file,
/// the field, what was expected and what was found.
public enum ModelFileError: Error, Equatable, Sendable {
  /// The file cannot be opened, read or written; the reason is the system's.
  case unreadable(path: String, reason: String)
  /// A field of the file is not what the format demands.
  case malformed(path: String, field: String, expected: String, found: String)
  /// A metadata key that the caller needs is not in the file.
  case missingKey(path: String, key: String, expected: String)
  /// A tensor that the caller needs is not in the file.
  case missingTensor(path: String, name: String)
  /// A tensor is stored in a way that is not read here.
  case unsupportedTensorType(path: String, tensor: String, type: String)
}

extension ModelFileError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "\(path): cannot be used: \(reason)"
    case .malformed(let path, let field, let expected, let found):
      "\(path): \(field): expected \(expected), found \(found)"
    case .missingKey(let path, let key, let expected):
      "\(path): metadata key '\(key)': expected \(expected), found nothing"
    case .missingTensor(let path, let name):
      "\(path): tensor '\(name)': expected in the file, found nothing"
    case .unsupportedTensorType(let path, let tensor, let type):
      "\(path): tensor '\(tensor)': expected one of the types \(Self.knownTypes), "
        + "found \(type)"
    }
  }

  public var errorDescription: String? { description }

  private static let knownTypes = TensorType.allCases.map(\.name).joined(separator: ", ")
}
