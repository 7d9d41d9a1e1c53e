import Foundation
import ModelFiles

extension TextRecords.Record {
  func error(_ field: String, expected: String, found: String) -> TrainingError {
    .line(path: path, line: line, field: name(of: field), expected: expected, found: found)
  }

  /// The line as text, without white space around it.
  /// - Throws: `TrainingError.line`.
  func text() throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error("text", expected: "UTF-8", found: "other bytes")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The record as a JSON value.
  /// - Throws: `TrainingError.line` that names the field.
  func decoded<Value: Decodable>(_ type: Value.Type, by decoder: JSONDecoder) throws -> Value {
    if let flaw { throw error("line", expected: flaw.expected, found: flaw.found) }
    do {
      return try decoder.decode(type, from: bytes)
    } catch let failure as DecodingError {
      throw error(failure)
    }
  }

  private func error(_ failure: DecodingError) -> TrainingError {
    func field(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      let names = keys.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
      return names.isEmpty ? "line" : String(names.joined().drop { $0 == "." })
    }
    switch failure {
    case .keyNotFound(let key, let context):
      return error(field(context, key), expected: "a value", found: "none")
    case .typeMismatch(let type, let context):
      return error(
        field(context), expected: "\(type)", found: "another type: \(context.debugDescription)")
    case .valueNotFound(let type, let context):
      return error(field(context), expected: "\(type)", found: "null")
    case .dataCorrupted(let context):
      return error(
        field(context), expected: "a JSON value of the format",
        found: context.codingPath.isEmpty ? "text that is none" : context.debugDescription)
    @unknown default:
      return error("line", expected: "a JSON value of the format", found: "\(failure)")
    }
  }
}
