import Foundation

/// One spelling for texts that look the same: NFC, so that Hangul jamo become syllables, one kind
/// of line break and space, no invisible characters.
enum TextNormalisation {
  /// A paragraph, or several that blank lines part. Runs of spaces become one.
  static func prose(_ text: some StringProtocol) -> String {
    let composed = text.precomposedStringWithCanonicalMapping
    var scalars = String.UnicodeScalarView()
    var spaces = 0
    var breaks = 0
    for scalar in composed.unicodeScalars {
      if isBreak(scalar) {
        breaks += 1
      } else if scalar.properties.isWhitespace {
        spaces += 1
      } else if !isInvisible(scalar) {
        if scalars.isEmpty {
          // White space before the text is dropped.
        } else if breaks > 0 {
          scalars.append(contentsOf: breaks == 1 ? "\n".unicodeScalars : "\n\n".unicodeScalars)
        } else if spaces > 0 {
          scalars.append(" ")
        }
        (spaces, breaks) = (0, 0)
        scalars.append(scalar)
      }
    }
    return String(scalars)
  }

  /// Code, whose spaces and characters mean something: only line breaks are made the same.
  static func code(_ text: String) -> String {
    text.replacing("\r\n", with: "\n")
      .trimmingCharacters(in: .newlines)
  }

  /// CR comes with LF, and would count twice.
  private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "\n" || scalar == "\u{2028}" || scalar == "\u{2029}"
  }

  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // Soft hyphen, zero-width space, direction marks, byte-order mark. Joiners stay: emoji and
    // several scripts need them.
    case 0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF: true
    default: scalar.properties.generalCategory == .control
    }
  }
}
