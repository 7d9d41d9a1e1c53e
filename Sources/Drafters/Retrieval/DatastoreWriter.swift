import Foundation
import ModelFiles

/// Collects documents and writes a datastore of them.
public struct DatastoreWriter {
  private let vocabulary: UInt64
  private let vocabularySize: Int
  private var tokens: [UInt32] = []
  private var documents = 0
  private var textBytes = 0

  /// - Parameters:
  ///   - vocabulary: a hash of the tokenizer's vocabulary.
  ///   - vocabularySize: all tokens lie below it.
  public init(vocabulary: UInt64, vocabularySize: Int) {
    self.vocabulary = vocabulary
    self.vocabularySize = vocabularySize
  }

  /// Adds the tokens of one text. Nothing is retrieved across the ends of documents.
  /// - Parameter textBytes: the size of the text.
  public mutating func add(_ document: [Int32], textBytes: Int) throws {
    guard !document.isEmpty else { return }
    for token in document where token < 0 || Int(token) >= vocabularySize {
      throw StoreError.malformed(
        path: "document \(documents + 1)", field: "token", expected: "0 to \(vocabularySize - 1)",
        found: "\(token)")
    }
    tokens += document.lazy.map { UInt32($0) }
    tokens.append(SuffixArray.separator)
    documents += 1
    self.textBytes += textBytes
  }

  /// Sorts the suffixes and writes the file, first under another name: whoever has the old one
  /// mapped keeps it, and a kill leaves no half file under this name.
  /// - Throws: `StoreError` or `ModelFileError`.
  public func write(to path: String) throws {
    guard documents > 0 else {
      throw StoreError.unwritable(path: path, reason: "there is no text to put in it")
    }
    guard tokens.count < UInt32.max else {
      throw StoreError.unwritable(
        path: path, reason: "expected fewer than 2^32 tokens, found \(tokens.count)")
    }
    // 0xFFFF is the separator.
    let width = vocabularySize < Int(UInt16.max) ? 2 : 4
    let array = tokens.withUnsafeBufferPointer {
      SuffixArray.sorted($0, vocabularySize: vocabularySize, depth: Datastore.sortedDepth)
    }
    let offset = Datastore.arrayOffset(tokens: tokens.count, bytesPerToken: width)
    var head = header(width: width, size: offset + array.count * 4)
    head.reserveCapacity(offset)
    if width == 2 {
      Self.append(tokens.map { UInt16(truncatingIfNeeded: $0).littleEndian }, to: &head)
    } else {
      Self.append(tokens.map(\.littleEndian), to: &head)
    }
    head += [UInt8](repeating: 0, count: offset - head.count)
    let file = try AtomicFile(path: path)
    try head.withUnsafeBytes { try file.write($0, at: 0) }
    try array.map(\.littleEndian).withUnsafeBytes { try file.write($0, at: offset) }
    try file.commit()
  }

  private func header(width: Int, size: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    Self.append([Datastore.magic.littleEndian], to: &bytes)
    Self.append([Datastore.version.littleEndian, UInt32(width).littleEndian], to: &bytes)
    Self.append(
      [vocabulary, UInt64(tokens.count), UInt64(documents), UInt64(textBytes), UInt64(size)]
        .map(\.littleEndian), to: &bytes)
    Self.append([bytes.withUnsafeBytes(checksum).littleEndian], to: &bytes)
    return bytes
  }

  private static func append(_ numbers: [some FixedWidthInteger], to bytes: inout [UInt8]) {
    numbers.withUnsafeBytes { bytes += $0 }
  }
}
