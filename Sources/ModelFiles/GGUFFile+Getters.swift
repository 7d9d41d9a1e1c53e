/// Typed access to metadata. The plain getters throw `ModelFileError.missingKey` when the key is
/// not there; the optional ones return nil. Both throw `.malformed` when its value is of another
/// kind than asked for.
extension GGUFFile {
  public func int(_ key: String) throws -> Int {
    try required(key, "an integer", optionalInt(key))
  }

  public func optionalInt(_ key: String) throws -> Int? {
    try value(key, "an integer") { if case .int(let value) = $0 { value } else { nil } }
  }

  /// A number; integers are converted.
  public func float(_ key: String) throws -> Double {
    try required(key, "a number", optionalFloat(key))
  }

  /// A number; integers are converted.
  public func optionalFloat(_ key: String) throws -> Double? {
    try value(key, "a number") {
      switch $0 {
      case .float(let value): value
      case .int(let value): Double(value)
      default: nil
      }
    }
  }

  public func bool(_ key: String) throws -> Bool {
    try required(key, "a truth value", optionalBool(key))
  }

  public func optionalBool(_ key: String) throws -> Bool? {
    try value(key, "a truth value") { if case .bool(let value) = $0 { value } else { nil } }
  }

  public func string(_ key: String) throws -> String {
    try required(key, "a string", optionalString(key))
  }

  public func optionalString(_ key: String) throws -> String? {
    try value(key, "a string") { if case .string(let value) = $0 { value } else { nil } }
  }

  public func ints(_ key: String) throws -> [Int] {
    try required(key, "an array of integers", optionalInts(key))
  }

  public func optionalInts(_ key: String) throws -> [Int]? {
    try value(key, "an array of integers") {
      if case .ints(let values) = $0 { values } else { nil }
    }
  }

  /// Numbers; integers are converted.
  public func floats(_ key: String) throws -> [Double] {
    try required(key, "an array of numbers", optionalFloats(key))
  }

  /// Numbers; integers are converted.
  public func optionalFloats(_ key: String) throws -> [Double]? {
    try value(key, "an array of numbers") {
      switch $0 {
      case .floats(let values): values
      case .ints(let values): values.map(Double.init)
      default: nil
      }
    }
  }

  public func bools(_ key: String) throws -> [Bool] {
    try required(key, "an array of truth values", optionalBools(key))
  }

  public func optionalBools(_ key: String) throws -> [Bool]? {
    try value(key, "an array of truth values") {
      if case .bools(let values) = $0 { values } else { nil }
    }
  }

  /// Strings; one that is not valid UTF-8 is an error. `byteStrings` keeps such strings.
  public func strings(_ key: String) throws -> [String] {
    try required(key, "an array of strings", optionalStrings(key))
  }

  /// Strings; one that is not valid UTF-8 is an error. `optionalByteStrings` keeps such strings.
  public func optionalStrings(_ key: String) throws -> [String]? {
    guard let bytes = try optionalByteStrings(key) else { return nil }
    return try bytes.indices.map { index in
      guard let string = bytes.string(at: index) else {
        throw ModelFileError.malformed(
          path: path, field: "metadata key '\(key)', element \(index)",
          expected: "a string in UTF-8", found: "the bytes \(bytes[index].prefix(16))")
      }
      return string
    }
  }

  /// Strings as their bytes, whatever they are, left in the file until each is asked for.
  public func byteStrings(_ key: String) throws -> GGUFStrings {
    try required(key, "an array of strings", optionalByteStrings(key))
  }

  /// Strings as their bytes, whatever they are, left in the file until each is asked for.
  public func optionalByteStrings(_ key: String) throws -> GGUFStrings? {
    try value(key, "an array of strings") {
      if case .strings(let values) = $0 { values } else { nil }
    }
  }

  private func value<Value>(
    _ key: String, _ expected: String, _ extract: (GGUFValue) -> Value?
  ) throws -> Value? {
    guard let value = metadata[key] else { return nil }
    guard let extracted = extract(value) else {
      throw ModelFileError.malformed(
        path: path, field: "metadata key '\(key)'", expected: expected, found: value.kind)
    }
    return extracted
  }

  private func required<Value>(
    _ key: String, _ expected: String, _ value: Value?
  ) throws -> Value {
    guard let value else {
      throw ModelFileError.missingKey(path: path, key: key, expected: expected)
    }
    return value
  }
}
