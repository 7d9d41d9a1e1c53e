/// What the pre-tokenizers and the normalizer ask of a scalar.
struct ScalarClass: OptionSet {
  let rawValue: UInt8
  /// `\p{L}`
  static let letter = ScalarClass(rawValue: 1)
  /// `\p{N}`
  static let number = ScalarClass(rawValue: 2)
  /// `\s`
  static let whitespace = ScalarClass(rawValue: 4)
  /// `[\r\n]`
  static let newline = ScalarClass(rawValue: 8)
  /// May change, or change a neighbour, in normalization form C.
  static let unstable = ScalarClass(rawValue: 16)

  /// What decides how a word goes on.
  static let kinds: ScalarClass = [.letter, .number, .whitespace]
}

/// Classes of scalars: a table of the basic multilingual plane, filled once, and the standard
/// library beyond it.
enum UnicodeClasses {
  static let basicPlane: [ScalarClass] = (0..<0x10000).map { value in
    Unicode.Scalar(UInt32(value)).map(compute) ?? []
  }

  static func compute(_ scalar: Unicode.Scalar) -> ScalarClass {
    let properties = scalar.properties
    var result: ScalarClass = []
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      result = .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      result = .number
    default:
      if properties.isWhitespace { result = .whitespace }
    }
    if scalar == "\n" || scalar == "\r" { result.insert(.newline) }
    if properties.canonicalCombiningClass != .notReordered || isListedUnstable(scalar.value) {
      result.insert(.unstable)
    }
    return result
  }

  /// Scalars of combining class 0 whose quick check for form C is "no" or "maybe" (UAX #15).
  private static func isListedUnstable(_ value: UInt32) -> Bool {
    value >= 0x300 && unstableRanges.contains { $0.contains(value) }
  }

  private static let unstableRanges: [ClosedRange<UInt32>] = [
    // Composed letters that form C takes apart, and singletons.
    0x340...0x341, 0x343...0x344, 0x374...0x374, 0x37e...0x37e, 0x387...0x387, 0x958...0x95f,
    0x9dc...0x9dd, 0x9df...0x9df, 0xa33...0xa33, 0xa36...0xa36, 0xa59...0xa5b, 0xa5e...0xa5e,
    0xb5c...0xb5d, 0xf43...0xf43, 0xf4d...0xf4d, 0xf52...0xf52, 0xf57...0xf57, 0xf5c...0xf5c,
    0xf69...0xf69, 0xf73...0xf73, 0xf75...0xf76, 0xf78...0xf78, 0xf81...0xf81, 0xf93...0xf93,
    0xf9d...0xf9d, 0xfa2...0xfa2, 0xfa7...0xfa7, 0xfac...0xfac, 0xfb9...0xfb9, 0x1f71...0x1f7d,
    0x1fbb...0x1fbb, 0x1fbe...0x1fbe, 0x1fc9...0x1fcb, 0x1fd3...0x1fdb, 0x1fe3...0x1feb,
    0x1fee...0x1fef, 0x1ff9...0x1ffd, 0x2000...0x2001, 0x2126...0x2126, 0x212a...0x212b,
    0x2329...0x232a, 0x2adc...0x2adc, 0xf900...0xfad9, 0xfb1d...0xfb4e, 0x1d15e...0x1d164,
    0x1d1bb...0x1d1c0, 0x2f800...0x2fa1d,
    // Marks and jamo that join what stands before them.
    0x9be...0x9be, 0x9d7...0x9d7, 0xb3e...0xb3e, 0xb56...0xb57, 0xbbe...0xbbe, 0xbd7...0xbd7,
    0xcc2...0xcc2, 0xcd5...0xcd6, 0xd3e...0xd3e, 0xd57...0xd57, 0xdcf...0xdcf, 0xddf...0xddf,
    0x102e...0x102e, 0x1161...0x1175, 0x11a8...0x11c2, 0x1b35...0x1b35, 0x11127...0x11127,
    0x1133e...0x1133e, 0x11357...0x11357, 0x114b0...0x114b0, 0x114ba...0x114ba,
    0x114bd...0x114bd, 0x115af...0x115af, 0x11930...0x11930,
  ]
}

/// Valid UTF-8 read scalar by scalar, each with its class.
struct ScalarReader {
  let text: UnsafeBufferPointer<UInt8>
  private let classes: UnsafePointer<ScalarClass>

  /// - Parameter classes: the table `UnicodeClasses.basicPlane`, alive as long as the reader.
  init(_ text: UnsafeBufferPointer<UInt8>, classes: UnsafePointer<ScalarClass>) {
    self.text = text
    self.classes = classes
  }

  var end: Int { text.count }

  /// The class of the scalar that begins at an index, and where the next one begins. Nothing, and
  /// the index itself, at the end.
  @inline(__always)
  func read(_ index: Int) -> (kind: ScalarClass, next: Int) {
    guard index < text.count else { return ([], index) }
    let first = text[index]
    if first < 0x80 { return (classes[Int(first)], index + 1) }
    let value: Int
    let length: Int
    if first < 0xE0 {
      (value, length) = (Int(first & 0x1F) << 6 | tail(index + 1), 2)
    } else if first < 0xF0 {
      (value, length) = (Int(first & 0x0F) << 12 | tail(index + 1) << 6 | tail(index + 2), 3)
    } else {
      let high = Int(first & 0x07) << 18 | tail(index + 1) << 12
      let scalar = Unicode.Scalar(UInt32(high | tail(index + 2) << 6 | tail(index + 3)))
      return (scalar.map(UnicodeClasses.compute) ?? [], index + 4)
    }
    return (classes[value], index + length)
  }

  @inline(__always)
  private func tail(_ index: Int) -> Int { Int(text[index] & 0x3F) }

  /// The byte at an index; 0 at the end.
  @inline(__always)
  func byte(_ index: Int) -> UInt8 { index < text.count ? text[index] : 0 }
}
