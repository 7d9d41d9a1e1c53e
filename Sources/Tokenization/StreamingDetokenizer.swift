/// Text from tokens as they come, in whole characters: bytes of a character that is not complete
/// yet are held back. All of it together equals `Tokenizer.decode` of all tokens.
public struct StreamingDetokenizer: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecial: Bool
  private var held: [UInt8] = []
  /// Whether the next text is the first, of which a leading space may be stripped.
  private var isAtStart: Bool

  /// - Parameters:
  ///   - skipSpecial: leave out control tokens such as `<|im_end|>`.
  ///   - continuing: the tokens go on from a text, so that a leading space is kept even if the
  ///     tokenizer puts one before texts (Llama 2).
  public init(tokenizer: Tokenizer, skipSpecial: Bool = true, continuing: Bool = false) {
    self.tokenizer = tokenizer
    self.skipSpecial = skipSpecial
    isAtStart = tokenizer.stripsLeadingSpace && !continuing
  }

  /// The text that a further token completes; may be empty.
  public mutating func append(_ id: Int32) -> String {
    guard tokenizer.shows(id, skipSpecial: skipSpecial) else { return "" }
    held += tokenizer.tokenBytes[Int(id)]
    if isAtStart, let first = held.first {
      if first == 0x20 { held.removeFirst() }
      isAtStart = false
    }
    return release(held.count - Self.incompleteTail(held))
  }

  /// What is still held back, as U+FFFD.
  public mutating func finish() -> String { release(held.count) }

  private mutating func release(_ count: Int) -> String {
    let text = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(count)
    return text
  }

  /// How many bytes at the end may yet become a character.
  public static func incompleteTail(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let tail = bytes.suffix(length)
      guard let first = tail.first else { return 0 }
      if first & 0xC0 == 0x80 { continue }
      let needed = first < 0xC2 || first > 0xF4 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      guard length < needed else { return 0 }
      // The second byte must fit the first, or the sequence is broken already (Unicode, table 3-7).
      if length > 1 {
        let second = tail[tail.startIndex + 1]
        let fits =
          switch first {
          case 0xE0: second >= 0xA0
          case 0xED: second <= 0x9F
          case 0xF0: second >= 0x90
          case 0xF4: second <= 0x8F
          default: true
          }
        if !fits { return 0 }
      }
      return length
    }
    return 0
  }
}
