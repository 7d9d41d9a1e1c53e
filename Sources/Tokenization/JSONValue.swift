/// A JSON value with its strings as bytes: vocabularies hold strings that Swift's `String` would
/// take for one another, since it compares canonically.
enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string([UInt8])
  case array([JSONValue])
  /// In the order of the file.
  case object([(key: [UInt8], value: JSONValue)])

  var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let bytes):
      bytes.count > 60
        ? "a string of \(bytes.count) bytes" : "\"\(String(decoding: bytes, as: UTF8.self))\""
    case .array(let elements): "an array of \(elements.count)"
    case .object(let members): "an object of \(members.count)"
    }
  }

  /// The member of an object; of repeated keys the last, as everywhere.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key.elementsEqual(key.utf8) }?.value
  }

  var text: String? {
    if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  static func == (one: JSONValue, other: JSONValue) -> Bool {
    switch (one, other) {
    case (.null, .null): true
    case (.bool(let one), .bool(let other)): one == other
    case (.integer(let one), .integer(let other)): one == other
    case (.number(let one), .number(let other)): one == other
    case (.string(let one), .string(let other)): one == other
    case (.array(let one), .array(let other)): one == other
    case (.object(let one), .object(let other)):
      one.elementsEqual(other) { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }

  /// Parses a whole document.
  /// - Throws: `TokenizationError.malformedJSON`.
  init(parsing bytes: UnsafeBufferPointer<UInt8>) throws {
    var parser = JSONParser(bytes: bytes)
    self = try parser.document()
  }
}

private struct JSONParser {
  let bytes: UnsafeBufferPointer<UInt8>
  var index = 0
  /// No file of ours nests deeper; the stack has an end.
  static let deepest = 128

  mutating func document() throws -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    if index < bytes.count { throw failure("the end of the file") }
    return value
  }

  func failure(_ expected: String) -> TokenizationError {
    let found =
      index < bytes.count
      ? "\"\(String(decoding: bytes[index..<min(index + 12, bytes.count)], as: UTF8.self))\""
      : "the end of the file"
    return .malformedJSON(offset: index, expected: expected, found: found)
  }

  mutating func skipSpace() {
    while index < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
  }

  mutating func skip(_ byte: UInt8) -> Bool {
    skipSpace()
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.deepest else { throw failure("at most \(Self.deepest) levels of nesting") }
    skipSpace()
    guard index < bytes.count else { throw failure("a value") }
    switch bytes[index] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
    let count = word.utf8CodeUnitCount
    let expected = UnsafeBufferPointer(start: word.utf8Start, count: count)
    guard index + count <= bytes.count,
      UnsafeBufferPointer(rebasing: bytes[index..<(index + count)]).isEqual(to: expected)
    else { throw failure("a value") }
    index += count
    return value
  }

  mutating func object(depth: Int) throws -> JSONValue {
    index += 1
    var members: [(key: [UInt8], value: JSONValue)] = []
    if skip(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw failure("a key") }
      let key = try string()
      guard skip(UInt8(ascii: ":")) else { throw failure("\":\"") }
      members.append((key, try value(depth: depth + 1)))
    } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "}")) else { throw failure("\",\" or \"}\"") }
    return .object(members)
  }

  mutating func array(depth: Int) throws -> JSONValue {
    index += 1
    var elements: [JSONValue] = []
    if skip(UInt8(ascii: "]")) { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "]")) else { throw failure("\",\" or \"]\"") }
    return .array(elements)
  }

  mutating func number() throws -> JSONValue {
    let start = index
    let allowed = Set("+-.0123456789eE".utf8)
    while index < bytes.count, allowed.contains(bytes[index]) { index += 1 }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if let value = Int(text) { return .integer(value) }
    // Swift reads ".5" and "1." as numbers; JSON does not, but nothing depends on it.
    if let value = Double(text), value.isFinite { return .number(value) }
    index = start
    throw failure("a value")
  }

  mutating func string() throws -> [UInt8] {
    index += 1
    let start = index
    while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\")
    {
      index += 1
    }
    var result = Array(bytes[start..<index])
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      if bytes[index] == UInt8(ascii: "\\") {
        try escape(&result)
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    guard index < bytes.count else { throw failure("the end of a string") }
    index += 1
    return result
  }

  mutating func escape(_ result: inout [UInt8]) throws {
    index += 1
    guard index < bytes.count else { throw failure("an escape") }
    let simple: [UInt8: UInt8] = [
      UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "b"): 8,
      UInt8(ascii: "f"): 12, UInt8(ascii: "/"): 47, UInt8(ascii: "\\"): 92, UInt8(ascii: "\""): 34,
    ]
    if let byte = simple[bytes[index]] {
      result.append(byte)
      index += 1
      return
    }
    guard bytes[index] == UInt8(ascii: "u") else { throw failure("an escape") }
    var value = try hexadecimal()
    if (0xD800..<0xDC00).contains(value), index + 1 < bytes.count,
      bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
    {
      index += 1
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low) else { throw failure("the other surrogate") }
      value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw failure("a pair of surrogates") }
    result.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
  }

  /// Four digits after "u".
  mutating func hexadecimal() throws -> UInt32 {
    let digits = bytes[min(index + 1, bytes.count)..<min(index + 5, bytes.count)]
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits") }
    index += 5
    return value
  }
}
