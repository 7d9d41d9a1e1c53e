import Foundation
import Yams

/// Settings in YAML files: what a file leaves out keeps its default, and a key that there is not is
/// refused by name.
public enum YAMLSettings {
  /// Reads a file.
  /// - Throws: `ModelFileError`, naming file and field.
  public static func read<Settings: Codable>(
    _ defaults: Settings, path: String
  ) throws -> Settings {
    guard let text = String(validating: try Data(reading: path), as: UTF8.self) else {
      throw ModelFileError.malformed(
        path: path, field: "text", expected: "UTF-8", found: "other bytes")
    }
    return try read(defaults, yaml: text, path: path)
  }

  /// - Parameter path: what errors call the text.
  public static func read<Settings: Codable>(
    _ defaults: Settings, yaml text: String, path: String
  ) throws -> Settings {
    let known = try Yams.compose(yaml: YAMLEncoder().encode(defaults))
    let given: Node?
    do {
      given = try Yams.compose(yaml: text)
    } catch {
      throw ModelFileError.malformed(
        path: path, field: "text", expected: "YAML", found: "\(error)")
    }
    guard let given, let known else { return defaults }
    let merged = try merged(known, given, at: [], path: path)
    do {
      return try YAMLDecoder().decode(Settings.self, from: Yams.serialize(node: merged))
    } catch let error as DecodingError {
      throw ModelFileError(error, path: path)
    }
  }

  /// The defaults with what is given in their places.
  private static func merged(
    _ defaults: Node, _ given: Node, at keys: [String], path: String
  ) throws -> Node {
    guard case .mapping(var result) = defaults else { return given }
    let name = keys.isEmpty ? "the whole" : keys.joined(separator: ".")
    guard case .mapping(let mapping) = given else {
      throw ModelFileError.malformed(
        path: path, field: name, expected: "keys and values", found: "something else")
    }
    let known = result.keys.compactMap(\.string)
    for (key, value) in mapping {
      guard let text = key.string, let old = result[key] else {
        throw ModelFileError.malformed(
          path: path, field: name, expected: known.joined(separator: ", "),
          found: key.string ?? "a key that is no text")
      }
      result[key] = try merged(old, value, at: keys + [text], path: path)
    }
    return .mapping(result)
  }
}

extension ModelFileError {
  /// What a decoder found wrong in a file.
  fileprivate init(_ error: DecodingError, path: String) {
    func field(_ context: DecodingError.Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      self = .malformed(
        path: path, field: field(context), expected: "\(type)", found: "another kind")
    case .dataCorrupted(let context):
      self = .malformed(
        path: path, field: field(context), expected: "a value that fits",
        found: context.debugDescription)
    case .keyNotFound(let key, let context):
      self = .malformed(
        path: path, field: field(context), expected: key.stringValue, found: "nothing")
    @unknown default:
      self = .unreadable(path: path, reason: "\(error)")
    }
  }
}
