import Foundation
import Tokenization

/// A conversation in the ShareGPT form, with how its answers came about.
///
///     {"id": "81@0.7", "conversations": [{"from": "human", "value": "…"},
///      {"from": "gpt", "value": "…"}], "model": "SmolLM2-135M", "temperature": 0.7, "seed": 1,
///      "tokens": {"prompt": [1, 9690], "answer": [57, 2]}}
///
/// All keys but `conversations` may be missing. `{"text": …}` without them is a text that
/// answers nothing.
public struct Conversation: Sendable, Equatable {
  public enum Speaker: String, Sendable, Codable {
    case system
    case human
    case gpt
  }

  /// What one of them said.
  public struct Turn: Sendable, Equatable, Codable {
    public var speaker: Speaker
    public var text: String

    public init(_ speaker: Speaker, _ text: String) {
      self.speaker = speaker
      self.text = text
    }
  }

  /// The ids that the model really read and generated: their text may have other ids when it is
  /// encoded again.
  public struct Tokens: Sendable, Equatable, Codable {
    /// All before the last answer.
    public var prompt: [Int32]
    /// The last answer, with the token that ended it if one did.
    public var answer: [Int32]
    /// Where earlier answers stand in `prompt`: first token and the one after the last.
    public var earlier: [[Int]]?

    public init(prompt: [Int32], answer: [Int32], earlier: [Range<Int>] = []) {
      self.prompt = prompt
      self.answer = answer
      self.earlier = earlier.isEmpty ? nil : earlier.map { [$0.lowerBound, $0.upperBound] }
    }
  }

  public var id: String
  public var turns: [Turn]
  /// Who answered.
  public var model: String?
  public var temperature: Double?
  public var topP: Double?
  public var seed: UInt64?
  /// A code such as `ko`.
  public var language: String?
  public var category: String?
  /// Why the last answer ended: `stop`, `length` or `context`.
  public var finish: String?
  public var tokens: Tokens?

  public init(id: String, turns: [Turn]) {
    self.id = id
    self.turns = turns
  }

  /// Whether it is a text alone, said to nobody.
  public var isText: Bool { turns.map(\.speaker) == [.gpt] }

  /// The same for a chat template.
  public var messages: [ChatMessage] {
    turns.map { ChatMessage(role: $0.speaker.role, content: $0.text) }
  }

  /// Equal for conversations with the same words.
  var contentHash: UInt64 { stableHash(turns.flatMap { [$0.speaker.rawValue, $0.text] }) }
}

extension Conversation.Speaker {
  /// The name that chat templates have for it.
  public var role: String {
    switch self {
    case .system: "system"
    case .human: "user"
    case .gpt: "assistant"
    }
  }

  /// Names that published data sets use.
  init?(name: String) {
    switch name {
    case "system": self = .system
    case "human", "user": self = .human
    case "gpt", "assistant", "model", "chatgpt", "bing", "bard": self = .gpt
    default: return nil
    }
  }
}

extension Conversation.Turn {
  private enum CodingKeys: String, CodingKey {
    case speaker = "from"
    case text = "value"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let name = try container.decode(String.self, forKey: .speaker)
    guard let speaker = Conversation.Speaker(name: name) else {
      throw DecodingError.dataCorruptedError(
        forKey: .speaker, in: container, debugDescription: "\"\(name)\" instead of human or gpt")
    }
    self.init(speaker, try container.decode(String.self, forKey: .text))
  }
}

/// An id as files have it: text or a whole number.
struct LineIdentifier: Decodable {
  var text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int.self) {
      text = "\(number)"
    } else {
      text = try container.decode(String.self)
    }
  }
}
