/// How a tensor's elements are stored in a file. Raw values are GGUF's tensor type numbers; the
/// types that GGUF lacks have numbers that it will not reach.
public enum TensorType: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q4K = 12
  case q5K = 13
  case q6K = 14
  case i8 = 24
  case i32 = 26
  case i64 = 27
  case bf16 = 30
  case u8 = 0xFFFF_FF00
  case bool = 0xFFFF_FF01

  /// The types that a model's weights may have: all but the integers, which are read from
  /// safetensors files only, as tables.
  public static let weights = allCases.filter { !$0.isInteger }

  /// Whether the elements are integers or truth values.
  public var isInteger: Bool {
    switch self {
    case .i8, .i32, .i64, .u8, .bool: true
    case .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4K, .q5K, .q6K: false
    }
  }

  /// Elements that share one block: 1, 32 or 256.
  public var blockElements: Int {
    switch self {
    case .f32, .f16, .bf16, .i8, .i32, .i64, .u8, .bool: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q4K, .q5K, .q6K: 256
    }
  }

  /// Bytes of one block.
  public var blockBytes: Int {
    switch self {
    case .i8, .u8, .bool: 1
    case .f16, .bf16: 2
    case .f32, .i32: 4
    case .i64: 8
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q4K: 144
    case .q5K: 176
    case .q6K: 210
    }
  }

  /// The name that GGUF tools and safetensors headers use, such as `Q4_K`.
  public var name: String {
    switch self {
    case .f32: "F32"
    case .f16: "F16"
    case .bf16: "BF16"
    case .q4_0: "Q4_0"
    case .q4_1: "Q4_1"
    case .q5_0: "Q5_0"
    case .q5_1: "Q5_1"
    case .q8_0: "Q8_0"
    case .q4K: "Q4_K"
    case .q5K: "Q5_K"
    case .q6K: "Q6_K"
    case .i8: "I8"
    case .i32: "I32"
    case .i64: "I64"
    case .u8: "U8"
    case .bool: "BOOL"
    }
  }
}
