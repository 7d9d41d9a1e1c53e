/// Where a tokenizer's description lies as key and value: the metadata of a GGUF file. Each gives
/// nil for a key that is missing, and throws for one whose value is of another type.
public protocol TokenizerMetadata {
  func string(_ key: String) throws -> String?
  func strings(_ key: String) throws -> ByteStrings?
  func int(_ key: String) throws -> Int?
  func ints(_ key: String) throws -> [Int]?
  func floats(_ key: String) throws -> [Float]?
  func bool(_ key: String) throws -> Bool?
}

extension TokenizerDescription {
  /// Reads the `tokenizer.*` keys of a GGUF file.
  /// - Throws: `TokenizationError.invalid`, naming the key.
  public init(metadata: some TokenizerMetadata) throws {
    guard let model = try metadata.string("tokenizer.ggml.model") else {
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.model", expected: "gpt2 or llama", found: "nothing")
    }
    guard let pieces = try metadata.strings("tokenizer.ggml.tokens"), !pieces.isEmpty else {
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.tokens", expected: "an array of strings", found: "nothing")
    }
    switch model {
    case "gpt2":
      try self.init(byteLevel: metadata, pieces: pieces)
    case "llama":
      try self.init(sentencePiece: metadata, pieces: pieces)
    default:
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.model", expected: "gpt2 or llama", found: model)
    }
    try readTypes(metadata)
    readAddedTokens()
    try readSpecialTokens(metadata)
    chatTemplate = try metadata.string("tokenizer.chat_template")
  }

  private init(byteLevel metadata: some TokenizerMetadata, pieces: ByteStrings) throws {
    let name = try metadata.string("tokenizer.ggml.pre")
    let preTokenizer: PreTokenizer
    var warnings: [String] = []
    if let name, !PreTokenizer.saysNothing(ggufName: name) {
      guard let known = PreTokenizer(ggufName: name) else {
        throw TokenizationError.invalid(
          field: "tokenizer.ggml.pre", expected: "one of \(PreTokenizer.ggufNames)", found: name)
      }
      preTokenizer = known
    } else {
      let architecture = try metadata.string("general.architecture") ?? "no architecture"
      preTokenizer = PreTokenizer(architecture: architecture)
      warnings.append(
        "tokenizer.ggml.pre: expected a rule by which text is split, found "
          + "\(name.map { "\"\($0)\"" } ?? "nothing"); it is split as usual for \(architecture) "
          + "(\(preTokenizer.rawValue)), and tokens may be others than in training")
    }
    self.init(kind: .byteLevelBPE(preTokenizer), pieces: pieces)
    self.warnings = warnings
    guard let joined = try metadata.strings("tokenizer.ggml.merges") else {
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.merges", expected: "an array of strings", found: "nothing")
    }
    for (index, merge) in joined.enumerated() {
      try merges.append(merge: merge, field: "tokenizer.ggml.merges[\(index)]")
    }
    // What the tokenizers behind these names do besides splitting into words.
    normalizesNFC = preTokenizer == .qwen2
    ignoresMerges = preTokenizer == .llama3
  }

  private init(sentencePiece metadata: some TokenizerMetadata, pieces: ByteStrings) throws {
    self.init(kind: .sentencePiece, pieces: pieces)
    guard let scores = try metadata.floats("tokenizer.ggml.scores") else {
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.scores", expected: "an array of numbers", found: "nothing")
    }
    self.scores = scores
    if try metadata.bool("tokenizer.ggml.add_space_prefix") ?? true { spacePrefix = .always }
  }

  private mutating func readTypes(_ metadata: some TokenizerMetadata) throws {
    guard let numbers = try metadata.ints("tokenizer.ggml.token_type") else { return }
    guard numbers.count == pieces.count else {
      throw TokenizationError.invalid(
        field: "tokenizer.ggml.token_type", expected: "\(pieces.count) values",
        found: "\(numbers.count)")
    }
    types = try numbers.enumerated().map { id, number in
      // 0 is "undefined" in GGUF: an ordinary piece.
      guard let type = TokenType(rawValue: number == 0 ? 1 : number) else {
        throw TokenizationError.invalid(
          field: "tokenizer.ggml.token_type[\(id)]", expected: "0 to 6", found: "\(number)")
      }
      return type
    }
  }

  /// Takes what ends a text for a control token, whatever the file says, as llama.cpp does.
  private mutating func readAddedTokens() {
    if types.isEmpty { types = Array(repeating: .normal, count: pieces.count) }
    for id in namedEnds { types[Int(id)] = .control }
    addedTokens = types.indices.compactMap { id in
      switch types[id] {
      case .control, .userDefined, .unknown: AddedToken(id: Int32(id))
      default: nil
      }
    }
  }

  private mutating func readSpecialTokens(_ metadata: some TokenizerMetadata) throws {
    func token(_ name: String) throws -> Int32? {
      let key = "tokenizer.ggml.\(name)_token_id"
      guard let id = try metadata.int(key) else { return nil }
      guard pieces.indices.contains(id) else {
        warnings.append("\(key): expected an id below \(pieces.count), found \(id); it is not used")
        return nil
      }
      return Int32(id)
    }
    let isSentencePiece = kind == .sentencePiece
    // llama.cpp's defaults for SentencePiece files that leave these out.
    bosToken = try token("bos") ?? (isSentencePiece && pieces.count > 2 ? 1 : nil)
    eosToken = try token("eos") ?? (isSentencePiece && pieces.count > 2 ? 2 : nil)
    // Byte-level BPE leaves out a byte that has no token, whatever this key says.
    unknownToken = isSentencePiece ? try token("unknown") ?? 0 : nil
    padToken = try token("padding")
    endOfGeneration = Set(
      try ["eot", "eom", "fim_pad", "fim_rep", "fim_sep"].compactMap(token))
    // Where the file does not say its rule, this token tells Llama 3 from others like it.
    let name = try metadata.string("tokenizer.ggml.pre") ?? ""
    let isLlama3 =
      kind == .byteLevelBPE(.llama3)
      && (!PreTokenizer.saysNothing(ggufName: name)
        || bosToken.map { pieces.text(Int($0)) } == "<|begin_of_text|>")
    let beginsWithBOS = isSentencePiece || isLlama3
    if try metadata.bool("tokenizer.ggml.add_bos_token") ?? beginsWithBOS {
      guard let bosToken else {
        throw TokenizationError.invalid(
          field: "tokenizer.ggml.bos_token_id", expected: "an id, since texts begin with it",
          found: "nothing")
      }
      prefix = [bosToken]
    }
    if try metadata.bool("tokenizer.ggml.add_eos_token") ?? false, let eosToken {
      suffix = [eosToken]
    }
  }
}

extension ByteStrings {
  /// Adds both halves of a merge written as "left right".
  mutating func append(merge: ArraySlice<UInt8>, field: String) throws {
    // From the second byte on: a merge never has an empty half.
    guard let space = merge.dropFirst().firstIndex(of: 0x20), space + 1 < merge.endIndex else {
      throw TokenizationError.invalid(
        field: field, expected: "two pieces with a space between",
        found: "\"\(String(decoding: merge, as: UTF8.self))\"")
    }
    append(merge[merge.startIndex..<space])
    append(merge[(space + 1)...])
  }
}
