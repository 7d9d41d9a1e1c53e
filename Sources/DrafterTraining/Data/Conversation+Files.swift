import Foundation

extension Conversation: Codable {
  private enum CodingKeys: String, CodingKey {
    case id, text, conversations, model, temperature, topP, seed, language, category, finish, tokens
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func value<Value: Decodable>(_ key: CodingKeys) throws -> Value? {
      try container.decodeIfPresent(Value.self, forKey: key)
    }
    let id: LineIdentifier? = try value(.id)
    let text: String? = container.contains(.conversations) ? nil : try value(.text)
    self.init(
      id: id?.text ?? "",
      turns: try text.map { [Turn(.gpt, $0)] }
        ?? container.decode([Turn].self, forKey: .conversations))
    model = try value(.model)
    temperature = try value(.temperature)
    topP = try value(.topP)
    seed = try value(.seed)
    language = try value(.language)
    category = try value(.category)
    finish = try value(.finish)
    tokens = try value(.tokens)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(id, forKey: .id)
    try container.encode(turns, forKey: .conversations)
    try container.encodeIfPresent(model, forKey: .model)
    try container.encodeIfPresent(temperature, forKey: .temperature)
    try container.encodeIfPresent(topP, forKey: .topP)
    try container.encodeIfPresent(seed, forKey: .seed)
    try container.encodeIfPresent(language, forKey: .language)
    try container.encodeIfPresent(category, forKey: .category)
    try container.encodeIfPresent(finish, forKey: .finish)
    try container.encodeIfPresent(tokens, forKey: .tokens)
  }

  /// Its line of a file, without the break.
  func line() throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }
}

/// The conversations of a JSON-lines file, read one after another as they are asked for.
///
///     for line in try ConversationFile(path: "answers.jsonl") {
///       let conversation = try line.get()
///     }
public struct ConversationFile: Sequence {
  private let lines: TextLines

  /// - Throws: `ModelFileError` when the file cannot be read, or is empty.
  public init(path: String) throws {
    lines = try TextLines(path: path)
  }

  init(lines: TextLines) {
    self.lines = lines
  }

  public func makeIterator() -> Iterator { Iterator(lines: lines.makeIterator()) }

  public struct Iterator: IteratorProtocol {
    fileprivate var lines: TextLines.Iterator
    private let decoder = JSONDecoder()

    fileprivate init(lines: TextLines.Iterator) {
      self.lines = lines
      decoder.keyDecodingStrategy = .convertFromSnakeCase
    }

    /// The next conversation, or the `TrainingError.line` that tells what its line lacks. One
    /// without an id has its line's number.
    public mutating func next() -> Result<Conversation, any Error>? {
      lines.next().map { line in Result { try conversation(line) } }
    }

    private func conversation(_ line: TextLines.Line) throws -> Conversation {
      var conversation = try line.decoded(Conversation.self, by: decoder)
      if conversation.id.isEmpty { conversation.id = "\(line.number)" }
      guard !conversation.turns.isEmpty else {
        throw line.error("conversations", expected: "at least one turn", found: "none")
      }
      if let tokens = conversation.tokens {
        try line.check(tokens)
      }
      return conversation
    }
  }
}

extension TextLines.Line {
  /// Ids are checked against the vocabulary where they are used.
  fileprivate func check(_ tokens: Conversation.Tokens) throws {
    var end = 0
    for range in tokens.earlier ?? [] {
      guard range.count == 2, range[0] >= end, range[1] >= range[0],
        range[1] <= tokens.prompt.count
      else {
        throw error(
          "tokens.earlier", expected: "pairs in order, within \(tokens.prompt.count) tokens",
          found: "\(range)")
      }
      end = range[1]
    }
  }
}
