import Tokenization

extension Model {
  /// The tokens of messages, written as the model's chat template says, up to where the answer
  /// begins.
  /// - Parameter addGenerationPrompt: end with what begins the model's answer; otherwise the tokens
  ///   end with the last message.
  /// - Throws: `NunchiError.noChatTemplate`, or `TokenizationError` when the template fails or
  ///   refuses the messages.
  public func tokens(
    of messages: [ChatMessage], addGenerationPrompt: Bool = true
  ) throws -> [Int32] {
    let template = try chatTemplate
    var variables: [String: TemplateValue] = [:]
    if let token = tokenizer.bosToken {
      variables["bos_token"] = .string(tokenizer.piece(of: token))
    }
    if let token = tokenizer.eosToken {
      variables["eos_token"] = .string(tokenizer.piece(of: token))
    }
    let text = try template.render(
      messages: messages, addGenerationPrompt: addGenerationPrompt, variables: variables)
    return tokenizer.encode(text, addSpecial: false)
  }

  /// How the model's messages are written.
  /// - Throws: `NunchiError.noChatTemplate`.
  var chatTemplate: ChatTemplate {
    get throws {
      guard let template = tokenizer.chatTemplate else {
        throw NunchiError.noChatTemplate(
          model: name, reason: tokenizer.chatTemplateError.map { "\($0)" } ?? "none")
      }
      return template
    }
  }
}
