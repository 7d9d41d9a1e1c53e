import Foundation
import ModelFiles

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

/// The conversations of a file, JSON lines or one JSON array, read one after another as they are
/// asked for.
///
///     for line in try ConversationFile(path: "answers.jsonl") {
///       let conversation = try line.get()
///     }
public struct ConversationFile: Sequence {
  let records: TextRecords

  /// - Throws: `ModelFileError` when the file cannot be read, or is empty.
  public init(path: String) throws {
    records = try TextRecords(path: path, isJSON: true)
  }

  public func makeIterator() -> Iterator { Iterator(records: records.makeIterator()) }

  public struct Iterator: IteratorProtocol {
    fileprivate var records: TextRecords.Iterator
    private let decoder = Conversation.decoder()

    /// The next conversation, or the `TrainingError.line` that tells what its line lacks. One
    /// without an id has its line's number.
    public mutating func next() -> Result<Conversation, any Error>? {
      records.next().map { record in Result { try record.conversation(by: decoder) } }
    }
  }

  /// Hands over the conversations, and notes what is none.
  /// - Throws: what is wrong with the first line where no line is a conversation; what `take`
  ///   throws.
  func forEach(
    leavingOut leftOut: inout [LeftOut], isEnough: () -> Bool = { false },
    _ take: (Conversation) throws -> Void
  ) throws {
    let decoder = Conversation.decoder()
    try records.forEach(
      leavingOut: &leftOut, isEnough: isEnough, read: { try $0.conversation(by: decoder) }, take)
  }
}

extension Conversation {
  /// Reads the keys as files have them.
  static func decoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }
}

extension TextRecords.Record {
  /// - Throws: `TrainingError.line`, for what is no conversation.
  func conversation(by decoder: JSONDecoder) throws -> Conversation {
    var conversation = try decoded(Conversation.self, by: decoder)
    if conversation.id.isEmpty { conversation.id = "\(number)" }
    guard !conversation.turns.isEmpty else {
      throw error("conversations", expected: "at least one turn", found: "none")
    }
    if let tokens = conversation.tokens { try check(tokens) }
    return conversation
  }

  /// Ids are checked against the vocabulary where they are used.
  private func check(_ tokens: Conversation.Tokens) throws {
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
