/// Many byte strings in one buffer: vocabularies hold pieces that are not valid UTF-8, and Swift's
/// `String` takes canonically equivalent pieces (NFC and NFD "é") for one.
public struct ByteStrings: Sendable, Equatable, RandomAccessCollection {
  private(set) var storage: [UInt8] = []
  /// Where each string ends; it begins where the one before it ends.
  private var ends: [Int] = []

  public init() {}

  public init(_ strings: some Sequence<String>) {
    for string in strings { append(string.utf8) }
  }

  /// Adds one string to the end.
  public mutating func append(_ bytes: some Sequence<UInt8>) {
    storage.append(contentsOf: bytes)
    ends.append(storage.count)
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { ends.count }

  /// Where the string's bytes lie in the buffer.
  func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  public subscript(position: Int) -> ArraySlice<UInt8> { storage[range(position)] }

  /// The string as text; bytes that are not UTF-8 become U+FFFD.
  public func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }
}
