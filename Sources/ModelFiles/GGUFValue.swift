/// A metadata value of a GGUF file. Integers of every width become `int`.
public enum GGUFValue: Sendable, Equatable {
  case int(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  /// Strings that are not valid UTF-8 (some vocabularies hold raw bytes) keep their bytes.
  case bytes([UInt8])
  case ints([Int])
  case floats([Double])
  case bools([Bool])
  case strings([String])
  case array([GGUFValue])
}
