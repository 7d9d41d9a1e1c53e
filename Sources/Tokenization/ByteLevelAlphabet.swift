/// GPT-2's printable disguise of bytes: printable Latin-1 stands for itself, the other bytes for
/// U+0100 and up.
enum ByteLevelAlphabet {
  /// The byte that a scalar of a piece stands for, by scalar value.
  private static let bytes: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x144)
    var shifted = 0x100
    for byte in 0..<256 {
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
        table[byte] = UInt8(byte)
      default:
        table[shifted] = UInt8(byte)
        shifted += 1
      }
    }
    return table
  }()

  /// The bytes of a piece, or nil if a scalar of it stands for no byte.
  static func decode(_ piece: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(piece.count)
    var index = piece.startIndex
    while index < piece.endIndex {
      var value = Int(piece[index])
      index += 1
      if value >= 0x80 {
        // The alphabet ends below U+0800: one or two bytes each.
        guard value & 0xE0 == 0xC0, index < piece.endIndex, piece[index] & 0xC0 == 0x80 else {
          return nil
        }
        value = (value & 0x1F) << 6 | Int(piece[index] & 0x3F)
        index += 1
      }
      guard value < bytes.count, let byte = bytes[value] else { return nil }
      result.append(byte)
    }
    return result
  }
}
