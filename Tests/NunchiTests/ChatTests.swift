import Speculation
import Testing
import Tokenization

@testable import Nunchi

@Suite(.serialized) struct ChatTests {
  @Test("a conversation computes only what is new, and answers as without a cache")
  func keepsCache() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(
      model: model, system: "You are a helpful assistant.", contextLength: 1024)
    let options = GenerationOptions(drafter: .promptLookup, maxTokens: 24)
    for (turn, question) in ["What is the capital of France?", "And of Italy?"].enumerated() {
      let before = session.messages
      let (text, result) = try await collect(session.send(question, options: options))
      let messages = before + [ChatMessage(role: "user", content: question)]
      let fresh = try await collect(model.generate(messages, options: options))
      #expect(text == fresh.text && result?.tokens == fresh.result?.tokens)
      #expect(session.messages == messages + [ChatMessage(role: "assistant", content: text)])
      let statistics = try #require(result).statistics
      let known = turn == 0 ? 0 : try model.tokens(of: before).count / 2
      #expect(statistics.cachedPromptTokens >= known)
      #expect(try statistics.promptTokens == model.tokens(of: messages).count)
    }
  }

  @Test("a turn that fails leaves the conversation as it was, and the next one works")
  func failedTurn() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(model: model, contextLength: 128)
    let options = GenerationOptions(maxTokens: 4)
    await #expect(throws: (any Error).self) {
      try await collect(
        session.send(String(repeating: "long ", count: 500), options: options))
    }
    #expect(session.messages.isEmpty)
    _ = try await collect(session.send("Hello", options: options))
    #expect(session.messages.map(\.role) == ["user", "assistant"])
  }

  @Test("a stop token ends an answer, and is not part of its text")
  func stopToken() async throws {
    let model = try await TestModels.smol.value
    let messages = [ChatMessage(role: "user", content: "Answer with one word: yes or no?")]
    let (text, result) = try await collect(
      model.generate(messages, options: GenerationOptions(maxTokens: 200)))
    let end = try #require(result)
    #expect(end.finishReason == .stop)
    #expect(model.tokenizer.endOfGeneration.contains(try #require(end.tokens.last)))
    #expect(!text.contains("<|im_end|>"))
    #expect(text == model.tokenizer.decode(end.tokens.dropLast()))
  }
}
