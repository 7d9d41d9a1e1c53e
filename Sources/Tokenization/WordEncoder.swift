/// The buffers of one encoding at a time, and the words that it remembers.
///
/// Not safe to share; `Tokenizer` lends each to one caller, hence `@unchecked`.
final class WordEncoder: @unchecked Sendable {
  private var buffers = MergeBuffers()
  private var cache = WordCache()
  private var escaped: [UInt8] = []

  /// The text as `tokenizer.json`'s normalizer leaves it.
  func normalized(_ text: UnsafeBufferPointer<UInt8>, _ model: WordModel) -> [UInt8] {
    switch (model.kind, model.spacePrefix) {
    case (.byteLevelBPE, _):
      return model.normalizesNFC ? Array(NormalizationFormC.normalize(text).utf8) : Array(text)
    case (.sentencePiece, .none), (.sentencePiece, .always):
      escape(text, isFirst: true, model.spacePrefix)
      return escaped
    case (.sentencePiece, .whereMissing):
      // There it is the pre-tokenizer that escapes spaces.
      return Array(text)
    }
  }

  /// Appends the tokens of a stretch of valid UTF-8 text between added tokens.
  /// - Parameter isNormalized: whether the text is `normalized` already.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, isNormalized: Bool = false,
    model: WordModel, to output: inout [Int32]
  ) {
    switch model.kind {
    case .byteLevelBPE(let preTokenizer):
      guard case .ranked(let merges) = model.merges else { return }
      func encodeWords(_ text: UnsafeBufferPointer<UInt8>) {
        preTokenizer.forEachWord(text) { encodeByteLevel($0, model, merges, &output) }
      }
      if model.normalizesNFC, NormalizationFormC.mayChange(text) {
        var normalized = NormalizationFormC.normalize(text)
        normalized.withUTF8(encodeWords)
      } else {
        encodeWords(text)
      }
    case .sentencePiece:
      let prefix =
        isNormalized && model.spacePrefix == .always ? .none : model.spacePrefix
      encodeSentencePiece(text, isFirst: isFirst, prefix: prefix, model, to: &output)
    }
  }

  // MARK: Byte-level BPE

  @inline(__always)
  func encodeByteLevel(
    _ word: UnsafeBufferPointer<UInt8>, _ model: WordModel, _ merges: RankedMerges,
    _ output: inout [Int32]
  ) {
    encodeCached(word, &output) { word, output in
      if model.ignoresMerges, let id = model.index.id(of: word) {
        output.append(id)
        return
      }
      buffers.symbols.removeAll(keepingCapacity: true)
      for (offset, byte) in word.enumerated() {
        let id = model.byteTokens[Int(byte)]
        buffers.symbols.append(Symbol(id: id, start: Int32(offset), length: 1))
      }
      merges.merge(word, &buffers)
      for symbol in buffers.symbols {
        if symbol.id >= 0 {
          output.append(symbol.id)
        } else if let unknown = model.unknownToken {
          output.append(unknown)
        }
      }
    }
  }

  @inline(__always)
  private func encodeCached(
    _ word: UnsafeBufferPointer<UInt8>, _ output: inout [Int32],
    _ encode: (UnsafeBufferPointer<UInt8>, inout [Int32]) -> Void
  ) {
    guard word.count <= WordCache.longestWord else {
      encode(word, &output)
      return
    }
    let hash = hashBytes(word)
    if cache.append(word, hash: hash, to: &output) { return }
    let start = output.count
    encode(word, &output)
    cache.insert(word, hash: hash, ids: output[start...])
  }

  // MARK: SentencePiece

  func encodeSentencePiece(
    _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, prefix: TokenizerDescription.SpacePrefix,
    _ model: WordModel, to output: inout [Int32]
  ) {
    escape(text, isFirst: isFirst, prefix)
    escaped.withUnsafeBufferPointer { text in
      switch model.merges {
      case .ranked(let merges): encodeSentencePiece(text, model, merges, &output)
      case .scored(let merges): encodeSentencePiece(text, model, merges, &output)
      }
    }
  }

  /// Writes the text into `escaped`, spaces as ▁.
  private func escape(
    _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ prefix: TokenizerDescription.SpacePrefix
  ) {
    escaped.removeAll(keepingCapacity: true)
    guard let first = text.first else { return }
    let space: [UInt8] = [0xE2, 0x96, 0x81]
    switch prefix {
    case .none: break
    case .always: escaped += space
    case .whereMissing(let firstOnly):
      let hasOne = first == 0x20 || text.starts(with: space)
      if !hasOne && (isFirst || !firstOnly) { escaped += space }
    }
    for byte in text {
      guard byte == 0x20 else {
        escaped.append(byte)
        continue
      }
      escaped.append(0xE2)
      escaped.append(0x96)
      escaped.append(0x81)
    }
  }

  @inline(__always)
  private func encodeSentencePiece<Rules: MergeRules>(
    _ text: UnsafeBufferPointer<UInt8>, _ model: WordModel, _ merges: Rules,
    _ output: inout [Int32]
  ) {
    var start = 0
    while start < text.count {
      var end = start + 1
      while end < text.count {
        // Continuation bytes cannot begin a ▁, so that words end at whole characters.
        if text[end] == 0xE2, end + 2 < text.count, text[end + 1] == 0x96, text[end + 2] == 0x81,
          !model.joinsSpace[Int(text[end - 1])]
        {
          break
        }
        end += 1
      }
      let word = UnsafeBufferPointer(rebasing: text[start..<end])
      encodeCached(word, &output) { encodePieces($0, model, merges, &$1) }
      start = end
    }
  }

  private func encodePieces<Rules: MergeRules>(
    _ word: UnsafeBufferPointer<UInt8>, _ model: WordModel, _ merges: Rules,
    _ output: inout [Int32]
  ) {
    if model.ignoresMerges, let id = model.index.id(of: word) {
      output.append(id)
      return
    }
    buffers.symbols.removeAll(keepingCapacity: true)
    var start = 0
    while start < word.count {
      // A broken character ends where the next one begins.
      let whole = min(characterLength(word[start]), word.count - start)
      var length = 1
      while length < whole, word[start + length] & 0xC0 == 0x80 { length += 1 }
      let character = UnsafeBufferPointer(rebasing: word[start..<start + length])
      let id = model.index.id(of: character) ?? -1
      buffers.symbols.append(
        Symbol(id: id, start: Int32(start), length: Int32(character.count)))
      start += length
    }
    merges.merge(word, &buffers)
    var wasUnknown = false
    for symbol in buffers.symbols {
      if symbol.id >= 0 {
        output.append(symbol.id)
        wasUnknown = false
        continue
      }
      let bytes = word[Int(symbol.start)..<Int(symbol.start + symbol.length)]
      if bytes.allSatisfy({ model.byteTokens[Int($0)] >= 0 }) {
        for byte in bytes { output.append(model.byteTokens[Int(byte)]) }
        wasUnknown = false
      } else if let unknown = model.unknownToken, !wasUnknown {
        output.append(unknown)
        wasUnknown = true
      }
    }
  }

  @inline(__always)
  private func characterLength(_ first: UInt8) -> Int {
    first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
  }
}
