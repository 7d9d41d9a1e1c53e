import LanguageModels
import Tokenization

extension Model {
  /// The tokens of a text, with those that the model's texts begin with.
  public func tokens(of prompt: String) -> [Int32] { tokenizer.encode(prompt) }

  /// Continues a text.
  ///
  ///     for try await event in model.generate("Once upon a time") {
  ///       if case .text(let text) = event { print(text, terminator: "") }
  ///     }
  public func generate(
    _ prompt: String, options: GenerationOptions = GenerationOptions()
  ) -> GenerationStream {
    stream(options, continuing: true) { [self] in tokens(of: prompt) }
  }

  /// Answers messages, written as the model's chat template says.
  public func generate(
    _ messages: [ChatMessage], options: GenerationOptions = GenerationOptions()
  ) -> GenerationStream {
    stream(options, continuing: false) { [self] in try tokens(of: messages) }
  }

  /// Answers a message, with the whole answer at once.
  /// - Throws: `NunchiError.noChatTemplate`, or as `GenerationStream.result()`.
  public func respond(
    to prompt: String, options: GenerationOptions = GenerationOptions()
  ) async throws -> String {
    try await respond(to: [ChatMessage(role: "user", content: prompt)], options: options)
  }

  /// Answers messages, with the whole answer at once.
  /// - Throws: `NunchiError.noChatTemplate`, or as `GenerationStream.result()`.
  public func respond(
    to messages: [ChatMessage], options: GenerationOptions = GenerationOptions()
  ) async throws -> String {
    try await generate(messages, options: options).result().text
  }

  /// The context that a generation of so many tokens needs; nil stands for a few thousand.
  public func contextLength(prompt: Int, maxTokens: Int?) -> Int {
    let (needed, overflow) = prompt.addingReportingOverflow(max(1, maxTokens ?? 4096))
    return min(overflow ? .max : needed, transformer.contextLength)
  }

  private func stream(
    _ options: GenerationOptions, continuing: Bool,
    prompt: @escaping @Sendable () throws -> [Int32]
  ) -> GenerationStream {
    generationStream { [self] yield, isCancelled in
      let prompt = try prompt()
      let generator = try TextGenerator(
        model: self,
        contextLength: contextLength(prompt: prompt.count, maxTokens: options.maxTokens))
      yield(
        .finished(
          try generator.run(
            prompt: prompt, options: options, continuing: continuing, isCancelled: isCancelled,
            yield)))
    }
  }
}
