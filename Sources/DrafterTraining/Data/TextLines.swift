import Foundation
import ModelFiles

/// The lines of a file in order, read as they are asked for: the file is mapped, never copied
/// whole.
///
/// Blank lines are left out, but counted.
struct TextLines: Sequence {
  struct Line {
    /// Of the file.
    var path: String
    /// From 1.
    var number: Int
    /// Without the line break. Copied out of the file.
    var bytes: Data
    /// Where these bytes stand in the file.
    var range: Range<Int>
  }

  private let file: MappedFile

  var path: String { file.path }

  /// - Throws: `ModelFileError` when the file cannot be read, or is empty.
  init(path: String) throws {
    file = try MappedFile(path: path)
  }

  /// Bytes of the file, copied.
  func bytes(_ range: Range<Int>) -> Data { withExtendedLifetime(file) { Data(file.bytes[range]) } }

  func makeIterator() -> Iterator { Iterator(file: file) }

  struct Iterator: IteratorProtocol {
    private let file: MappedFile
    private var offset: Int
    private var number = 0

    init(file: MappedFile) {
      self.file = file
      let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
      offset = file.bytes.starts(with: byteOrderMark) ? 3 : 0
    }

    mutating func next() -> Line? {
      while offset < file.bytes.count {
        let rest = file.bytes[offset...]
        let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
        let isWindows = end > offset && rest[end - 1] == UInt8(ascii: "\r")
        let bytes = rest[offset..<(isWindows ? end - 1 : end)]
        offset = end + 1
        number += 1
        guard bytes.contains(where: { $0 > 0x20 }) else { continue }
        return Line(path: file.path, number: number, bytes: Data(bytes), range: bytes.indices)
      }
      return nil
    }
  }
}

extension TextLines.Line {
  func error(_ field: String, expected: String, found: String) -> TrainingError {
    .line(path: path, line: number, field: field, expected: expected, found: found)
  }

  /// The line as text, without white space around it.
  /// - Throws: `TrainingError.line`.
  func text() throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error("text", expected: "UTF-8", found: "other bytes")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The line as a JSON value.
  /// - Throws: `TrainingError.line` that names the field.
  func decoded<Value: Decodable>(_ type: Value.Type, by decoder: JSONDecoder) throws -> Value {
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
