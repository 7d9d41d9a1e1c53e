extension TensorFile {
  /// The numbers of an integer tensor, such as a table of tokens; truth values are 0 and 1.
  /// - Throws: `ModelFileError.missingTensor`, `.malformed` for a tensor of another type.
  public func integers(of name: String) throws -> [Int] {
    guard let info = tensors[name] else {
      throw ModelFileError.missingTensor(path: path, name: name)
    }
    let data = try data(of: name)
    switch info.type {
    case .i8: return numbers(data, Int8.self)
    case .i32: return numbers(data, Int32.self)
    case .i64: return numbers(data, Int64.self)
    case .u8: return numbers(data, UInt8.self)
    case .bool: return data.map { $0 == 0 ? 0 : 1 }
    case .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4K, .q5K, .q6K:
      throw ModelFileError.malformed(
        path: path, field: "type of tensor '\(name)'",
        expected: "integers: I8, I32, I64, U8 or BOOL", found: info.type.name)
    }
  }

  private func numbers<Stored: FixedWidthInteger>(
    _ data: UnsafeRawBufferPointer, _ type: Stored.Type
  ) -> [Int] {
    (0..<data.count / MemoryLayout<Stored>.size).map { index in
      let stored = data.loadUnaligned(
        fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)
      return Int(Stored(littleEndian: stored))
    }
  }
}
