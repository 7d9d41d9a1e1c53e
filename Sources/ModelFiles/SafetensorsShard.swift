import Foundation

/// One file in the safetensors format: a 64-bit header length, a JSON header, the data.
final class SafetensorsShard: Sendable {
  let path: String
  let tensors: [String: TensorInfo]
  let metadata: [String: String]

  private let file: MappedFile
  private let ranges: [String: Range<Int>]

  /// The limit of the reference implementation.
  private static let maximumHeader = 100_000_000

  init(path: String) throws {
    file = try MappedFile(path: path)
    self.path = path
    var reader = ByteReader(file)
    let length = try reader.count(ofAtLeast: 1, "header length")
    guard length <= Self.maximumHeader else {
      throw ModelFileError.malformed(
        path: path, field: "header length", expected: "at most \(Self.maximumHeader) bytes",
        found: "\(length)")
    }
    let dataStart = reader.offset + length
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(file.bytes[8..<dataStart]))
    } catch {
      throw ModelFileError.malformed(
        path: path, field: "header", expected: "a JSON object that describes tensors",
        found: SafetensorsFile.describe(error))
    }
    metadata = header.metadata
    (tensors, ranges) = try Self.check(
      header.tensors, path: path, dataStart: dataStart, fileSize: file.bytes.count)
  }

  func data(of name: String) -> UnsafeRawBufferPointer? {
    ranges[name].map { UnsafeRawBufferPointer(rebasing: file.bytes[$0]) }
  }

  func releasePages(of name: String) {
    if let range = ranges[name] { file.releasePages(range) }
  }

  // MARK: - Header

  private struct Entry: Decodable {
    var dtype: String
    var shape: [Int]
    var offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  static let metadataKey = "__metadata__"

  /// Every key is a tensor's name, except `__metadata__`.
  private struct Header: Decodable {
    var tensors: [String: Entry] = [:]
    var metadata: [String: String] = [:]

    private struct Key: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      for key in container.allKeys {
        if key.stringValue == SafetensorsShard.metadataKey {
          metadata = try container.decode([String: String].self, forKey: key)
        } else {
          tensors[key.stringValue] = try container.decode(Entry.self, forKey: key)
        }
      }
    }
  }

  /// Checks that the tensors' data covers the file, each following the one before it: overlaps,
  /// holes and names given twice all break that.
  private static func check(
    _ entries: [String: Entry], path: String, dataStart: Int, fileSize: Int
  ) throws -> ([String: TensorInfo], [String: Range<Int>]) {
    var tensors: [String: TensorInfo] = [:]
    var ranges: [String: Range<Int>] = [:]
    let dataSize = fileSize - dataStart
    var end = 0
    for (name, entry) in entries.sorted(by: precedes) {
      let info = TensorInfo(
        name: name, type: try type(entry.dtype, path: path, tensor: name), shape: entry.shape)
      guard entry.shape.allSatisfy({ $0 >= 0 }), let size = info.byteCount else {
        throw ModelFileError.malformed(
          path: path, field: "shape of tensor '\(name)'",
          expected: "sizes of at least 0, fewer than 2^63 bytes", found: "\(entry.shape)")
      }
      guard entry.offsets.count == 2, entry.offsets[0] == end, size <= dataSize - end,
        entry.offsets[1] == end + size
      else {
        throw ModelFileError.malformed(
          path: path, field: "data_offsets of tensor '\(name)'",
          expected: "[\(end), \(end) + \(size)] within \(dataSize) bytes of data, "
            + "after the tensor before it",
          found: "\(entry.offsets.prefix(8))")
      }
      guard (dataStart + end).isMultiple(of: info.type.blockBytes) else {
        throw ModelFileError.malformed(
          path: path, field: "data of tensor '\(name)'",
          expected: "a file offset that is a multiple of \(info.type.blockBytes)",
          found: "\(dataStart + end)")
      }
      tensors[name] = info
      ranges[name] = dataStart + end..<dataStart + end + size
      end += size
    }
    guard end == dataSize else {
      throw ModelFileError.malformed(
        path: path, field: "data", expected: "\(end) bytes, as the header says",
        found: "\(dataSize) bytes")
    }
    return (tensors, ranges)
  }

  /// In the order of the data; empty tensors come before the one that starts at the same place.
  private static func precedes(
    _ left: (key: String, value: Entry), _ right: (key: String, value: Entry)
  ) -> Bool {
    left.value.offsets.lexicographicallyPrecedes(right.value.offsets)
      || (left.value.offsets == right.value.offsets && left.key < right.key)
  }

  private static func type(
    _ name: String, path: String, tensor: String
  ) throws -> TensorType {
    guard let type = TensorType.safetensors[name] else {
      throw ModelFileError.malformed(
        path: path, field: "dtype of tensor '\(tensor)'",
        expected: "one of \(TensorType.safetensors.keys.sorted().joined(separator: ", "))",
        found: "safetensors type '\(name)'")
    }
    return type
  }
}

extension TensorType {
  /// The types that are read from safetensors files and written to them, by name.
  static let safetensors = Dictionary(
    uniqueKeysWithValues: [f32, f16, bf16, i8, i32, i64, u8, bool].map { ($0.name, $0) })
}
