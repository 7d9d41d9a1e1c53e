import Foundation
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

    @Test("a conversation longer than its context is one error a line, and /reset goes on")
    func context() async throws {
      let arguments = Self.arguments + ["--context", "64", "--system", "Be brief."]
      let greeting = "Hello\n"
      let alone = try await nunchi(arguments, input: greeting.utf8)
      #expect(alone.code == 0 && alone.errors == "")
      let long = String(repeating: "Tell me of the sea and of the sky. ", count: 10) + "\n"
      let run = try await nunchi(
        arguments, input: (long + long + "/reset\n" + greeting).utf8)
      #expect(run.code == 1)
      #expect(run.output == alone.output)
      let errors = run.errors.split(separator: "\n")
      #expect(errors.count == 2)
      for error in errors {
        #expect(error.hasPrefix("Error: conversation: expected at most 64 tokens, found "))
        #expect(error.contains("/reset") && error.contains("--drop-oldest"))
      }
    }

    @Test("--drop-oldest forgets the oldest turns, and the conversation goes on")
    func dropOldest() async throws {
      let input = String(repeating: "Tell me of the sea.\n", count: 8)
      let arguments = Self.arguments + ["--context", "100"]
      let full = try await nunchi(arguments, input: input.utf8)
      #expect(full.code == 1)
      let dropping = try await nunchi(arguments + ["--drop-oldest"], input: input.utf8)
      #expect(dropping.code == 0 && dropping.errors == "")
    }

    @Test("without a model's name the largest chat model in the cache is taken, which is told")
    func largestModel() async throws {
      let path = try await nunchi(["models", "path", CommandTests.model]).output
        .trimmingCharacters(in: .whitespacesAndNewlines)
      try await withTemporaryFolder { cache in
        let models = cache.appendingPathComponent("models")
        let environment = ["NUNCHI_CACHE": cache.path]
        let none = try await nunchi(["chat"], input: "Hello\n".utf8, environment: environment)
        #expect(none.code == 1)
        #expect(none.errors.contains("nunchi models fetch SmolLM2-135M"))
        try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
        try FileManager.default.linkItem(
          at: URL(fileURLWithPath: path),
          to: models.appendingPathComponent((path as NSString).lastPathComponent))
        let options = ["--max-tokens", "12", "--drafter", "none"]
        let found = try await nunchi(
          ["chat"] + options, input: "Hello\n".utf8, environment: environment)
        #expect(found.code == 0)
        #expect(found.errors == "\(CommandTests.model), the largest chat model that is fetched\n")
        let named = try await nunchi(
          ["chat", CommandTests.model] + options, input: "Hello\n".utf8)
        #expect(found.output == named.output && named.errors == "")
      }
    }
  }
}
