/// What turns one word into tokens: the tables that a vocabulary is made into.
struct WordModel: Sendable {
  enum Merges: Sendable {
    case ranked(RankedMerges)
    case scored(ScoredMerges)
  }

  let kind: TokenizerDescription.Kind
  let merges: Merges
  /// Finds words and characters by their bytes (by their ▁ form in SentencePiece).
  let index: PieceIndex
  let ignoresMerges: Bool
  let normalizesNFC: Bool
  let spacePrefix: TokenizerDescription.SpacePrefix
  let unknownToken: Int32?
  /// The token of each byte, or -1: the alphabet of byte-level BPE, byte fallback of SentencePiece.
  let byteTokens: [Int32]
  /// Whether runs of spaces are merged like words although the vocabulary calls them user-defined.
  let spacesMerge: Bool
  /// Bytes before which a ▁ may stand within one piece: after others it begins a new word.
  let joinsSpace: [Bool]

  init(
    _ description: TokenizerDescription, types: [TokenType], tokenBytes: ByteStrings
  ) throws {
    kind = description.kind
    ignoresMerges = description.ignoresMerges
    normalizesNFC = description.normalizesNFC
    spacePrefix = description.spacePrefix
    unknownToken = description.unknownToken
    let isScored = kind == .sentencePiece && description.merges.isEmpty
    spacesMerge = isScored
    switch kind {
    case .byteLevelBPE:
      index = PieceIndex(tokenBytes) { types[$0] == .normal }
      merges = .ranked(
        try RankedMerges(
          try description.decodedMerges(), of: PieceIndex(tokenBytes) { _ in true }, types: types))
      var tokens = [Int32](repeating: -1, count: 256)
      for byte in 0..<256 { tokens[byte] = index.id(of: [UInt8(byte)]) ?? -1 }
      byteTokens = tokens
      joinsSpace = []
    case .sentencePiece:
      let isSpaces = { isScored && types[$0] == .userDefined && description.isSpaces($0) }
      let pieces = isScored ? description.escapedPieces(isSpaces: isSpaces) : description.pieces
      index = PieceIndex(pieces) {
        types[$0] == .normal || isSpaces($0)
      }
      merges =
        isScored
        ? .scored(ScoredMerges(index: index, scores: description.scores, isFirst: isSpaces))
        : .ranked(
          try RankedMerges(
            description.merges, of: PieceIndex(pieces) { _ in true }, types: types))
      byteTokens = description.fallbackTokens(types: types)
      joinsSpace = Self.bytesBeforeSpace(index.pieces, types: types)
    }
  }

  /// The bytes that come directly before a ▁ inside a piece, ▁ itself included.
  private static func bytesBeforeSpace(_ pieces: ByteStrings, types: [TokenType]) -> [Bool] {
    var result = [Bool](repeating: false, count: 256)
    for (id, piece) in pieces.enumerated() where types[id] == .normal && piece.count > 3 {
      for index in piece.indices.dropFirst().dropLast(2)
      where piece[index] == 0xE2 && piece[index + 1] == 0x96 && piece[index + 2] == 0x81 {
        result[Int(piece[index - 1])] = true
      }
    }
    // Runs of ▁ stay together.
    result[0x81] = true
    return result
  }
}

extension TokenizerDescription {
  /// The merges with their halves as bytes.
  fileprivate func decodedMerges() throws -> ByteStrings {
    var result = ByteStrings()
    for (index, half) in merges.enumerated() {
      guard let bytes = ByteLevelAlphabet.decode(half) else {
        throw TokenizationError.invalid(
          field: "merges[\(index / 2)]", expected: "characters of the byte-level alphabet",
          found: "\"\(merges.text(index))\"")
      }
      result.append(bytes)
    }
    return result
  }

  /// The pieces with user-defined runs of spaces written as ▁, as text has them when it is merged.
  fileprivate func escapedPieces(isSpaces: (Int) -> Bool) -> ByteStrings {
    var result = ByteStrings()
    for (id, piece) in pieces.enumerated() {
      if isSpaces(id) {
        result.append(piece.flatMap { $0 == 0x20 ? [0xE2, 0x96, 0x81] : [$0] })
      } else {
        result.append(piece)
      }
    }
    return result
  }

  fileprivate func fallbackTokens(types: [TokenType]) -> [Int32] {
    var tokens = [Int32](repeating: -1, count: 256)
    guard byteFallback else { return tokens }
    for (id, piece) in pieces.enumerated() where types[id] == .byte {
      if let byte = byteValue(of: piece) { tokens[Int(byte)] = Int32(id) }
    }
    return tokens
  }
}
