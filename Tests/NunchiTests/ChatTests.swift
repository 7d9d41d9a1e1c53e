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

  @Test("a session starts from a history, and reset keeps the system message alone")
  func historyAndReset() async throws {
    let model = try await TestModels.smol.value
    let options = GenerationOptions(drafter: .none, maxTokens: 12)
    let history = [
      ChatMessage(role: "user", content: "My name is Ann."),
      ChatMessage(role: "assistant", content: "Hello, Ann."),
    ]
    let system = ChatMessage(role: "system", content: "You are brief.")
    let session = try ChatSession(
      model: model, system: system.content, history: history, contextLength: 512)
    #expect(session.messages == [system] + history)
    let question = ChatMessage(role: "user", content: "What is my name?")
    let known = try await session.respond(to: question.content, options: options)
    #expect(
      try await known == model.respond(to: [system] + history + [question], options: options))
    #expect(session.messages.count == 5)
    session.reset()
    #expect(session.messages == [system])
    let forgotten = try await session.respond(to: question.content, options: options)
    #expect(try await forgotten == model.respond(to: [system, question], options: options))
    #expect(forgotten != known)
  }

  @Test("a full context fails each turn until reset, and the conversation stays")
  func fullContextFails() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(model: model, contextLength: 96)
    let options = GenerationOptions(drafter: .none, maxTokens: 16, ignoresEndOfText: true)
    var turns = 0
    await #expect(throws: SpeculationError.self) {
      while turns < 20 {
        _ = try await session.respond(to: "Tell me more of the sea.", options: options)
        turns += 1
      }
    }
    #expect((1..<20).contains(turns) && session.messages.count == 2 * turns)
    await #expect(throws: SpeculationError.self) {
      try await session.respond(to: "And more of the sky.", options: options)
    }
    session.reset()
    #expect(session.messages.isEmpty)
    #expect(try await !session.respond(to: "Hello", options: options).isEmpty)
  }

  @Test("a full context forgets the oldest turns, and never the system message")
  func fullContextDropsOldest() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(
      model: model, system: "You are brief.", contextLength: 160,
      fullContext: .dropsOldestTurns)
    let options = GenerationOptions(drafter: .none, maxTokens: 16)
    var dropped = 0
    for turn in 1...10 {
      let before = session.messages
      let question = ChatMessage(role: "user", content: "Say the number \(turn) to me.")
      let answer = try await session.respond(to: question.content, options: options)
      let messages = session.messages
      #expect(messages.first?.role == "system")
      #expect(
        messages.dropFirst().enumerated().allSatisfy { index, message in
          message.role == (index.isMultiple(of: 2) ? "user" : "assistant")
        })
      #expect(messages.suffix(2) == [question, ChatMessage(role: "assistant", content: answer)])
      // What the model saw is what is left.
      #expect(try await answer == model.respond(to: Array(messages.dropLast()), options: options))
      #expect(try model.tokens(of: messages.dropLast()).count + 16 <= 160)
      if messages.count < before.count + 2 { dropped += 1 }
    }
    // Several turns go at once: not every turn computes everything anew.
    #expect((1...5).contains(dropped))
    let long = String(repeating: "long ", count: 200)
    let kept = session.messages
    await #expect(throws: SpeculationError.self) {
      try await session.respond(to: long, options: options)
    }
    #expect(session.messages == kept)
  }

  @Test("messages never wait for a turn in progress, and a cancelled turn tells its statistics")
  func runningTurn() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(model: model, contextLength: 8192)
    let endless = GenerationOptions(drafter: .none, maxTokens: nil, ignoresEndOfText: true)
    let stream = session.send("Tell me a long story.", options: endless)
    var text = ""
    var result: GenerationResult?
    for try await event in stream {
      switch event {
      case .text(let piece):
        text += piece
        // The turn goes on meanwhile: it would take a minute.
        if text.count <= 40 { #expect(session.messages.isEmpty) } else { stream.cancel() }
      case .finished(let found):
        result = found
        #expect(session.messages.map(\.content) == ["Tell me a long story.", found.text])
      }
    }
    let found = try #require(result)
    #expect(found.finishReason == nil && found.text == text)
    #expect(found.statistics.tokens == found.tokens.count && found.tokens.count > 5)
    #expect(found.text == model.tokenizer.decode(found.tokens))
  }

  @Test("a turn that a reset finds in progress is no part of the new conversation")
  func resetDuringTurn() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(model: model, contextLength: 512)
    let options = GenerationOptions(drafter: .none, maxTokens: 40, ignoresEndOfText: true)
    var isReset = false
    for try await event in session.send("Hello", options: options) {
      if case .text = event, !isReset {
        session.reset()
        isReset = true
      }
    }
    #expect(isReset && session.messages.isEmpty)
  }

  @Test("turns take place in the order in which they were asked for")
  func order() async throws {
    let model = try await TestModels.smol.value
    let session = try ChatSession(model: model, contextLength: 1024)
    let options = GenerationOptions(drafter: .none, maxTokens: 2)
    let questions = (1...6).map { "Question \($0)" }
    let streams = questions.map { session.send($0, options: options) }
    for stream in streams.reversed() { _ = try await stream.result() }
    #expect(session.messages.filter { $0.role == "user" }.map(\.content) == questions)
  }
}
