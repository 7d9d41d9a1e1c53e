extension String {
  /// The cells of a terminal that the text takes.
  var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }
}

extension Character {
  /// 2 for wide characters and emoji, 0 for marks that stand alone, else 1.
  fileprivate var displayWidth: Int {
    if unicodeScalars.contains(where: \.isWide) { return 2 }
    return unicodeScalars.allSatisfy(\.takesNoCell) ? 0 : 1
  }
}

extension Unicode.Scalar {
  /// Blocks whose characters are wide or full-width (Unicode Standard Annex 11), emoji left out.
  private static let wideBlocks: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
    0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1D300...0x1D376, 0x1F200...0x1F265,
    0x20000...0x3FFFD,
  ]

  /// The sign that makes the character before it an emoji counts too.
  fileprivate var isWide: Bool {
    if value < 0x1100 { return false }
    return value == 0xFE0F || properties.isEmojiPresentation
      || Self.wideBlocks.contains { $0.contains(value) }
  }

  fileprivate var takesNoCell: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: true
    default: false
    }
  }
}
