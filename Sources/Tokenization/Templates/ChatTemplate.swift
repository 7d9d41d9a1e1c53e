import Foundation

/// One message of a conversation.
public struct ChatMessage: Sendable, Codable, Equatable {
  /// `system`, `user`, `assistant` or `tool`.
  public var role: String
  public var content: String

  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// A model's chat template: a program in Jinja, with what transformers adds to it, that writes a
/// conversation as the text the model was trained on.
///
/// Templates come with models and are not trusted: steps, output and nesting are bounded.
public struct ChatTemplate: Sendable {
  private let statements: [TemplateStatement]

  /// Parses a template.
  /// - Throws: `TokenizationError.template`, naming the line, what was expected and found.
  public init(source: String) throws {
    statements = try TemplateParser.parse(source)
  }

  /// Writes a conversation. Encode the text with `addSpecial: false`: the template has written the
  /// special tokens.
  /// - Parameters:
  ///   - addGenerationPrompt: end with what begins the assistant's answer.
  ///   - variables: what else the template may ask for: `bos_token`, `eos_token`, `tools`,
  ///     `enable_thinking` …; they go before `messages`.
  /// - Throws: `TokenizationError.template`, or `.templateRaised` when the template itself refuses
  ///   the conversation.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: TemplateValue] = [:]
  ) throws -> String {
    var all = variables
    if all["messages"] == nil {
      all["messages"] = .array(
        messages.map { ["role": .string($0.role), "content": .string($0.content)] })
    }
    // As transformers has it: known, and none where nobody gives them.
    for name in ["tools", "documents"] where all[name] == nil { all[name] = TemplateValue.none }
    all["add_generation_prompt"] = .bool(addGenerationPrompt)
    return try render(variables: all)
  }

  /// Runs the template with these variables only.
  public func render(variables: [String: TemplateValue], now: Date = Date()) throws -> String {
    try TemplateInterpreter(variables: variables, now: now).run(statements)
  }
}
