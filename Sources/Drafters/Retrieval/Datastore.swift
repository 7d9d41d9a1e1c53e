import ModelFiles

/// Texts to retrieve drafts from: a file of token sequences and the order of their suffixes,
/// mapped into memory, so that only what is looked at is read.
///
/// The file, all numbers little-endian: a header of 64 bytes (magic, version, bytes a token,
/// vocabulary, tokens, documents, bytes of text, size of the file, checksum of the header), the
/// tokens with a separator after each document, padded to 8 bytes, then a suffix array of 4 bytes
/// a token. Suffixes are sorted by their first `sortedDepth` tokens.
public final class Datastore: Sendable {
  public static let sortedDepth = 24
  static let magic: UInt64 = 0x5344_4948_434E_554E  // "NUNCHIDS"
  static let version: UInt32 = 1
  static let headerBytes = 64

  /// What the header says.
  public struct Summary: Sendable, Equatable, Codable {
    /// The hash of the vocabulary it was made with.
    public let vocabulary: UInt64
    /// Tokens, with a separator for each document.
    public let tokens: Int
    public let documents: Int
    /// Bytes of the texts it was made from.
    public let textBytes: Int
    public let bytesPerToken: Int
    /// Bytes of the file.
    public let bytes: Int
  }

  public let summary: Summary
  public let path: String
  private let file: MappedFile
  private let arrayOffset: Int
  /// Suffixes in the array.
  let count: Int

  /// Maps a datastore.
  /// - Parameter vocabulary: the hash that it must have been made with; nil takes any.
  /// - Throws: `StoreError`, or `ModelFileError` for a file that cannot be mapped.
  public init(path: String, vocabulary: UInt64? = nil) throws {
    func malformed(_ field: String, _ expected: String, _ found: some Any) -> StoreError {
      .malformed(path: path, field: field, expected: expected, found: "\(found)")
    }
    file = try MappedFile(path: path)
    self.path = path
    let bytes = file.bytes
    guard bytes.count >= Self.headerBytes else {
      throw malformed("size", "\(Self.headerBytes) bytes or more", bytes.count)
    }
    func number(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func half(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    guard number(0) == Self.magic else {
      throw malformed("magic", "a datastore of nunchi", "another file")
    }
    guard half(8) == Self.version else { throw malformed("version", "\(Self.version)", half(8)) }
    guard number(56) == checksum(UnsafeRawBufferPointer(rebasing: bytes[..<56])) else {
      throw malformed("header", "its checksum", "another one: it is damaged")
    }
    let width = half(12)
    guard width == 2 || width == 4 else { throw malformed("bytes per token", "2 or 4", width) }
    let (tokens, documents) = (number(24), number(32))
    guard tokens < UInt32.max else { throw malformed("tokens", "fewer than 2^32", tokens) }
    guard documents <= tokens else {
      throw malformed("documents", "at most \(tokens), the tokens", documents)
    }
    guard number(40) <= Int.max else { throw malformed("bytes of text", "a size", number(40)) }
    count = Int(tokens - documents)
    arrayOffset = Self.arrayOffset(tokens: Int(tokens), bytesPerToken: Int(width))
    let size = arrayOffset + count * 4
    guard bytes.count == size, number(48) == UInt64(size) else {
      throw malformed("size", "\(size) bytes", "\(bytes.count): it is not whole")
    }
    summary = Summary(
      vocabulary: number(16), tokens: Int(tokens), documents: Int(documents),
      textBytes: Int(number(40)), bytesPerToken: Int(width), bytes: size)
    if let vocabulary, vocabulary != summary.vocabulary {
      throw StoreError.otherVocabulary(path: path)
    }
  }

  static func arrayOffset(tokens: Int, bytesPerToken: Int) -> Int {
    (headerBytes + tokens * bytesPerToken + 7) / 8 * 8
  }

  /// The token at a place; the separator at the end of a document and outside the file.
  @inline(__always)
  func token(at place: Int) -> UInt32 {
    guard place < summary.tokens else { return SuffixArray.separator }
    if summary.bytesPerToken == 2 {
      let token = UInt16(
        littleEndian: file.bytes.loadUnaligned(
          fromByteOffset: Self.headerBytes + place * 2, as: UInt16.self))
      return token == .max ? SuffixArray.separator : UInt32(token)
    }
    return UInt32(
      littleEndian: file.bytes.loadUnaligned(
        fromByteOffset: Self.headerBytes + place * 4, as: UInt32.self))
  }

  /// Where the suffix of a rank begins. A damaged file may say anything: see `token(at:)`.
  @inline(__always)
  func place(ofRank rank: Int) -> Int {
    Int(
      UInt32(
        littleEndian: file.bytes.loadUnaligned(
          fromByteOffset: arrayOffset + rank * 4, as: UInt32.self)))
  }

  /// The ranks of the suffixes that begin with these tokens, at most `sortedDepth` of them.
  public func ranks(of tokens: ArraySlice<Int32>) -> Range<Int> {
    let first = firstRank(from: 0, tokens) { $0 >= 0 }
    return first..<firstRank(from: first, tokens) { $0 > 0 }
  }

  private func firstRank(
    from start: Int, _ tokens: ArraySlice<Int32>, where isReached: (Int) -> Bool
  ) -> Int {
    var (low, high) = (start, count)
    while low < high {
      let middle = low + (high - low) / 2
      if isReached(compare(rank: middle, with: tokens)) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  /// Whether the suffix of a rank comes before the tokens (-1), begins with them (0), or after.
  private func compare(rank: Int, with tokens: ArraySlice<Int32>) -> Int {
    let place = place(ofRank: rank)
    for (offset, wanted) in tokens.enumerated() {
      let found = token(at: place + offset)
      let wanted = UInt32(bitPattern: wanted)
      if found != wanted { return found < wanted ? -1 : 1 }
    }
    return 0
  }
}
