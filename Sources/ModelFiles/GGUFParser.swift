/// Reads a GGUF file's header, metadata and tensor list.
///
/// Layout: magic, version, tensor count, key count; the keys with their values; the tensors'
/// names, dimensions, types and offsets; then, aligned, their data.
struct GGUFParser {
  private(set) var version = 0
  private(set) var metadata: [String: GGUFValue] = [:]
  private(set) var tensors: [String: TensorInfo] = [:]
  private(set) var ranges: [String: Range<Int>] = [:]

  private let file: MappedFile
  private var reader: ByteReader
  private var path: String { file.path }

  /// Far above any vocabulary; keeps a damaged count from taking the machine's memory.
  private static let maximumArrayCount = 1 << 24
  private static let maximumArrayDepth = 4
  private static let maximumDimensions = 4
  private static let defaultAlignment = 32

  init(file: MappedFile) {
    self.file = file
    reader = ByteReader(file)
  }

  mutating func parse() throws {
    let (tensorCount, keyCount) = try header()
    for index in 0..<keyCount { try keyAndValue(index) }
    if case .int(let parts)? = metadata["split.count"], parts > 1 {
      throw malformed("split.count", "1: a model in a single file", "\(parts) files")
    }
    try tensorList(tensorCount)
  }

  // MARK: - Header

  private mutating func header() throws -> (tensors: Int, keys: Int) {
    let magic = try reader.integer(UInt32.self, "magic")
    guard magic == 0x4655_4747 else {
      throw malformed("magic", "'GGUF'", "0x\(String(magic, radix: 16)): not a GGUF file")
    }
    let number = try reader.integer(UInt32.self, "version")
    guard number == 2 || number == 3 else {
      let bigEndian = number.byteSwapped == 2 || number.byteSwapped == 3
      throw malformed(
        "version", "2 or 3", bigEndian ? "a file in big-endian byte order" : "\(number)")
    }
    version = Int(number)
    // The smallest tensor record has an empty name and one dimension, the smallest key one byte.
    let tensorCount = try reader.count(ofAtLeast: 8 + 4 + 8 + 4 + 8, "tensor count")
    let keyCount = try reader.count(ofAtLeast: 8 + 4 + 1, "metadata count")
    return (tensorCount, keyCount)
  }

  // MARK: - Metadata

  private enum ValueType: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array
    case uint64, int64, float64

    var size: Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      // The length alone; an array's element type and count.
      case .string: 8
      case .array: 12
      }
    }
  }

  private mutating func keyAndValue(_ index: Int) throws {
    let key = try utf8("metadata key \(index)")
    let field = "metadata key '\(key)'"
    let value = try value(of: valueType(field), field, depth: 0)
    guard metadata.updateValue(value, forKey: key) == nil else {
      throw malformed(field, "one value", "the key twice")
    }
  }

  private mutating func valueType(_ field: String) throws -> ValueType {
    let number = try reader.integer(UInt32.self, "type of \(field)")
    guard let type = ValueType(rawValue: number) else {
      throw malformed("type of \(field)", "0 to 12", "\(number)")
    }
    return type
  }

  private mutating func value(
    of type: ValueType, _ field: String, depth: Int
  ) throws -> GGUFValue {
    switch type {
    case .uint8: return .int(Int(try reader.integer(UInt8.self, field)))
    case .int8: return .int(Int(try reader.integer(Int8.self, field)))
    case .uint16: return .int(Int(try reader.integer(UInt16.self, field)))
    case .int16: return .int(Int(try reader.integer(Int16.self, field)))
    case .uint32: return .int(Int(try reader.integer(UInt32.self, field)))
    case .int32: return .int(Int(try reader.integer(Int32.self, field)))
    case .int64: return .int(Int(try reader.integer(Int64.self, field)))
    case .uint64: return .int(try int(reader.integer(UInt64.self, field), field))
    case .float32:
      return .float(Double(Float(bitPattern: try reader.integer(UInt32.self, field))))
    case .float64: return .float(Double(bitPattern: try reader.integer(UInt64.self, field)))
    case .bool: return .bool(try bool(reader.integer(UInt8.self, field), field))
    case .string:
      let bytes = try reader.string(field)
      return String(validating: bytes, as: UTF8.self).map(GGUFValue.string)
        ?? .bytes(Array(bytes))
    case .array: return try array(field, depth: depth + 1)
    }
  }

  private mutating func array(_ field: String, depth: Int) throws -> GGUFValue {
    guard depth <= Self.maximumArrayDepth else {
      throw malformed(
        field, "arrays nested at most \(Self.maximumArrayDepth) deep", "deeper ones")
    }
    let type = try valueType("the elements of \(field)")
    let count = try reader.count(ofAtLeast: type.size, "element count of \(field)")
    guard count <= Self.maximumArrayCount else {
      throw malformed(
        "element count of \(field)", "at most \(Self.maximumArrayCount)", "\(count)")
    }
    let path = path
    switch type {
    case .uint8: return .ints(try reader.array(of: UInt8.self, count: count, field) { Int($0) })
    case .int8: return .ints(try reader.array(of: Int8.self, count: count, field) { Int($0) })
    case .uint16:
      return .ints(try reader.array(of: UInt16.self, count: count, field) { Int($0) })
    case .int16: return .ints(try reader.array(of: Int16.self, count: count, field) { Int($0) })
    case .uint32:
      return .ints(try reader.array(of: UInt32.self, count: count, field) { Int($0) })
    case .int32: return .ints(try reader.array(of: Int32.self, count: count, field) { Int($0) })
    case .int64: return .ints(try reader.array(of: Int64.self, count: count, field) { Int($0) })
    case .uint64:
      return .ints(
        try reader.array(of: UInt64.self, count: count, field) {
          try Self.int($0, field, path)
        })
    case .float32:
      return .floats(
        try reader.array(of: UInt32.self, count: count, field) {
          Double(Float(bitPattern: $0))
        })
    case .float64:
      return .floats(
        try reader.array(of: UInt64.self, count: count, field) { Double(bitPattern: $0) })
    case .bool:
      return .bools(
        try reader.array(of: UInt8.self, count: count, field) {
          try Self.bool($0, field, path)
        })
    case .string:
      var starts: [Int] = []
      starts.reserveCapacity(count)
      for index in 0..<count {
        let length = try reader.string("\(field), element \(index)").count
        starts.append(reader.offset - length)
      }
      return .strings(GGUFStrings(file: file, starts: starts))
    case .array:
      var values: [GGUFValue] = []
      for index in 0..<count {
        values.append(try array("\(field), element \(index)", depth: depth + 1))
      }
      return .array(values)
    }
  }

  // MARK: - Tensors

  private mutating func tensorList(_ count: Int) throws {
    let alignment = try alignment()
    var offsets: [(name: String, offset: Int)] = []
    for index in 0..<count {
      let (info, offset) = try tensor(index)
      guard offset.isMultiple(of: alignment) else {
        throw malformed(
          "offset of tensor '\(info.name)'", "a multiple of \(alignment)", "\(offset)")
      }
      guard tensors.updateValue(info, forKey: info.name) == nil else {
        throw malformed("tensor '\(info.name)'", "one entry", "the name twice")
      }
      offsets.append((info.name, offset))
    }
    let padding = (alignment - reader.offset % alignment) % alignment
    // A file without tensors may end before the padding.
    let dataStart = min(reader.offset + padding, reader.bytes.count)
    let available = reader.bytes.count - dataStart
    for (name, offset) in offsets {
      guard let info = tensors[name], let size = info.byteCount else { continue }
      guard offset <= available, size <= available - offset else {
        throw malformed(
          "data of tensor '\(name)'",
          "\(size) bytes at offset \(offset) within \(available) bytes of tensor data",
          "the end of the file")
      }
      ranges[name] = dataStart + offset..<dataStart + offset + size
    }
  }

  private func alignment() throws -> Int {
    guard let value = metadata["general.alignment"] else { return Self.defaultAlignment }
    guard case .int(let alignment) = value, (8...1 << 20).contains(alignment),
      alignment.isMultiple(of: 8)
    else {
      throw malformed(
        "general.alignment", "a multiple of 8 from 8 to \(1 << 20)", value.kind)
    }
    return alignment
  }

  private mutating func tensor(_ index: Int) throws -> (info: TensorInfo, offset: Int) {
    let name = try utf8("name of tensor \(index)")
    let dimensions = try reader.integer(UInt32.self, "dimension count of tensor '\(name)'")
    guard (1...Self.maximumDimensions).contains(Int(dimensions)) else {
      throw malformed(
        "dimension count of tensor '\(name)'", "1 to \(Self.maximumDimensions)", "\(dimensions)")
    }
    // GGUF lists the fastest-moving dimension first.
    var shape: [Int] = []
    for _ in 0..<dimensions {
      let field = "dimensions of tensor '\(name)'"
      let dimension = try int(reader.integer(UInt64.self, field), field)
      guard dimension > 0 else { throw malformed(field, "at least 1", "0") }
      shape.insert(dimension, at: 0)
    }
    let number = try reader.integer(UInt32.self, "type of tensor '\(name)'")
    guard let type = TensorType(rawValue: number), !type.isInteger else {
      throw ModelFileError.unsupportedTensorType(
        path: path, tensor: name, type: "GGUF type \(number)")
    }
    let info = TensorInfo(name: name, type: type, shape: shape)
    guard info.byteCount != nil else {
      throw malformed(
        "shape of tensor '\(name)'",
        "rows of whole blocks of \(type.blockElements) \(type.name) elements, "
          + "fewer than 2^63 bytes",
        "\(shape)")
    }
    let offset = try int(
      reader.integer(UInt64.self, "offset of tensor '\(name)'"), "offset of tensor '\(name)'")
    return (info, offset)
  }

  // MARK: - Checked values

  private mutating func utf8(_ field: String) throws -> String {
    let bytes = try reader.string(field)
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw malformed(field, "a string in UTF-8", "the bytes \(Array(bytes.prefix(16)))")
    }
    return string
  }

  private func int(_ value: UInt64, _ field: String) throws -> Int {
    try Self.int(value, field, path)
  }

  private func bool(_ value: UInt8, _ field: String) throws -> Bool {
    try Self.bool(value, field, path)
  }

  private static func int(_ value: UInt64, _ field: String, _ path: String) throws -> Int {
    guard let int = Int(exactly: value) else {
      throw ModelFileError.malformed(
        path: path, field: field, expected: "less than 2^63", found: "\(value)")
    }
    return int
  }

  private static func bool(_ value: UInt8, _ field: String, _ path: String) throws -> Bool {
    guard value <= 1 else {
      throw ModelFileError.malformed(
        path: path, field: field, expected: "a truth value, 0 or 1", found: "\(value)")
    }
    return value == 1
  }

  private func malformed(
    _ field: String, _ expected: String, _ found: String
  ) -> ModelFileError {
    .malformed(path: path, field: field, expected: expected, found: found)
  }
}
