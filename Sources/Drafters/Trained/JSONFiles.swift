import Foundation
import ModelFiles

/// The most bytes of a JSON file beside a drafter's weights.
private let mostBytes = 64_000_000

/// Decodes a JSON file.
/// - Throws: `StoreError`, naming the field.
func readJSON<Value: Decodable>(_ type: Value.Type, path: String) throws -> Value {
  let data: Data
  do {
    data = try Data(contentsOf: URL(fileURLWithPath: path))
  } catch {
    throw StoreError.unreadable(path: path, reason: "expected a file, found none to read")
  }
  guard data.count <= mostBytes else {
    throw StoreError.unreadable(
      path: path, reason: "expected at most \(mostBytes) bytes, found \(data.count)")
  }
  do {
    return try JSONDecoder().decode(type, from: data)
  } catch let error as DecodingError {
    throw StoreError.malformed(error, path: path)
  }
}

/// Writes a JSON file, whole or not at all.
/// - Throws: `ModelFileError`.
func writeJSON(_ value: some Encodable, path: String, pretty: Bool = true) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting =
    pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys]
  try AtomicFile.write(try encoder.encode(value), to: path)
}

extension StoreError {
  fileprivate static func malformed(_ error: DecodingError, path: String) -> StoreError {
    func name(_ keys: [any CodingKey]) -> String {
      keys.isEmpty ? "the whole" : keys.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
      return .malformed(
        path: path, field: name(context.codingPath + [key]), expected: "a value",
        found: "nothing")
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return .malformed(
        path: path, field: name(context.codingPath), expected: "\(type)", found: "another kind")
    case .dataCorrupted(let context):
      return .malformed(
        path: path, field: name(context.codingPath), expected: "JSON",
        found: context.debugDescription)
    @unknown default:
      return .malformed(path: path, field: "the whole", expected: "JSON", found: "\(error)")
    }
  }
}
