import Foundation

extension TokenizerDescription {
  /// Reads a Hugging Face `tokenizer.json` whose model is BPE, and the files beside it that name
  /// special tokens.
  /// - Throws: `TokenizationError`, naming the field, for files that are not such a tokenizer, and
  ///   for settings that this module does not know.
  public init(
    tokenizerJSON: Data, tokenizerConfig: Data?, specialTokensMap: Data? = nil
  ) throws {
    let file = try tokenizerJSON.field(named: "tokenizer.json")
    let model = try file.member("model")
    let type = try model.optional("type")?.string() ?? "BPE"
    guard type == "BPE" else { throw model.failure("type", "\"BPE\"", "\"\(type)\"") }
    if let dropout = model.optional("dropout") {
      throw model.failure("dropout", "null", dropout.value.kind)
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = try model.optional(key)?.string(), !text.isEmpty {
        throw model.failure(key, "null", "\"\(text)\"")
      }
    }

    let isByteLevel = try Self.isByteLevel(file)
    let added = try file.optional("added_tokens")?.elements() ?? []
    let vocabulary = try VocabularyReader(model: model, added: added)
    self.init(kind: .sentencePiece, pieces: vocabulary.pieces)
    types = vocabulary.types
    addedTokens = vocabulary.addedTokens
    byteFallback = try model.optional("byte_fallback")?.bool() ?? false
    if byteFallback {
      for (id, piece) in pieces.enumerated()
      where types[id] == .normal && byteValue(of: piece) != nil {
        types[id] = .byte
      }
    }
    ignoresMerges = try model.optional("ignore_merges")?.bool() ?? false
    if let piece = try model.optional("unk_token")?.string() {
      guard let id = vocabulary.id(of: piece) else {
        throw model.failure("unk_token", "a piece of the vocabulary", "\"\(piece)\"")
      }
      unknownToken = id
    }
    try readMerges(model.member("merges"))
    if isByteLevel {
      try readByteLevel(file)
    } else {
      try readSentencePiece(file)
    }
    try readPostProcessor(file, vocabulary)
    let configuration = try tokenizerConfig?.field(named: "tokenizer_config.json")
    if let configuration {
      try readSpecialTokens(configuration, vocabulary)
      try readChatTemplate(configuration)
    }
    if let map = try specialTokensMap?.field(named: "special_tokens_map.json") {
      // transformers reads it where tokenizer_config.json does not list all added tokens; what it
      // says of the end counts in any case.
      let known = self
      try readSpecialTokens(map, vocabulary)
      if configuration?.optional("added_tokens_decoder") != nil {
        (bosToken, eosToken, padToken) = (known.bosToken, known.eosToken, known.padToken)
      }
    }
  }

  /// Adds what `config.json` or `generation_config.json` says of the ends of texts: one id or
  /// several in `eos_token_id`.
  /// - Parameter name: the file's.
  /// - Throws: `TokenizationError` for what is no id.
  public mutating func addEnds(ofConfiguration json: Data, named name: String) throws {
    guard let field = try json.field(named: name).optional("eos_token_id") else { return }
    var ids = [field]
    if case .array = field.value { ids = try field.elements() }
    for id in ids {
      guard case .integer(let value) = id.value else { throw id.failure("an id", id.value.kind) }
      guard value >= 0, let token = Int32(exactly: value) else {
        warnings.append("\(id.name): expected an id from 0 up, found \(value); it is not used")
        continue
      }
      endOfGeneration.insert(token)
    }
  }

  private mutating func readMerges(_ list: JSONField) throws {
    for merge in try list.elements() {
      switch merge.value {
      case .string(let bytes):
        try merges.append(merge: bytes[...], field: merge.name)
      case .array(let pair):
        guard pair.count == 2, case .string(let left) = pair[0], case .string(let right) = pair[1],
          !left.isEmpty, !right.isEmpty
        else { throw merge.failure("two pieces", merge.value.kind) }
        merges.append(left)
        merges.append(right)
      default:
        throw merge.failure("\"left right\" or [\"left\", \"right\"]", merge.value.kind)
      }
    }
  }

  // MARK: Normalizer, pre-tokenizer, post-processor

  /// A list of the steps of a `Sequence`, or the one step there is.
  private static func steps(_ file: JSONField, _ key: String, _ list: String) throws -> [JSONField]
  {
    guard let step = file.optional(key) else { return [] }
    guard try step.member("type").string() == "Sequence" else { return [step] }
    return try step.member(list).elements()
  }

  private static func isByteLevel(_ file: JSONField) throws -> Bool {
    try steps(file, "pre_tokenizer", "pretokenizers").contains {
      try $0.member("type").string() == "ByteLevel"
    }
  }

  private static let patterns: [String: PreTokenizer] = {
    let start = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
    let end = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    return [start + end: .qwen2, start + "{1,3}" + end: .llama3, gpt2: .gpt2]
  }()

  private mutating func readByteLevel(_ file: JSONField) throws {
    for step in try Self.steps(file, "normalizer", "normalizers") {
      let type = try step.member("type").string()
      guard type == "NFC" else { throw step.failure("type", "\"NFC\" or null", "\"\(type)\"") }
      normalizesNFC = true
    }
    var found: PreTokenizer?
    for step in try Self.steps(file, "pre_tokenizer", "pretokenizers") {
      let type = try step.member("type").string()
      switch type {
      case "Split":
        let pattern = try step.member("pattern").member("Regex").string()
        guard found == nil, let known = Self.patterns[pattern] else {
          throw step.failure(
            "pattern.Regex", "one of the patterns of GPT-2, Qwen2 and Llama 3", "\"\(pattern)\"")
        }
        let behavior = try step.member("behavior").string()
        let inverted = try step.optional("invert")?.bool() ?? false
        // Every known pattern matches all of the text: both keep every match.
        guard behavior == "Isolated" && !inverted || behavior == "Removed" && inverted else {
          throw step.failure("behavior", "\"Isolated\"", "\"\(behavior)\", invert \(inverted)")
        }
        found = known
      case "Digits":
        guard found == nil, try step.member("individual_digits").bool() else {
          throw step.failure("individual_digits", "true, before any other step", "something else")
        }
        found = .smollm
      case "ByteLevel":
        if try step.optional("add_prefix_space")?.bool() ?? true {
          throw step.failure("add_prefix_space", "false", "true")
        }
        let usesPattern = try step.optional("use_regex")?.bool() ?? true
        switch (usesPattern, found) {
        case (true, nil): found = .gpt2
        case (true, .smollm), (false, .gpt2), (false, .qwen2), (false, .llama3): break
        default:
          throw step.failure(
            "use_regex", found == nil ? "true" : "the steps of a known tokenizer", "\(usesPattern)")
        }
      default:
        throw step.failure("type", "\"Split\", \"Digits\" or \"ByteLevel\"", "\"\(type)\"")
      }
    }
    kind = .byteLevelBPE(found ?? .gpt2)
  }

  private mutating func readSentencePiece(_ file: JSONField) throws {
    var escapesSpaces = false
    for step in try Self.steps(file, "normalizer", "normalizers") {
      let type = try step.member("type").string()
      switch type {
      case "Prepend" where !escapesSpaces:
        let text = try step.member("prepend").string()
        guard text == "▁" else { throw step.failure("prepend", "\"▁\"", "\"\(text)\"") }
        spacePrefix = .always
      case "Replace":
        let pattern = try step.member("pattern").member("String").string()
        let content = try step.member("content").string()
        guard pattern == " ", content == "▁" else {
          throw step.failure(
            "pattern", "\" \" replaced by \"▁\"", "\"\(pattern)\" by \"\(content)\"")
        }
        escapesSpaces = true
      default:
        throw step.failure("type", "\"Prepend\", then \"Replace\"", "\"\(type)\"")
      }
    }
    for step in try Self.steps(file, "pre_tokenizer", "pretokenizers") {
      let type = try step.member("type").string()
      switch type {
      case "Metaspace":
        let splits = try step.optional("split")?.bool() ?? true
        guard !splits else { throw step.failure("split", "false", "true") }
        let scheme = try step.optional("prepend_scheme")?.string() ?? "always"
        switch scheme {
        case "always": spacePrefix = .whereMissing(firstOnly: false)
        case "first": spacePrefix = .whereMissing(firstOnly: true)
        case "never": break
        default:
          throw step.failure("prepend_scheme", "always, first or never", "\"\(scheme)\"")
        }
        escapesSpaces = true
      case "Split":
        // Gemma's: at spaces, of which its normalizer has left none.
        let pattern = try step.member("pattern").optional("String")?.string()
        guard pattern == " ", escapesSpaces else {
          throw step.failure("pattern", "\" \" after a normalizer that replaces spaces", "another")
        }
      default:
        throw step.failure("type", "\"Metaspace\", \"Split\" or \"ByteLevel\"", "\"\(type)\"")
      }
    }
    guard escapesSpaces else {
      throw file.failure("normalizer", "spaces replaced by \"▁\"", "nothing of the kind")
    }
  }

  private mutating func readPostProcessor(
    _ file: JSONField, _ vocabulary: VocabularyReader
  ) throws {
    for step in try Self.steps(file, "post_processor", "processors") {
      let type = try step.member("type").string()
      switch type {
      case "ByteLevel": break
      case "TemplateProcessing":
        var isBefore = true
        for part in try step.member("single").elements() {
          if part.optional("Sequence") != nil {
            isBefore = false
            continue
          }
          let field = try part.member("SpecialToken").member("id")
          let piece = try field.string()
          guard let id = vocabulary.id(of: piece) else {
            throw field.failure("a piece of the vocabulary", "\"\(piece)\"")
          }
          if isBefore { prefix.append(id) } else { suffix.append(id) }
        }
      default:
        throw step.failure("type", "\"TemplateProcessing\" or \"ByteLevel\"", "\"\(type)\"")
      }
    }
  }

  // MARK: tokenizer_config.json, special_tokens_map.json

  private mutating func readSpecialTokens(
    _ file: JSONField, _ vocabulary: VocabularyReader
  ) throws {
    func token(_ key: String) throws -> Int32? {
      guard let field = file.optional(key) else { return nil }
      let content = field.optional("content") ?? field
      let piece = try content.string()
      guard let id = vocabulary.id(of: piece) else {
        warnings.append(
          "\(content.name): expected a piece of the vocabulary, found \"\(piece)\"; it is not used")
        return nil
      }
      return id
    }
    bosToken = try token("bos_token") ?? bosToken
    let end = try token("eos_token")
    for token in [end, eosToken] { if let token { endOfGeneration.insert(token) } }
    eosToken = end ?? eosToken
    padToken = try token("pad_token") ?? padToken
  }

  private mutating func readChatTemplate(_ file: JSONField) throws {
    if let template = file.optional("chat_template") {
      if case .array = template.value {
        // Several by name: the default one is for conversations.
        for named in try template.elements() where try named.member("name").string() == "default" {
          chatTemplate = try named.member("template").string()
        }
      } else {
        chatTemplate = try template.string()
      }
    }
  }
}

extension Data {
  /// All of a JSON file.
  fileprivate func field(named name: String) throws -> JSONField {
    JSONField(
      name: name,
      value: try withUnsafeBytes { try JSONValue(parsing: $0.bindMemory(to: UInt8.self)) })
  }
}

/// A value and what errors call it.
struct JSONField {
  let name: String
  let value: JSONValue

  func failure(_ expected: String, _ found: String) -> TokenizationError {
    .invalid(field: name, expected: expected, found: found)
  }

  func failure(_ member: String, _ expected: String, _ found: String) -> TokenizationError {
    .invalid(field: "\(name).\(member)", expected: expected, found: found)
  }

  func member(_ key: String) throws -> JSONField {
    guard case .object = value else { throw failure("an object", value.kind) }
    guard let member = value[key] else { throw failure(key, "a value", "nothing") }
    return JSONField(name: "\(name).\(key)", value: member)
  }

  /// A member that may be missing or null.
  func optional(_ key: String) -> JSONField? {
    guard let member = value[key], member != .null else { return nil }
    return JSONField(name: "\(name).\(key)", value: member)
  }

  func string() throws -> String {
    guard let text = value.text else { throw failure("a string", value.kind) }
    return text
  }

  func bool() throws -> Bool {
    guard case .bool(let value) = value else { throw failure("true or false", value.kind) }
    return value
  }

  func elements() throws -> [JSONField] {
    guard case .array(let elements) = value else { throw failure("an array", value.kind) }
    return elements.enumerated().map { JSONField(name: "\(name)[\($0)]", value: $1) }
  }
}

/// The vocabulary of a `tokenizer.json`: `model.vocab` and `added_tokens` by id.
private struct VocabularyReader {
  var pieces = ByteStrings()
  var types: [TokenType]
  var addedTokens: [AddedToken] = []
  private var ids: [[UInt8]: Int32] = [:]

  init(model: JSONField, added: [JSONField]) throws {
    let field = try model.member("vocab")
    guard case .object(let members) = field.value else {
      throw field.failure("an object", field.value.kind)
    }
    // Published vocabularies leave few ids out; a file of a few bytes must not ask for gigabytes.
    let limit = (members.count + added.count) * 2 + 4096
    var byID = [[UInt8]?](repeating: nil, count: members.count)
    func check(_ value: JSONValue?, _ name: String) throws -> Int {
      guard case .integer(let id)? = value, (0..<limit).contains(id) else {
        throw TokenizationError.invalid(
          field: name, expected: "an id below \(limit)", found: value?.kind ?? "nothing")
      }
      if id >= byID.count {
        byID.append(contentsOf: repeatElement(nil, count: id + 1 - byID.count))
      }
      return id
    }
    for (piece, value) in members {
      let name = "\(field.name)[\"\(String(decoding: piece, as: UTF8.self))\"]"
      let id = try check(value, name)
      if let other = byID[id] {
        throw TokenizationError.invalid(
          field: name, expected: "an id of its own",
          found: "\(id), which is \"\(String(decoding: other, as: UTF8.self))\"")
      }
      guard ids.updateValue(Int32(id), forKey: piece) == nil else {
        throw TokenizationError.invalid(
          field: name, expected: "each piece once", found: "it twice")
      }
      byID[id] = piece
    }
    var kinds: [Int: TokenType] = [:]
    for token in added {
      let content = try token.member("content")
      guard case .string(let piece) = content.value, !piece.isEmpty else {
        throw content.failure("a string that is not empty", content.value.kind)
      }
      let id = try check(token.member("id").value, "\(token.name).id")
      guard byID[id] == nil || byID[id] == piece, ids[piece] == nil || ids[piece] == Int32(id)
      else {
        throw token.failure(
          "id", "the id and the content of one piece", "\(id) for \(content.value.kind)")
      }
      guard kinds[id] == nil else { throw token.failure("id", "each id once", "\(id) twice") }
      if try token.optional("single_word")?.bool() ?? false {
        throw token.failure("single_word", "false", "true")
      }
      byID[id] = piece
      ids[piece] = Int32(id)
      let isSpecial = try token.optional("special")?.bool() ?? false
      kinds[id] = isSpecial ? .control : .userDefined
      addedTokens.append(
        AddedToken(
          id: Int32(id), stripsLeft: try token.optional("lstrip")?.bool() ?? false,
          stripsRight: try token.optional("rstrip")?.bool() ?? false,
          isNormalized: try token.optional("normalized")?.bool() ?? !isSpecial))
    }
    types = byID.indices.map { kinds[$0] ?? (byID[$0] == nil ? .unused : .normal) }
    for piece in byID { pieces.append(piece ?? []) }
  }

  func id(of piece: String) -> Int32? { ids[Array(piece.utf8)] }
}

extension Tokenizer {
  /// Reads the tokenizer of a Hugging Face folder.
  /// - Parameters:
  ///   - tokenizerJSON: the contents of `tokenizer.json`.
  ///   - tokenizerConfig: the contents of `tokenizer_config.json`: special tokens, chat template.
  /// - Throws: `TokenizationError`.
  public convenience init(tokenizerJSON: Data, tokenizerConfig: Data?) throws {
    try self.init(
      TokenizerDescription(tokenizerJSON: tokenizerJSON, tokenizerConfig: tokenizerConfig))
  }
}
