/// Text that comes in pieces, given on in whole characters as people see them: extended grapheme
/// clusters (Unicode, annex 29), such as an emoji with its joiners, a syllable of Hangul jamo or a
/// letter with its accents. The last one is held back as long as more may belong to it.
struct WholeCharacters {
  private var held = ""

  /// The characters that are whole now.
  mutating func append(_ text: String) -> String {
    held += text
    // Nothing joins a line break, but LF joins CR.
    guard let last = held.last, !last.isNewline || last == "\r" else { return finish() }
    let start = held.index(before: held.endIndex)
    defer { held = String(held[start...]) }
    return String(held[..<start])
  }

  /// What was held back, when no more comes.
  mutating func finish() -> String {
    defer { held = "" }
    return held
  }
}
