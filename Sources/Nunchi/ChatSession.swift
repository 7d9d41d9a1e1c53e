import Dispatch
import Synchronization
import Tokenization

/// A conversation. It keeps its KV cache between turns, so each turn computes only what is new.
/// Turns take place one after another, in the order in which they were asked for.
public final class ChatSession: Sendable {
  /// What is done when the conversation does not fit into its context.
  public enum FullContext: Sendable {
    /// The turn fails with `SpeculationError.promptTooLong`, and the conversation stays.
    case fails
    /// The oldest turns are forgotten. The system messages at the head stay.
    case dropsOldestTurns
  }

  public let model: Model
  /// The most tokens of the conversation.
  public let contextLength: Int
  public let fullContext: FullContext
  private let conversation: Mutex<Conversation>
  private let generator: Mutex<TextGenerator>
  private let turns = DispatchQueue(label: "nunchi.chat")

  private struct Conversation {
    var messages: [ChatMessage]
    /// How often it began anew.
    var resets = 0
  }

  /// - Parameters:
  ///   - system: what the model is told before the conversation.
  ///   - history: earlier messages to go on from.
  ///   - contextLength: the most tokens of the conversation; at most the model's own context.
  ///   - fullContext: what is done when that is reached.
  /// - Throws: `NunchiError.noChatTemplate`, or `LanguageModelError` when memory is short.
  public init(
    model: Model, system: String? = nil, history: [ChatMessage] = [], contextLength: Int = 4096,
    fullContext: FullContext = .fails
  ) throws {
    _ = try model.chatTemplate
    let generator = try TextGenerator(model: model, contextLength: contextLength)
    self.model = model
    self.contextLength = generator.contextLength
    self.fullContext = fullContext
    self.generator = Mutex(generator)
    let head = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    conversation = Mutex(Conversation(messages: head + history))
  }

  /// The conversation so far, without a turn in progress, and without what was forgotten.
  public var messages: [ChatMessage] { conversation.withLock { $0.messages } }

  /// Begins anew, with the system messages at the head. A turn in progress goes on for its reader,
  /// but is no part of the conversation any more.
  public func reset() {
    conversation.withLock { conversation in
      conversation.messages = Array(conversation.messages.prefix { $0.role == "system" })
      conversation.resets += 1
    }
  }

  /// Says something, and streams the answer. An answer that is cancelled stays as far as it
  /// came; when a turn fails, the conversation is as if it had not been.
  public func send(
    _ text: String, options: GenerationOptions = GenerationOptions()
  ) -> GenerationStream {
    generationStream(on: { turns.async(execute: $0) }) { [self] yield, isCancelled in
      let before = conversation.withLock { $0 }
      let (messages, prompt) = try fitted(
        before.messages + [ChatMessage(role: "user", content: text)], options)
      let result = try generator.withLock {
        try $0.run(
          prompt: prompt, options: options, continuing: false, isCancelled: isCancelled, yield)
      }
      if result.finishReason != nil || !result.text.isEmpty {
        conversation.withLock { conversation in
          guard conversation.resets == before.resets else { return }
          conversation.messages =
            messages + [ChatMessage(role: "assistant", content: result.text)]
        }
      }
      yield(.finished(result))
    }
  }

  /// Says something, and gives the whole answer.
  /// - Throws: as `GenerationStream.result()`.
  public func respond(
    to text: String, options: GenerationOptions = GenerationOptions()
  ) async throws -> String {
    try await send(text, options: options).result().text
  }

  /// Messages that fit into the context together with an answer, and their tokens.
  private func fitted(
    _ messages: [ChatMessage], _ options: GenerationOptions
  ) throws -> (messages: [ChatMessage], tokens: [Int32]) {
    var tokens = try model.tokens(of: messages)
    let answer = min(options.maxTokens ?? .max, contextLength / 4)
    guard fullContext == .dropsOldestTurns, tokens.count + answer > contextLength else {
      return (messages, tokens)
    }
    // A quarter more than need be: what stays is computed anew, which should not be at each turn.
    let room = contextLength - contextLength / 4 - answer
    var messages = messages
    let oldest = messages.prefix { $0.role == "system" }.count
    while tokens.count > room,
      let next = messages.indices.dropFirst(oldest + 1).first(where: { messages[$0].role == "user" }
      )
    {
      messages.removeSubrange(oldest..<next)
      tokens = try model.tokens(of: messages)
    }
    return (messages, tokens)
  }
}
