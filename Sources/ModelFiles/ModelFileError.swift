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
  /// No catalogue holds the name and no file has it as its path.
  case unknownModel(name: String, near: [String], known: [String])
  /// No model of the catalogue belongs to the category.
  case unknownCategory(name: String, known: [String])
  /// The catalogue knows the model, but its file is not in the cache.
  case notFetched(name: String, path: String)
  /// A program that fetching needs is not installed.
  case missingProgram(name: String, purpose: String)
  /// A source did not give the file.
  case download(source: String, reason: String)
  /// A downloaded or cached file is not the one that the catalogue describes.
  case wrongChecksum(path: String, expected: String, found: String)
  /// The file system has too little room; sizes in bytes.
  case diskFull(path: String, needed: Int, free: Int)
  /// What reads a FIFO, or standard output, has ended.
  case noReader(path: String)

  /// What a call on a file failed of.
  /// - Parameter needed: the bytes that were to be written.
  public init(path: String, _ error: SystemError, needed: Int = 0) {
    if error.isDiskFull {
      self = .diskFull(path: path, needed: needed, free: 0)
    } else if error.code == EPIPE {
      self = .noReader(path: path)
    } else {
      self = .unreadable(path: path, reason: error.description)
    }
  }
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
    case .unknownModel(let name, let near, let known):
      "unknown model '\(name)': expected a path to a .gguf file, a folder with config.json and "
        + "*.safetensors, hf:OWNER/REPO, or one of \(known.joined(separator: ", "))"
        + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: " or "))?")
    case .unknownCategory(let name, let known):
      "unknown category '\(name)': expected one of \(known.joined(separator: ", "))"
    case .notFetched(let name, let path):
      "model '\(name)': expected its file at \(path), found nothing; "
        + "fetch it with: nunchi models fetch \(name)"
    case .missingProgram(let name, let purpose):
      "the program '\(name)' is needed \(purpose), but it is not in PATH"
    case .download(let source, let reason):
      "\(source): download failed: \(reason)"
    case .wrongChecksum(let path, let expected, let found):
      "\(path): \(expected.utf8.count == 40 ? "git's sha1" : "sha256"): expected \(expected), "
        + "found \(found)"
    case .diskFull(let path, let needed, let free):
      "\(path): free disk space: expected at least \(needed) bytes, found \(free)"
    case .noReader(let path):
      "\(path): expected a reader, found that it has ended"
    }
  }

  public var errorDescription: String? { description }

  private static let knownTypes = TensorType.weights.map(\.name).joined(separator: ", ")
}
