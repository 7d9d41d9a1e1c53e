/// What a token is to a text.
public enum TextTokenKind: Sendable, Equatable {
  /// A piece of text.
  case text
  /// A sign beside the text, such as `<|im_end|>`.
  case special
  /// Neither: no text has it.
  case unusable
}

/// What is known of a text's tokens before the text that follows it is.
public struct TextEncoding: Sendable, Equatable {
  /// Bytes at the start that stay cut into tokens as they are, whatever follows.
  public var settledBytes: Int
  /// How many tokens those bytes are.
  public var settledTokens: Int
  /// The bytes without those at the end that may yet become a character.
  public var wholeBytes: Int

  public init(settledBytes: Int, settledTokens: Int, wholeBytes: Int) {
    self.settledBytes = settledBytes
    self.settledTokens = settledTokens
    self.wholeBytes = wholeBytes
  }
}

/// A vocabulary as drafting across vocabularies sees it: tokens as bytes, and bytes as tokens.
public protocol TextVocabulary: Sendable {
  /// Tokens have the ids from 0 to `size` - 1.
  var size: Int { get }
  /// The tokens that every sequence begins with.
  var prefix: [Int32] { get }

  func kind(of token: Int32) -> TextTokenKind

  /// Appends the bytes that a token stands for; of a special one, its name.
  func appendBytes(of token: Int32, to bytes: inout [UInt8])

  /// Appends the tokens of bytes, which need be neither whole words nor whole characters.
  func encode(_ text: [UInt8], to tokens: inout [Int32]) -> TextEncoding
}

extension TextVocabulary {
  func bytes(of token: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    appendBytes(of: token, to: &bytes)
    return bytes
  }
}

/// A vocabulary of nothing but ids: each token is one character of no meaning. It stands for a
/// vocabulary that both models share.
struct CharacterVocabulary: TextVocabulary {
  let size: Int
  let prefix: [Int32] = []
  /// Characters of four bytes begin here.
  private static let first: UInt32 = 0x10000

  func kind(of token: Int32) -> TextTokenKind {
    token >= 0 && Int(token) < size ? .text : .unusable
  }

  func appendBytes(of token: Int32, to bytes: inout [UInt8]) {
    let value = Self.first + UInt32(bitPattern: token)
    bytes.append(0xF0 | UInt8(truncatingIfNeeded: value >> 18))
    for shift: UInt32 in [12, 6, 0] {
      bytes.append(0x80 | UInt8(truncatingIfNeeded: value >> shift & 0x3F))
    }
  }

  func encode(_ text: [UInt8], to tokens: inout [Int32]) -> TextEncoding {
    let count = text.count / 4
    for start in stride(from: 0, to: count * 4, by: 4) {
      let value = text[start..<(start + 4)].reduce(0 as UInt32) { $0 << 6 | UInt32($1 & 0x3F) }
      // The first byte's mark leaves bits above the 21 of a scalar.
      tokens.append(Int32(truncatingIfNeeded: value & 0x1F_FFFF) - Int32(Self.first))
    }
    return TextEncoding(settledBytes: count * 4, settledTokens: count, wholeBytes: count * 4)
  }
}
