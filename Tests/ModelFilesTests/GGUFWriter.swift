@testable import ModelFiles

/// Makes GGUF files for tests, byte by byte, so that wrong ones can be made as well.
struct GGUFWriter {
  /// A metadata value with the width that it is written in.
  indirect enum Value {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(UInt8)
    case string([UInt8])
    /// The element type's number and the elements.
    case array(UInt32, [Value])
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    static func text(_ text: String) -> Value { .string(Array(text.utf8)) }

    var typeNumber: UInt32 {
      switch self {
      case .uint8: 0
      case .int8: 1
      case .uint16: 2
      case .int16: 3
      case .uint32: 4
      case .int32: 5
      case .float32: 6
      case .bool: 7
      case .string: 8
      case .array: 9
      case .uint64: 10
      case .int64: 11
      case .float64: 12
      }
    }
  }

  struct Tensor {
    var name: String
    /// Fastest-moving dimension first, as in the file.
    var dimensions: [UInt64]
    var type: UInt32
    var data: [UInt8]
    /// Where the data is said to lie; by default where it does.
    var offset: UInt64?
  }

  var magic = Array("GGUF".utf8)
  var version: UInt32 = 3
  var alignment = 32
  var keys: [(String, Value)] = []
  var tensors: [Tensor] = []
  /// Counts that differ from what is written.
  var keyCount: UInt64?
  var tensorCount: UInt64?

  func bytes() -> [UInt8] {
    var bytes = magic
    bytes.append(littleEndian: version)
    bytes.append(littleEndian: tensorCount ?? UInt64(tensors.count))
    bytes.append(littleEndian: keyCount ?? UInt64(keys.count))
    for (key, value) in keys {
      Self.append(string: Array(key.utf8), to: &bytes)
      bytes.append(littleEndian: value.typeNumber)
      Self.append(value, to: &bytes)
    }
    var data: [UInt8] = []
    for tensor in tensors {
      Self.pad(&data, to: alignment)
      Self.append(string: Array(tensor.name.utf8), to: &bytes)
      bytes.append(littleEndian: UInt32(tensor.dimensions.count))
      for dimension in tensor.dimensions { bytes.append(littleEndian: dimension) }
      bytes.append(littleEndian: tensor.type)
      bytes.append(littleEndian: tensor.offset ?? UInt64(data.count))
      data += tensor.data
    }
    Self.pad(&bytes, to: alignment)
    return bytes + data
  }

  private static func pad(_ bytes: inout [UInt8], to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  private static func append(string: [UInt8], to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt64(string.count))
    bytes += string
  }

  private static func append(_ value: Value, to bytes: inout [UInt8]) {
    switch value {
    case .uint8(let value), .bool(let value): bytes.append(value)
    case .int8(let value): bytes.append(littleEndian: value)
    case .uint16(let value): bytes.append(littleEndian: value)
    case .int16(let value): bytes.append(littleEndian: value)
    case .uint32(let value): bytes.append(littleEndian: value)
    case .int32(let value): bytes.append(littleEndian: value)
    case .float32(let value): bytes.append(littleEndian: value.bitPattern)
    case .string(let value): append(string: value, to: &bytes)
    case .uint64(let value): bytes.append(littleEndian: value)
    case .int64(let value): bytes.append(littleEndian: value)
    case .float64(let value): bytes.append(littleEndian: value.bitPattern)
    case .array(let type, let values):
      bytes.append(littleEndian: type)
      bytes.append(littleEndian: UInt64(values.count))
      for value in values { append(value, to: &bytes) }
    }
  }
}

extension GGUFWriter {
  /// A small file with every value type and every tensor type.
  static var sample: GGUFWriter {
    var writer = GGUFWriter()
    writer.keys = [
      ("general.architecture", .text("llama")),
      ("u8", .uint8(200)), ("i8", .int8(-100)), ("u16", .uint16(60000)), ("i16", .int16(-30000)),
      ("u32", .uint32(4_000_000_000)), ("i32", .int32(-2_000_000_000)),
      ("u64", .uint64(1 << 62)), ("i64", .int64(-1 << 62)),
      ("f32", .float32(0.5)), ("f64", .float64(1e-300)), ("yes", .bool(1)),
      ("raw", .string([0xFF, 0xFE])),
      ("ints", .array(5, [.int32(-1), .int32(2)])),
      ("bytes", .array(0, [.uint8(1), .uint8(255)])),
      ("longs", .array(10, [.uint64(7)])),
      ("floats", .array(6, [.float32(1.5), .float32(-2)])),
      ("bools", .array(7, [.bool(1), .bool(0)])),
      ("tokens", .array(8, [.text("눈"), .string([0x80]), .text("")])),
      ("words", .array(8, [.text("a"), .text("b")])),
      ("nested", .array(9, [.array(5, [.int32(1)]), .array(8, [.text("x")])])),
      ("none", .array(8, [])),
    ]
    var generator = SeededGenerator(seed: 1)
    writer.tensors = TensorType.weights.map { type in
      let columns = type.blockElements * 2
      let size = 3 * 2 * type.blockBytes
      return Tensor(
        name: "tensor.\(type.name)", dimensions: [UInt64(columns), 3], type: type.rawValue,
        data: (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
    return writer
  }
}
