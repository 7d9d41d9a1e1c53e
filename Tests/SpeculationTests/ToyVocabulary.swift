import Drafters

/// A small vocabulary of given pieces; text is cut into the longest ones. Pieces in angle brackets
/// are special.
struct ToyVocabulary: TextVocabulary {
  let pieces: [String]
  var prefix: [Int32] = []

  var size: Int { pieces.count }

  func kind(of token: Int32) -> TextTokenKind {
    let piece = pieces[Int(token)]
    return piece.count > 1 && piece.hasPrefix("<") ? .special : .text
  }

  func appendBytes(of token: Int32, to bytes: inout [UInt8]) {
    bytes += Array(pieces[Int(token)].utf8)
  }

  func encode(_ text: [UInt8], to tokens: inout [Int32]) -> TextEncoding {
    let count = tokens.count
    let longest = pieces.map(\.utf8.count).max() ?? 1
    var settled = (bytes: 0, tokens: 0)
    var start = 0
    while start < text.count {
      // What follows a piece shorter than the longest may make it a longer one.
      if start + longest <= text.count { settled = (start, tokens.count - count) }
      let found = pieces.indices.filter {
        kind(of: Int32($0)) == .text && text[start...].starts(with: pieces[$0].utf8)
      }.max { pieces[$0].utf8.count < pieces[$1].utf8.count }
      guard let found else { break }
      tokens.append(Int32(found))
      start += pieces[found].utf8.count
    }
    return TextEncoding(
      settledBytes: settled.bytes, settledTokens: settled.tokens, wholeBytes: text.count)
  }
}
