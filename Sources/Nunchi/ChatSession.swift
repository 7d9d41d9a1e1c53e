import Synchronization
import Tokenization

/// A conversation. It keeps its KV cache between turns, so each turn computes only what is new.
/// Turns take place one after another.
public final class ChatSession: Sendable {
  public let model: Model
  private let state: Mutex<State>

  private struct State {
    var messages: [ChatMessage]
    let generator: TextGenerator
  }

  /// - Parameters:
  ///   - system: what the model is told before the conversation.
  ///   - contextLength: the most tokens of the whole conversation.
  public init(model: Model, system: String? = nil, contextLength: Int = 4096) throws {
    self.model = model
    state = Mutex(
      State(
        messages: system.map { [ChatMessage(role: "system", content: $0)] } ?? [],
        generator: try TextGenerator(model: model, contextLength: contextLength)))
  }

  /// The conversation so far. Waits for a turn in progress.
  public var messages: [ChatMessage] { state.withLock { $0.messages } }

  /// Says something, and streams the answer. An answer that is cancelled stays as far as it
  /// came; when a turn fails, the conversation is as if it had not been.
  public func send(
    _ text: String, options: GenerationOptions = GenerationOptions()
  ) -> GenerationStream {
    generationStream { [self] yield, isCancelled in
      try state.withLock { state in
        let messages = state.messages + [ChatMessage(role: "user", content: text)]
        let generator = state.generator
        generator.isCancelled = isCancelled
        let prompt = try model.tokens(of: messages)
        do {
          try generator.run(prompt: prompt, options: options, continuing: false, yield)
        } catch is CancellationError {
          if generator.result.text.isEmpty { return }
        }
        let answer = ChatMessage(role: "assistant", content: generator.result.text)
        state.messages = messages + [answer]
      }
    }
  }
}
