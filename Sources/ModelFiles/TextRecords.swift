import Foundation

/// The records of a text file in order, read as they are asked for: the file is mapped, never
/// copied whole. A record is
/// - a line, of plain text or of JSON lines,
/// - an entry of a JSON array, as data sets are published,
/// - or a JSON object of several lines, one after another.
///
///     for record in try TextRecords(path: "sharegpt.json") {
///       let value = try JSONDecoder().decode(Value.self, from: record.bytes)
///     }
///
/// A record that is no JSON comes as it is; what reads it refuses it, and goes on with the next.
public struct TextRecords: Sequence, Sendable {
  public struct Record: Sendable {
    /// Of the file.
    public var path: String
    /// The line that it begins in, from 1.
    public var line: Int
    /// The line, or the entry's place in its array; from 1.
    public var number: Int
    /// What names the record in its line: `[0]` for an array's first entry, nothing for a line.
    public var field: String
    /// Without the line break. Copied out of the file.
    public var bytes: Data
    /// Where these bytes stand in the file.
    public var range: Range<Int>
    /// Why it is no whole record; nil for one that is.
    public var flaw: Flaw?

    /// What errors call a field of it, such as `[0].turns`, or `line` for the whole.
    public func name(of field: String) -> String {
      if self.field.isEmpty { return field }
      if field == "line" { return self.field }
      return self.field + (field.hasPrefix("[") ? "" : ".") + field
    }
  }

  /// What a file should have where a record stands that is none.
  public struct Flaw: Sendable, Equatable {
    public var expected: String
    public var found: String
  }

  private enum Form {
    case lines, array, objects
  }

  public let path: String
  /// Whether the records are to be read as JSON.
  public let isJSON: Bool
  private let data: Data
  private let form: Form

  /// - Parameters:
  ///   - path: what errors call it; `.json` and `.jsonl` are read as JSON whatever they begin with.
  ///   - isJSON: nil decides by the name and the beginning; false takes every line as text.
  public init(_ data: Data, path: String, isJSON: Bool? = nil) {
    self.path = path
    self.data = data
    let (found, form) = data.withUnsafeBytes { bytes in
      let scanner = JSONScanner(bytes)
      let start = scanner.spaceEnd(from: Self.start(of: bytes))
      let first = start < bytes.count ? bytes[start] : 0
      let json =
        isJSON
        ?? (path.hasSuffix(".jsonl") || path.hasSuffix(".json") || first == UInt8(ascii: "{")
          || scanner.beginsArrayOfObjects(at: start))
      guard json else { return (false, Form.lines) }
      if first == UInt8(ascii: "[") { return (true, .array) }
      return (true, scanner.beginsObjectOfLines(at: start) ? .objects : .lines)
    }
    self.isJSON = found
    self.form = form
  }

  /// - Throws: `ModelFileError` when the file cannot be read, or is empty.
  public init(path: String, isJSON: Bool? = nil) throws {
    let file = try MappedFile(path: path)
    let address = UnsafeMutableRawPointer(mutating: file.bytes.baseAddress)
    let data = address.map {
      Data(
        bytesNoCopy: $0, count: file.bytes.count,
        deallocator: .custom { _, _ in withExtendedLifetime(file) {} })
    }
    self.init(data ?? Data(), path: path, isJSON: isJSON)
  }

  /// Bytes of the file, copied.
  public func bytes(_ range: Range<Int>) -> Data {
    data.withUnsafeBytes { Data($0[range]) }
  }

  public func makeIterator() -> Iterator { Iterator(self) }

  private static func start(of bytes: UnsafeRawBufferPointer) -> Int {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  public struct Iterator: IteratorProtocol {
    private let records: TextRecords
    private var offset: Int
    /// Of the byte at `offset`.
    private var line = 1
    private var count = 0
    /// Whether an array's first bracket, and its last, are behind.
    private var isOpen = false
    private var isClosed = false

    fileprivate init(_ records: TextRecords) {
      self.records = records
      offset = records.data.withUnsafeBytes(TextRecords.start(of:))
    }

    public mutating func next() -> Record? {
      let data = records.data
      return data.withUnsafeBytes { bytes in
        switch records.form {
        case .lines: nextLine(bytes)
        case .array: nextEntry(JSONScanner(bytes))
        case .objects: nextObject(JSONScanner(bytes))
        }
      }
    }

    private mutating func nextLine(_ bytes: UnsafeRawBufferPointer) -> Record? {
      while offset < bytes.count {
        let start = offset
        let end = JSONScanner(bytes).lineEnd(from: start)
        let isWindows = end > start && bytes[end - 1] == UInt8(ascii: "\r")
        let range = start..<(isWindows ? end - 1 : end)
        let number = line
        offset = end + 1
        line += 1
        if bytes[range].contains(where: { $0 > 0x20 }) {
          return record(bytes, range, line: number, number: number)
        }
      }
      return nil
    }

    private mutating func nextEntry(_ scanner: JSONScanner) -> Record? {
      if !isOpen {
        isOpen = true
        // Past the bracket.
        move(to: scanner.spaceEnd(from: offset) + 1, scanner)
      }
      var start = scanner.spaceEnd(from: offset)
      while !isClosed, start < scanner.bytes.count, scanner.bytes[start] == UInt8(ascii: ",") {
        start = scanner.spaceEnd(from: start + 1)
      }
      move(to: start, scanner)
      if !isClosed, start < scanner.bytes.count, scanner.bytes[start] == UInt8(ascii: "]") {
        isClosed = true
        start = scanner.spaceEnd(from: start + 1)
        move(to: start, scanner)
      }
      if isClosed {
        guard start < scanner.bytes.count else { return nil }
        // What follows an array belongs to nothing.
        return rest(
          of: scanner, from: start, Flaw(expected: "the end of the file", found: "more text"))
      }
      let end = scanner.entryEnd(from: start)
      guard end < scanner.bytes.count else {
        isClosed = true
        return rest(
          of: scanner, from: start,
          Flaw(expected: "an entry, then \"]\"", found: "the end of the file"))
      }
      return take(scanner, start..<end)
    }

    private mutating func nextObject(_ scanner: JSONScanner) -> Record? {
      move(to: scanner.spaceEnd(from: offset), scanner)
      guard offset < scanner.bytes.count else { return nil }
      guard scanner.bytes[offset] == UInt8(ascii: "{") else {
        return take(scanner, offset..<scanner.lineEnd(from: offset))
      }
      guard let end = scanner.objectEnd(from: offset) else {
        return rest(
          of: scanner, from: offset, Flaw(expected: "\"}\"", found: "the end of the file"))
      }
      return take(scanner, offset..<end)
    }

    /// A record that is no whole one: the rest of the file.
    private mutating func rest(of scanner: JSONScanner, from start: Int, _ flaw: Flaw) -> Record {
      var record = take(scanner, start..<start)
      record.flaw = flaw
      move(to: scanner.bytes.count, scanner)
      return record
    }

    private mutating func take(_ scanner: JSONScanner, _ range: Range<Int>) -> Record {
      var record = record(scanner.bytes, range, line: line, number: count + 1)
      if records.form == .array { record.field = "[\(count)]" }
      count += 1
      move(to: range.upperBound, scanner)
      return record
    }

    /// Goes on to a later byte, and counts the lines between.
    private mutating func move(to end: Int, _ scanner: JSONScanner) {
      guard offset < scanner.bytes.count else { return }
      line += scanner.lineBreaks(in: offset..<end)
      offset = end
    }

    private func record(
      _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, line: Int, number: Int
    ) -> Record {
      Record(
        path: records.path, line: line, number: number, field: "", bytes: Data(bytes[range]),
        range: range)
    }
  }
}

/// Finds where values of JSON end, without reading what they say.
private struct JSONScanner {
  let bytes: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  func spaceEnd(from start: Int) -> Int {
    var index = start
    while index < bytes.count, bytes[index] <= 0x20 { index += 1 }
    return min(index, bytes.count)
  }

  func lineEnd(from start: Int) -> Int {
    guard start < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + start, 0x0A, bytes.count - start)
    else { return bytes.count }
    return UnsafeRawPointer(found) - base
  }

  func lineBreaks(in range: Range<Int>) -> Int {
    var count = 0
    var index = lineEnd(from: range.lowerBound)
    while index < range.upperBound {
      count += 1
      index = lineEnd(from: index + 1)
    }
    return count
  }

  /// Where an array's entry ends: at the comma or bracket after it; the file's end without one.
  func entryEnd(from start: Int) -> Int { end(from: start, ofObject: false) ?? bytes.count }

  /// The end of an object; nil when the file ends before it does.
  func objectEnd(from start: Int) -> Int? { end(from: start, ofObject: true) }

  /// Whether an array begins here, of objects: other text may begin with a bracket too.
  func beginsArrayOfObjects(at start: Int) -> Bool {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "[") else { return false }
    let next = spaceEnd(from: start + 1)
    return next < bytes.count && bytes[next] == UInt8(ascii: "{")
  }

  /// Whether an object begins here that does not end in its line. One that is torn is none: it is
  /// a line among others.
  func beginsObjectOfLines(at start: Int) -> Bool {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "{"),
      let end = objectEnd(from: start), end > lineEnd(from: start)
    else { return false }
    return (try? JSONSerialization.jsonObject(with: Data(bytes[start..<end]))) != nil
  }

  private func end(from start: Int, ofObject: Bool) -> Int? {
    var index = start
    var depth = 0
    var isText = false
    while index < bytes.count {
      let byte = bytes[index]
      if isText {
        if byte == UInt8(ascii: "\\") {
          index += 1
        } else if byte == UInt8(ascii: "\"") {
          isText = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isText = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if depth == 0 { return index }
          depth -= 1
          if depth == 0, ofObject { return index + 1 }
        case UInt8(ascii: ","):
          if depth == 0 { return index }
        default: break
        }
      }
      index += 1
    }
    return nil
  }
}
