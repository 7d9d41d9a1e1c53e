import Foundation

/// Writes a safetensors file, tensor by tensor or in smaller pieces, so that nothing needs to
/// be in memory twice. The file appears under its name with `finish()` and not before.
public final class SafetensorsWriter {
  public let path: String

  private let file: AtomicFile
  private let dataStart: Int
  private var places: [String: Place] = [:]

  private struct Place {
    var info: TensorInfo
    var range: Range<Int>
    /// Bytes that are written.
    var filled = 0
  }

  /// Numbers that are converted at a time.
  private static let chunk = 1 << 16

  /// Opens the file and writes its header. The data lies in the order given, except that types
  /// of more bytes come first, which keeps all of it aligned.
  /// - Parameters:
  ///   - tensors: names, types and shapes of all that will be written: F32, F16, BF16, I8, I32,
  ///     I64, U8 or BOOL.
  ///   - metadata: the strings of `__metadata__`.
  /// - Throws: `ModelFileError.malformed` for what the format cannot hold, `.diskFull` when there
  ///   is too little room for all of it, `.unreadable` when the folder cannot be written.
  public init(path: String, tensors: [TensorInfo], metadata: [String: String] = [:]) throws {
    self.path = path
    var header = Header(metadata: metadata)
    var end = 0
    let widths = Set(tensors.map(\.type.blockBytes)).sorted(by: >)
    for info in widths.flatMap({ width in tensors.filter { $0.type.blockBytes == width } }) {
      let size = try Self.size(of: info, path: path)
      guard places[info.name] == nil, info.name != SafetensorsShard.metadataKey else {
        throw ModelFileError.malformed(
          path: path, field: "tensor '\(info.name)'", expected: "a name of its own",
          found: "a name that is taken")
      }
      let (next, overflow) = end.addingReportingOverflow(size)
      guard !overflow else {
        throw ModelFileError.malformed(
          path: path, field: "shape of tensor '\(info.name)'",
          expected: "fewer than 2^63 bytes of all tensors", found: "\(info.shape)")
      }
      places[info.name] = Place(info: info, range: end..<next)
      header.entries[info.name] = Header.Entry(
        dtype: info.type.name, shape: info.shape, offsets: [end, next])
      end = next
    }
    let bytes = try header.bytes()
    dataStart = bytes.count
    file = try AtomicFile(path: path)
    let free = try ModelFetcher.freeSpace(in: file.folder)
    guard dataStart + end <= free else {
      throw ModelFileError.diskFull(path: path, needed: dataStart + end, free: free)
    }
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
  }

  private static func size(of info: TensorInfo, path: String) throws -> Int {
    guard TensorType.safetensors[info.type.name] != nil else {
      throw ModelFileError.malformed(
        path: path, field: "type of tensor '\(info.name)'",
        expected: "one of \(TensorType.safetensors.keys.sorted().joined(separator: ", "))",
        found: info.type.name)
    }
    guard info.shape.allSatisfy({ $0 >= 0 }), let size = info.byteCount else {
      throw ModelFileError.malformed(
        path: path, field: "shape of tensor '\(info.name)'",
        expected: "sizes of at least 0, fewer than 2^63 bytes", found: "\(info.shape)")
    }
    return size
  }

  /// Appends bytes, as the file stores them, to a tensor's data.
  /// - Throws: `ModelFileError.missingTensor`, `.malformed` for more than the tensor holds,
  ///   `.diskFull`, `.unreadable`.
  public func append(bytes: UnsafeRawBufferPointer, to tensor: String) throws {
    let place = try place(of: tensor)
    let filled = place.filled + bytes.count
    guard filled <= place.range.count else {
      throw ModelFileError.malformed(
        path: path, field: "data of tensor '\(tensor)'",
        expected: "\(place.range.count) bytes", found: "\(filled)")
    }
    try file.write(bytes, at: dataStart + place.range.lowerBound + place.filled)
    places[tensor]?.filled = filled
  }

  /// Appends floats to an F32 tensor, or, rounded to the nearest, to a BF16 one.
  /// - Throws: as `append(bytes:to:)`, `.malformed` for a tensor of another type.
  public func append(_ values: UnsafeBufferPointer<Float>, to tensor: String) throws {
    switch try place(of: tensor).info.type {
    case .f32: try append(bytes: UnsafeRawBufferPointer(values), to: tensor)
    case .bf16: try convert(values, to: tensor, bfloat16)
    case let type: throw wrongType(tensor, expected: "F32 or BF16 for floats", found: type)
    }
  }

  /// The same, of an array.
  public func append(_ values: [Float], to tensor: String) throws {
    try values.withUnsafeBufferPointer { try append($0, to: tensor) }
  }

  /// Appends integers to an I8, I32, I64, U8 or BOOL tensor.
  /// - Throws: as `append(bytes:to:)`, `.malformed` for a tensor of another type and for a
  ///   number outside its range.
  public func append<Integer: FixedWidthInteger>(_ values: [Integer], to tensor: String) throws {
    try values.withUnsafeBufferPointer { values in
      switch try place(of: tensor).info.type {
      case .i8: try convert(values, to: tensor, exactly(tensor, Int8.self))
      case .i32: try convert(values, to: tensor, exactly(tensor, Int32.self))
      case .i64: try convert(values, to: tensor, exactly(tensor, Int64.self))
      case .u8: try convert(values, to: tensor, exactly(tensor, UInt8.self))
      case .bool: try convert(values, to: tensor, exactly(tensor, UInt8.self, upTo: 1))
      case let type: throw wrongType(tensor, expected: "a type of integers", found: type)
      }
    }
  }

  /// Completes the file and gives it its name.
  /// - Throws: `ModelFileError.malformed` when a tensor has not all of its data, `.unreadable`,
  ///   `.diskFull`.
  public func finish() throws {
    for (name, place) in places.sorted(by: { $0.key < $1.key })
    where place.filled < place.range.count {
      throw ModelFileError.malformed(
        path: path, field: "data of tensor '\(name)'",
        expected: "\(place.range.count) bytes", found: "\(place.filled)")
    }
    try file.commit()
  }

  // MARK: - Numbers

  /// Converts and appends numbers, a piece at a time.
  private func convert<Value, Stored: FixedWidthInteger>(
    _ values: UnsafeBufferPointer<Value>, to tensor: String, _ transform: (Value) throws -> Stored
  ) throws {
    for start in stride(from: 0, to: values.count, by: Self.chunk) {
      let piece = values[start..<min(start + Self.chunk, values.count)]
      let stored = try [Stored](unsafeUninitializedCapacity: piece.count) { buffer, count in
        for value in piece {
          buffer[count] = try transform(value).littleEndian
          count += 1
        }
      }
      try stored.withUnsafeBytes { try append(bytes: $0, to: tensor) }
    }
  }

  private func exactly<Value: FixedWidthInteger, Stored: FixedWidthInteger>(
    _ tensor: String, _ type: Stored.Type, upTo largest: Stored = .max
  ) -> (Value) throws -> Stored {
    { [path] value in
      guard let stored = Stored(exactly: value), stored <= largest else {
        throw ModelFileError.malformed(
          path: path, field: "data of tensor '\(tensor)'",
          expected: "numbers from \(largest == 1 ? 0 : Stored.min) to \(largest)",
          found: "\(value)")
      }
      return stored
    }
  }

  private func place(of tensor: String) throws -> Place {
    guard let place = places[tensor] else {
      throw ModelFileError.missingTensor(path: path, name: tensor)
    }
    return place
  }

  private func wrongType(
    _ tensor: String, expected: String, found: TensorType
  ) -> ModelFileError {
    .malformed(
      path: path, field: "type of tensor '\(tensor)'", expected: expected, found: found.name)
  }
}

/// The bfloat16 nearest to a float, the even one of two; what is not a number stays so.
private func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
}

/// The header of a safetensors file: a length, then JSON, filled up to a multiple of eight.
private struct Header: Encodable {
  var metadata: [String: String]
  var entries: [String: Entry] = [:]

  struct Entry: Encodable {
    var dtype: String
    var shape: [Int]
    var offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    if !metadata.isEmpty {
      try container.encode(metadata, forKey: Key(stringValue: SafetensorsShard.metadataKey))
    }
    for (name, entry) in entries { try container.encode(entry, forKey: Key(stringValue: name)) }
  }

  func bytes() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var json = Array(try encoder.encode(self))
    json += Array(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    let length = UInt64(json.count).littleEndian
    return Swift.withUnsafeBytes(of: length) { Array($0) } + json
  }
}
