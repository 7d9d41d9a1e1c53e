/// Reads little-endian values from bytes in order; every read is checked against the end.
struct ByteReader {
  let path: String
  let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ file: MappedFile) {
    path = file.path
    bytes = file.bytes
  }

  var remaining: Int { bytes.count - offset }

  mutating func integer<T: FixedWidthInteger>(
    _ type: T.Type = T.self, _ field: @autoclosure () -> String
  ) throws -> T {
    let start = offset
    try skip(MemoryLayout<T>.size, field())
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
  }

  /// A 64-bit count or length that must fit in what is left when each unit needs `unit` bytes.
  mutating func count(
    ofAtLeast unit: Int, _ field: @autoclosure () -> String
  ) throws -> Int {
    let count = try integer(UInt64.self, field())
    guard count <= UInt64(remaining / unit) else {
      throw ModelFileError.malformed(
        path: path, field: field(),
        expected: "at most \(remaining / unit) (\(remaining) bytes are left)", found: "\(count)")
    }
    return Int(count)
  }

  /// A string: a 64-bit length and that many bytes.
  mutating func string(_ field: @autoclosure () -> String) throws -> UnsafeRawBufferPointer {
    let length = try count(ofAtLeast: 1, "length of \(field())")
    let start = offset
    offset += length
    return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
  }

  mutating func skip(_ count: Int, _ field: @autoclosure () -> String) throws {
    guard count <= remaining else {
      throw ModelFileError.malformed(
        path: path, field: field(), expected: "\(count) bytes at offset \(offset)",
        found: "the end of the file at \(bytes.count)")
    }
    offset += count
  }

  /// `count` numbers that stand one after another, which the caller knows to be in the file.
  mutating func array<T: FixedWidthInteger, Result>(
    of type: T.Type, count: Int, _ field: @autoclosure () -> String,
    transform: (T) throws -> Result
  ) throws -> [Result] {
    let start = offset
    try skip(count * MemoryLayout<T>.size, field())
    var results: [Result] = []
    results.reserveCapacity(count)
    for index in 0..<count {
      let value = bytes.loadUnaligned(
        fromByteOffset: start + index * MemoryLayout<T>.size, as: T.self)
      results.append(try transform(T(littleEndian: value)))
    }
    return results
  }
}
