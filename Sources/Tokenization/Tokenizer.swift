import Foundation
import Synchronization

/// Turns text into the tokens of a model's vocabulary and back. Immutable; safe to share.
public final class Tokenizer: Sendable {
  public let vocabularySize: Int
  public let bosToken: Int32?
  public let eosToken: Int32?
  public let padToken: Int32?
  /// Every token that ends a text or a turn: those that any of the model's files names, and those
  /// known by their text, such as `<|im_end|>`. Some may lie outside the vocabulary.
  public let endOfGeneration: Set<Int32>
  /// The model's chat template, if it has one that can be parsed.
  public let chatTemplate: ChatTemplate?
  /// Why the model's chat template cannot be parsed.
  public let chatTemplateError: TokenizationError?
  /// What in the files was not as it should be, and what was made of it.
  public var warnings: [String] { description.warnings }
  /// Whether decoding takes away the space that encoding puts before a text.
  public let stripsLeadingSpace: Bool

  let description: TokenizerDescription
  /// By id: the bytes that a token stands for.
  let tokenBytes: ByteStrings
  let types: [TokenType]
  /// Finds added tokens in raw text.
  let matcher: AddedTokenMatcher
  /// Finds those that are looked for in normalised text; nil when there are none.
  let normalizedMatcher: AddedTokenMatcher?
  /// Finds all of them in pieces from within a text, which have no normal form.
  let fragmentMatcher: AddedTokenMatcher
  let model: WordModel
  /// Buffers and word caches of encoders at work, lent and given back.
  let encoders = Mutex<[WordEncoder]>([])

  /// Checks the description and builds the tables.
  /// - Throws: `TokenizationError.invalid`, naming the field.
  public init(_ description: TokenizerDescription) throws {
    try description.validate()
    self.description = description
    vocabularySize = description.pieces.count
    bosToken = description.bosToken
    eosToken = description.eosToken
    padToken = description.padToken
    types =
      description.types.isEmpty
      ? Array(repeating: .normal, count: description.pieces.count) : description.types
    stripsLeadingSpace = description.kind == .sentencePiece && description.spacePrefix != .none
    tokenBytes = description.decodedPieces(types: types)
    model = try WordModel(description, types: types, tokenBytes: tokenBytes)
    let added =
      model.spacesMerge
      ? description.addedTokens.filter { !description.isSpaces(Int($0.id)) }
      : description.addedTokens
    let pieces = description.pieces
    let raw = added.filter { !$0.isNormalized }
    matcher = AddedTokenMatcher(raw) { Array(pieces[Int($0.id)]) }
    if raw.count == added.count {
      (normalizedMatcher, fragmentMatcher) = (nil, matcher)
    } else {
      let (encoder, model) = (WordEncoder(), model)
      normalizedMatcher = AddedTokenMatcher(added.filter(\.isNormalized)) { token in
        Array(pieces[Int(token.id)]).withUnsafeBufferPointer { encoder.normalized($0, model) }
      }
      fragmentMatcher = AddedTokenMatcher(added) { Array(pieces[Int($0.id)]) }
    }
    endOfGeneration = description.endTokens
    do {
      chatTemplate = try description.chatTemplate.map { try ChatTemplate(source: $0) }
      chatTemplateError = nil
    } catch let error as TokenizationError {
      chatTemplate = nil
      chatTemplateError = error
    }
  }

  /// What the vocabulary says of a token; nil for ids outside it.
  public func type(of id: Int32) -> TokenType? {
    types.indices.contains(Int(id)) ? types[Int(id)] : nil
  }

  /// The bytes that a token stands for; none for ids outside the vocabulary.
  public func bytes(of id: Int32) -> [UInt8] {
    tokenBytes.indices.contains(Int(id)) ? Array(tokenBytes[Int(id)]) : []
  }

  /// A token as the vocabulary prints it (`Ġthe`, `▁the`); empty for ids outside it.
  public func piece(of id: Int32) -> String {
    description.pieces.indices.contains(Int(id)) ? description.pieces.text(Int(id)) : ""
  }

  /// The token that the vocabulary prints so.
  public func token(of piece: String) -> Int32? {
    let bytes = Array(piece.utf8)
    return description.pieces.firstIndex { $0.elementsEqual(bytes) }.map(Int32.init)
  }

  /// The text of tokens. Bytes that are not UTF-8 become U+FFFD, ids outside the vocabulary are
  /// left out.
  /// - Parameter skipSpecial: leave out control tokens such as `<|im_end|>`.
  public func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool = true) -> String {
    var bytes: [UInt8] = []
    for id in ids where shows(id, skipSpecial: skipSpecial) {
      bytes += tokenBytes[Int(id)]
    }
    let strips = stripsLeadingSpace && bytes.first == 0x20
    return String(decoding: strips ? bytes.dropFirst() : bytes[...], as: UTF8.self)
  }

  /// Whether a token shows in decoded text.
  func shows(_ id: Int32, skipSpecial: Bool) -> Bool {
    guard types.indices.contains(Int(id)) else { return false }
    return !(skipSpecial && types[Int(id)] == .control)
  }
}

extension TokenizerDescription {
  /// Checks that sizes agree and ids lie in the vocabulary.
  func validate() throws {
    func fail(_ field: String, _ expected: String, _ found: String) -> TokenizationError {
      .invalid(field: field, expected: expected, found: found)
    }
    guard !pieces.isEmpty, pieces.count <= Int(Int32.max) / 2 else {
      throw fail("vocabulary", "1 to 2^30 pieces", "\(pieces.count)")
    }
    guard types.isEmpty || types.count == pieces.count else {
      throw fail("token types", "\(pieces.count) values", "\(types.count)")
    }
    guard merges.count.isMultiple(of: 2) else {
      throw fail("merges", "pairs", "\(merges.count) halves")
    }
    if kind == .sentencePiece && merges.isEmpty {
      guard scores.count == pieces.count else {
        throw fail("scores", "\(pieces.count) values", "\(scores.count)")
      }
      if let id = scores.firstIndex(where: \.isNaN) {
        throw fail("scores[\(id)]", "a number", "NaN")
      }
    }
    let special = [bosToken, eosToken, unknownToken, padToken].compactMap { $0 }
    let ids =
      special + addedTokens.map(\.id) + prefix + suffix
    for id in ids where !pieces.indices.contains(Int(id)) {
      throw fail("special tokens", "ids below \(pieces.count)", "\(id)")
    }
  }

  /// Whether a token consists of spaces only, as such or as ▁.
  func isSpaces(_ id: Int) -> Bool {
    let piece = pieces[id]
    return !piece.isEmpty && pieces.text(id).unicodeScalars.allSatisfy { $0 == " " || $0 == "▁" }
  }

  /// The bytes that each token stands for.
  func decodedPieces(types: [TokenType]) -> ByteStrings {
    var result = ByteStrings()
    for (id, piece) in pieces.enumerated() {
      switch (kind, types[id]) {
      case (.byteLevelBPE, .normal), (.byteLevelBPE, .unused):
        result.append(ByteLevelAlphabet.decode(piece) ?? Array(piece))
      case (.sentencePiece, .byte):
        result.append(byteValue(of: piece).map { [$0] } ?? Array(piece))
      case (.sentencePiece, .normal), (.sentencePiece, .userDefined), (.sentencePiece, .unused):
        result.append(Self.unescaped(piece))
      default:
        result.append(piece)
      }
    }
    return result
  }

  /// The byte of a piece such as `<0x0A>`.
  func byteValue(of piece: ArraySlice<UInt8>) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece.last == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: piece.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
  }

  /// ▁ turned into spaces.
  private static func unescaped(_ piece: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = piece
    while let byte = rest.first {
      if rest.starts(with: [0xE2, 0x96, 0x81]) {
        result.append(0x20)
        rest = rest.dropFirst(3)
      } else {
        result.append(byte)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
