import Testing

extension CommandTests {
  @Suite struct Chat {
    init() async throws { try await CommandTests.fetchModel() }

    private static let arguments = ["chat", CommandTests.model, "--max-tokens", "12"]

    @Test("every line is answered until the end of the input, and empty ones are left out")
    func turns() async throws {
      let one = try await nunchi(Self.arguments, input: "What is the capital of France?\n".utf8)
      #expect(one.code == 0)
      #expect(one.errors == "")
      #expect(one.output.count > 1)
      let two = try await nunchi(
        Self.arguments, input: "What is the capital of France?\n\n  \nAnd of Spain?".utf8)
      #expect(two.code == 0)
      #expect(two.output.hasPrefix(one.output))
      #expect(two.output.count > one.output.count + 1)
    }

    @Test("a turn sees the ones before it, and /reset forgets them")
    func reset() async throws {
      let alone = try await nunchi(Self.arguments, input: "What is my name?\n".utf8).output
      let introduction = "My name is Ann.\n"
      let first = try await nunchi(Self.arguments, input: introduction.utf8).output
      let kept = try await nunchi(Self.arguments, input: (introduction + "What is my name?\n").utf8)
        .output
      let reset = try await nunchi(
        Self.arguments, input: (introduction + "/reset\nWhat is my name?\n").utf8
      ).output
      #expect(kept.hasPrefix(first))
      #expect(kept != first + alone)
      #expect(reset == first + alone)
    }

    @Test("/exit ends the conversation, and no input at all is one without turns")
    func exit() async throws {
      let left = try await nunchi(Self.arguments, input: "/exit\nHello\n".utf8)
      #expect(left.code == 0)
      #expect(left.output == "")
      let silent = try await nunchi(Self.arguments)
      #expect(silent.code == 0)
      #expect(silent.output == "")
      #expect(silent.errors == "")
    }

    @Test("drafters and seeds serve in a conversation, and the figures go to standard error")
    func drafter() async throws {
      let input = "Say: one two three one two three.\nAgain.\n"
      let sampling = ["--temperature", "0.8", "--seed", "5"]
      let plain = try await nunchi(Self.arguments + sampling, input: input.utf8)
      let drafted = try await nunchi(
        Self.arguments + sampling + ["--drafter", "prompt-lookup", "--stats"], input: input.utf8)
      #expect(drafted.code == 0)
      #expect(drafted.output == plain.output)
      #expect(plain.errors == "")
      let prompts = drafted.errors.split(separator: "\n").filter { $0.hasPrefix("prompt") }
      #expect(prompts.count == 2)
      #expect(prompts.first?.contains("(0 cached)") == true)
      #expect(prompts.last?.contains("(0 cached)") == false)
    }

    @Test("a conversation longer than its context ends with one error")
    func context() async throws {
      let run = try await nunchi(
        Self.arguments + ["--context", "16"], input: "Tell me of the sea and of the sky.\n".utf8)
      #expect(run.code == 1)
      #expect(run.errors.hasPrefix("Error: "))
      #expect(run.errors.split(separator: "\n").count == 1)
    }
  }
}
