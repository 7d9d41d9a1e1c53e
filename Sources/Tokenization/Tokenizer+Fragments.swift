import Synchronization

/// What is known of a fragment's tokens before the text that follows it is.
public struct FragmentEncoding: Sendable, Equatable {
  /// Bytes at the fragment's start that stay cut into tokens as they are, whatever follows.
  public var settledBytes = 0
  /// How many tokens those bytes are.
  public var settledTokens = 0
  /// The bytes without those at the end that may yet become a character.
  public var wholeBytes = 0

  public init(settledBytes: Int = 0, settledTokens: Int = 0, wholeBytes: Int = 0) {
    self.settledBytes = settledBytes
    self.settledTokens = settledTokens
    self.wholeBytes = wholeBytes
  }
}

extension Tokenizer {
  /// Appends the tokens of a piece from within a text: bytes as they stand, with no normal form,
  /// no tokens around them and no control tokens in them. They need not be whole characters:
  /// drafts end anywhere.
  ///
  /// The fragment has to begin where a text, or a settled part of one, ends.
  /// - Complexity: O(n) in the bytes.
  @discardableResult
  public func encode(
    fragment: UnsafeBufferPointer<UInt8>, to output: inout [Int32]
  ) -> FragmentEncoding {
    let encoder = encoders.withLock { $0.popLast() } ?? WordEncoder()
    defer { encoders.withLock { $0.append(encoder) } }
    let count = output.count
    var result = FragmentEncoding()
    let masked = MaskedText(fragment)
    result.wholeBytes = masked.wholeCount

    /// What follows may change the last word that is not blank, and all blanks after it.
    func mark(_ range: Range<Int>, _ tokens: Int) {
      guard !masked.endsBlank(range) else { return }
      // A letter after an apostrophe may become a contraction with the next one.
      let start = range.lowerBound
      if range.count == 1, start > 0, fragment[start - 1] == UInt8(ascii: "'") { return }
      (result.settledBytes, result.settledTokens) = (range.lowerBound, tokens - count)
    }
    var start = 0
    while start < fragment.count {
      let match = fragmentMatcher.next(in: fragment, from: start) { types[Int($0)] == .userDefined }
      let end = match?.range.lowerBound ?? fragment.count
      encoder.encode(fragment, start..<end, masked, model: model, to: &output, willEncode: mark)
      guard let match else { break }
      mark(match.range, output.count)
      output.append(match.id)
      start = match.range.upperBound
    }
    return result
  }
}

extension WordEncoder {
  /// Appends the tokens of a part of a fragment, and tells each word before it is encoded, with
  /// the number of tokens before it.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ masked: MaskedText,
    model: WordModel, to output: inout [Int32], willEncode: (Range<Int>, Int) -> Void
  ) {
    guard !range.isEmpty else { return }
    switch model.kind {
    case .byteLevelBPE(let preTokenizer):
      guard case .ranked(let merges) = model.merges else { return }
      masked.withText(text) { readable in
        var start = range.lowerBound
        preTokenizer.forEachWord(UnsafeBufferPointer(rebasing: readable[range])) { word in
          let bytes = start..<(start + word.count)
          willEncode(bytes, output.count)
          encodeByteLevel(UnsafeBufferPointer(rebasing: text[bytes]), model, merges, &output)
          start = bytes.upperBound
        }
      }
    case .sentencePiece:
      var start = range.lowerBound
      while start < range.upperBound {
        var end = start + 1
        while end < range.upperBound,
          text[end] != 0x20 || text[end - 1] == 0x20 || model.joinsSpace[Int(text[end - 1])]
        {
          end += 1
        }
        willEncode(start..<end, output.count)
        encodeSentencePiece(
          UnsafeBufferPointer(rebasing: text[start..<end]), isFirst: false, prefix: .none, model,
          to: &output)
        start = end
      }
    }
  }
}

/// Text that may hold broken characters, made readable as UTF-8 without moving a byte: what is
/// not a whole character is covered by ASCII bytes that begin no contraction.
struct MaskedText {
  /// Empty when all of the text can be read as it is.
  private let cover: [UInt8]
  /// The text without a character that has only begun at its end.
  let wholeCount: Int
  /// The last byte of each scalar that is whitespace.
  private let isBlankEnd: [Bool]

  init(_ text: UnsafeBufferPointer<UInt8>) {
    var cover: [UInt8] = []
    func put(_ byte: UInt8, _ range: Range<Int>) {
      if cover.isEmpty { cover = Array(text) }
      for index in range { cover[index] = byte }
    }
    var whole = text.count
    var blankEnds = [Bool](repeating: false, count: text.count)
    var index = 0
    while index < text.count {
      let first = text[index]
      if first < 0x80 {
        blankEnds[index] = first == 0x20 || (9...13).contains(first)
        index += 1
        continue
      }
      let needed = first < 0xC2 || first > 0xF4 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      var length = 1
      while length < needed, index + length < text.count,
        Self.continues(first, length, text[index + length])
      {
        length += 1
      }
      if needed > 1, length == needed {
        blankEnds[index + length - 1] = Self.isBlank(text, index, length)
        index += length
      } else if needed > 1, index + length == text.count {
        // It may become a letter, most likely; four bytes beginning so, an emoji.
        let isSymbol = first == 0xF0 && length > 1 && text[index + 1] == 0x9F
        put(isSymbol ? 0x01 : UInt8(ascii: "x"), index..<text.count)
        // It may also become a blank.
        blankEnds[text.count - 1] = true
        whole = index
        index = text.count
      } else {
        put(0x01, index..<(index + 1))
        index += 1
      }
    }
    self.cover = cover
    wholeCount = whole
    isBlankEnd = blankEnds
  }

  /// Whether the byte can stand at this place of a character (Unicode, table 3-7).
  private static func continues(_ first: UInt8, _ place: Int, _ byte: UInt8) -> Bool {
    guard byte & 0xC0 == 0x80 else { return false }
    guard place == 1 else { return true }
    return switch first {
    case 0xE0: byte >= 0xA0
    case 0xED: byte <= 0x9F
    case 0xF0: byte >= 0x90
    case 0xF4: byte <= 0x8F
    default: true
    }
  }

  private static func isBlank(
    _ text: UnsafeBufferPointer<UInt8>, _ index: Int, _ length: Int
  ) -> Bool {
    guard length < 4 else { return false }
    var value = UInt32(text[index]) & (length == 2 ? 0x1F : 0x0F)
    for place in 1..<length { value = value << 6 | UInt32(text[index + place] & 0x3F) }
    return UnicodeClasses.basicPlane[Int(value)].contains(.whitespace)
  }

  /// Whether the last character of a part is whitespace.
  func endsBlank(_ range: Range<Int>) -> Bool { isBlankEnd[range.upperBound - 1] }

  func withText(
    _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    if cover.isEmpty { body(text) } else { cover.withUnsafeBufferPointer(body) }
  }
}
