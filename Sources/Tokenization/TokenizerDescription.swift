/// What a vocabulary says of one token; raw values are those of GGUF and SentencePiece.
public enum TokenType: Int, Sendable {
  case normal = 1
  case unknown = 2
  /// Steers the model (`<|im_end|>`): matched in the text first, left out of decoded text.
  case control = 3
  /// Ordinary text that is matched before everything else.
  case userDefined = 4
  case unused = 5
  /// `<0xXX>`: one byte of a character that the vocabulary lacks.
  case byte = 6
}

/// A token that is looked for before the text is split into words.
public struct AddedToken: Sendable, Equatable {
  public var id: Int32
  /// Also takes the whitespace before it.
  public var stripsLeft = false
  /// Also takes the whitespace after it.
  public var stripsRight = false
  /// Looked for, in its normal form, in the normalised text rather than in the raw one.
  public var isNormalized = false

  public init(
    id: Int32, stripsLeft: Bool = false, stripsRight: Bool = false, isNormalized: Bool = false
  ) {
    self.id = id
    self.stripsLeft = stripsLeft
    self.stripsRight = stripsRight
    self.isNormalized = isNormalized
  }
}

/// What GGUF metadata or a `tokenizer.json` say about a tokenizer, as plain values.
public struct TokenizerDescription: Sendable {
  public enum Kind: Sendable, Equatable {
    /// Pieces are bytes in GPT-2's printable disguise; words come from the pre-tokenizer.
    case byteLevelBPE(PreTokenizer)
    /// Characters merged within words, spaces written as ▁: by `merges`, or by `scores` if there
    /// are none.
    case sentencePiece
  }

  /// Where SentencePiece text gets a ▁ that it does not have.
  public enum SpacePrefix: Sendable, Equatable {
    case none
    /// Before every stretch of text between added tokens.
    case always
    /// Where the stretch (only the first one, if so said) does not begin with a space already.
    case whereMissing(firstOnly: Bool)
  }

  public var kind: Kind
  /// By id, as printed in vocabularies.
  public var pieces: ByteStrings
  /// By id; empty: all normal.
  public var types: [TokenType] = []
  /// By id, higher merges first; only for SentencePiece without merges.
  public var scores: [Float] = []
  /// Merge n joins `merges[2n]` and `merges[2n + 1]`; earlier merges come first.
  public var merges = ByteStrings()
  public var addedTokens: [AddedToken] = []

  public var bosToken: Int32?
  public var eosToken: Int32?
  public var unknownToken: Int32?
  public var padToken: Int32?
  /// Further tokens that end a text, besides `eosToken` and those known by their text. A model may
  /// write some that the vocabulary has no piece for.
  public var endOfGeneration: Set<Int32> = []
  /// Put before and after every text (`addSpecial`).
  public var prefix: [Int32] = []
  public var suffix: [Int32] = []

  /// A word that is a piece is that token, whatever the merges say (Llama 3).
  public var ignoresMerges = false
  /// The text is brought to Unicode's normalization form C first (Qwen).
  public var normalizesNFC = false
  public var spacePrefix: SpacePrefix = .none
  public var byteFallback = true
  /// Jinja source.
  public var chatTemplate: String?
  /// What was not as it should be, and what was made of it.
  public var warnings: [String] = []

  public init(kind: Kind, pieces: ByteStrings) {
    self.kind = kind
    self.pieces = pieces
  }
}
