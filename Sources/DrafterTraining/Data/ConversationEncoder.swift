import Nunchi
import Tokenization

/// A conversation as a model reads it.
public struct TokenizedConversation: Sendable, Equatable {
  public var id: String
  public var tokens: [Int32]
  /// Where the model's own answers stand, with the tokens that end them.
  public var answers: [Range<Int>]

  public init(id: String, tokens: [Int32], answers: [Range<Int>]) {
    self.id = id
    self.tokens = tokens
    self.answers = answers
  }

  /// For each token 1 where it belongs to an answer, else 0.
  public var answerMask: [UInt8] {
    var mask = [UInt8](repeating: 0, count: tokens.count)
    for answer in answers {
      for index in answer { mask[index] = 1 }
    }
    return mask
  }

  /// Only the first tokens.
  public func prefix(_ count: Int) -> TokenizedConversation {
    guard count < tokens.count else { return self }
    return TokenizedConversation(
      id: id, tokens: Array(tokens.prefix(count)),
      answers: answers.map { $0.clamped(to: 0..<count) }.filter { !$0.isEmpty })
  }
}

/// Turns conversations into a model's tokens: those that it generated, where they are recorded,
/// or else what its chat template makes of the text. A text alone is read as it is.
public struct ConversationEncoder: Sendable {
  public let model: Model

  public init(model: Model) {
    self.model = model
  }

  /// - Returns: nil when the template writes answers in a way in which they cannot be told from
  ///   the rest.
  /// - Throws: `TrainingError.setting` when recorded tokens are not of this model's vocabulary, or
  ///   what the chat template finds wrong.
  public func tokens(of conversation: Conversation) throws -> TokenizedConversation? {
    guard let recorded = conversation.tokens else {
      return try model.tokenizer.chatTemplate == nil || conversation.isText
        ? plain(conversation) : templated(conversation)
    }
    let tokens = recorded.prompt + recorded.answer
    if let token = tokens.first(where: { $0 < 0 || $0 >= model.transformer.vocabularySize }) {
      throw TrainingError.setting(
        name: "tokens of conversation \(conversation.id)",
        expected: "ids of \(model.name), below \(model.transformer.vocabularySize)",
        found: "\(token)")
    }
    let earlier = (recorded.earlier ?? []).map { $0[0]..<$0[1] }
    return TokenizedConversation(
      id: conversation.id, tokens: tokens,
      answers: earlier + [recorded.prompt.count..<tokens.count])
  }

  /// A model without a template continues text: the answer follows the prompt.
  private func plain(_ conversation: Conversation) -> TokenizedConversation? {
    var tokens: [Int32] = []
    var answers: [Range<Int>] = []
    for turn in conversation.turns where !turn.text.isEmpty {
      let start = tokens.count
      tokens += model.tokenizer.encode(turn.text, addSpecial: start == 0)
      if turn.speaker == .gpt { answers.append(start..<tokens.count) }
    }
    return answers.isEmpty
      ? nil : TokenizedConversation(id: conversation.id, tokens: tokens, answers: answers)
  }

  /// An answer stands between the text that ends with what begins it, and the rest.
  private func templated(_ conversation: Conversation) throws -> TokenizedConversation? {
    let messages = conversation.messages
    guard let last = conversation.turns.lastIndex(where: { $0.speaker == .gpt }) else { return nil }
    var tokens = try model.tokens(
      of: Array(messages.prefix(last + 1)), addGenerationPrompt: false)
    var answers: [Range<Int>] = []
    for index in conversation.turns.indices where conversation.turns[index].speaker == .gpt {
      let before = try model.tokens(of: Array(messages.prefix(index)))
      guard tokens.starts(with: before) else { return nil }
      let ending = tokens[before.count...].firstIndex(
        where: model.tokenizer.endOfGeneration.contains)
      answers.append(before.count..<(ending.map { $0 + 1 } ?? tokens.count))
    }
    // What a template writes after the last answer is nobody's.
    if let end = answers.last?.upperBound { tokens.removeSubrange(end...) }
    return TokenizedConversation(id: conversation.id, tokens: tokens, answers: answers)
  }
}
