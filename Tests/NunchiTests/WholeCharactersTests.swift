import Testing

@testable import Nunchi

@Suite struct WholeCharactersTests {
  /// Clusters that plain pieces of text would tear: joined and coloured emoji, flags, jamo,
  /// accents, conjuncts, line breaks.
  static let texts = [
    "👨‍👩‍👧‍👦👍🏽🇰🇷🇺🇸🏴󠁧󠁢󠁥󠁮󠁧󠁿❤️",
    "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF} 한글",
    "e\u{301}\u{323}a\u{308} naïve Z\u{310}\u{311}\u{312}",
    "line\r\nbreak\r\n\r\r\n\n.", "क्षि नमस्ते ก็ ทำ", "plain words, and an end",
    "\u{301}begins with an accent", "",
  ]

  @Test("no piece ends within a character, and together they are the text", arguments: texts)
  func pieces(text: String) {
    let scalars = Array(text.unicodeScalars)
    for size in 1...4 {
      var characters = WholeCharacters()
      var pieces: [String] = []
      for start in stride(from: 0, to: scalars.count, by: size) {
        var piece = String.UnicodeScalarView()
        piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
        pieces.append(characters.append(String(piece)))
      }
      pieces.append(characters.finish())
      #expect(Array(pieces.joined().utf8) == Array(text.utf8))
      #expect(pieces.flatMap { Array($0) } == Array(text))
    }
  }

  @Test("one character at most is held back, and none after a line break")
  func heldBack() {
    var characters = WholeCharacters()
    #expect(characters.append("Hello") == "Hell")
    #expect(characters.append(" you") == "o yo")
    #expect(characters.append(".\n") == "u.\n")
    #expect(characters.append("a\r") == "a")
    #expect(characters.append("\n") == "\r\n")
    #expect(characters.finish() == "")
  }
}
