import Tokenization

extension Model {
  /// The tokens of messages, written as the model's chat template says, up to where the answer
  /// begins.
  /// - Throws: `NunchiError.noChatTemplate`, or `TokenizationError` when the template fails or
  ///   refuses the messages.
  public func tokens(of messages: [ChatMessage]) throws -> [Int32] {
    guard let template = tokenizer.chatTemplate else {
      throw NunchiError.noChatTemplate(
        model: name, reason: tokenizer.chatTemplateError.map { "\($0)" } ?? "none")
    }
    var variables: [String: TemplateValue] = [:]
    if let token = tokenizer.bosToken {
      variables["bos_token"] = .string(tokenizer.piece(of: token))
    }
    if let token = tokenizer.eosToken {
      variables["eos_token"] = .string(tokenizer.piece(of: token))
    }
    let text = try template.render(
      messages: messages, addGenerationPrompt: true, variables: variables)
    return tokenizer.encode(text, addSpecial: false)
  }
}
