/// A metadata value of a GGUF file. Integers of every width become `int`.
public enum GGUFValue: Sendable, Equatable {
  case int(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  /// A string that is not valid UTF-8 keeps its bytes.
  case bytes([UInt8])
  case ints([Int])
  case floats([Double])
  case bools([Bool])
  /// Vocabularies and merges: left in the file until asked for.
  case strings(GGUFStrings)
  case array([GGUFValue])

  /// What errors call the kind of value, such as "an array of 12 strings".
  public var kind: String {
    switch self {
    case .int(let value): "the integer \(value)"
    case .float(let value): "the number \(value)"
    case .bool(let value): "the truth value \(value)"
    case .string(let value): "the string '\(value.prefix(40))'"
    case .bytes: "a string that is not valid UTF-8"
    case .ints(let values): "an array of \(values.count) integers"
    case .floats(let values): "an array of \(values.count) numbers"
    case .bools(let values): "an array of \(values.count) truth values"
    case .strings(let values): "an array of \(values.count) strings"
    case .array(let values): "an array of \(values.count) arrays"
    }
  }
}

/// An array of strings that lies in a mapped GGUF file. Its elements are byte strings, since some
/// vocabularies hold bytes that are not valid UTF-8.
public struct GGUFStrings: RandomAccessCollection, Sendable {
  private let file: MappedFile
  /// Offset of each string's first byte; its 64-bit length stands before it, checked by the
  /// parser.
  private let starts: [Int]

  init(file: MappedFile, starts: [Int]) {
    self.file = file
    self.starts = starts
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { starts.count }

  /// The string's bytes as stored.
  public subscript(index: Int) -> [UInt8] { withBytes(at: index) { Array($0) } }

  /// The string, or nil when its bytes are not valid UTF-8.
  public func string(at index: Int) -> String? {
    withBytes(at: index) { String(validating: $0, as: UTF8.self) }
  }

  /// Gives the string's bytes in the mapped file, without a copy.
  public func withBytes<Result>(
    at index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(file) {
      let start = starts[index]
      let length = UInt64(
        littleEndian: file.bytes.loadUnaligned(fromByteOffset: start - 8, as: UInt64.self))
      return try body(
        UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + Int(length)]))
    }
  }
}

extension GGUFStrings: Equatable {
  public static func == (left: Self, right: Self) -> Bool { left.elementsEqual(right) }
}
