import Foundation
import Testing

extension CommandTests {
  /// What a person at a terminal does: lines, keys and signals.
  @Suite struct Terminal {
    init() async throws { try await CommandTests.fetchModel() }

    private static let left = "\u{1B}[D"
    private static let up = "\u{1B}[A"
    private static let down = "\u{1B}[B"
    private static let control = (a: "\u{1}", c: "\u{3}", d: "\u{4}", k: "\u{B}", u: "\u{15}")

    private func chat(columns: UInt16 = 40, tokens: Int = 4) async throws -> TerminalRun {
      let run = try TerminalRun(
        ["chat", CommandTests.model, "--drafter", "none", "--max-tokens", "\(tokens)"],
        columns: columns)
      try await run.wait(for: "a prompt") { $0.hasSuffix("> \r\u{1B}[2C") }
      return run
    }

    /// What is shown when a line with the cursor at a column has been drawn.
    private func shown(_ line: String, cursor: Int) -> String {
      "\r\u{1B}[J> \(line)\r\u{1B}[\(cursor)C"
    }

    @Test("a line is edited by characters, also wide ones and those of several scalars")
    func editing() async throws {
      let run = try await chat()
      // Two columns a syllable: the cursor goes back by two.
      run.type("한국어")
      try await run.wait(for: "Hangul") { $0.hasSuffix(shown("한국어", cursor: 8)) }
      run.type(Self.left)
      try await run.wait(for: "the cursor") { $0.hasSuffix(shown("한국어", cursor: 6)) }
      run.type("\u{7F}x")
      try await run.wait(for: "a syllable less") { $0.hasSuffix(shown("한x어", cursor: 5)) }
      run.type(Self.control.u + Self.control.k)
      try await run.wait(for: "an empty line") { $0.hasSuffix(shown("", cursor: 2)) }
      // One key erases a family, a letter with its accent, a syllable of jamo.
      run.type("a👩‍👩‍👧e\u{301}\u{1112}\u{1161}\u{11AB}")
      try await run.wait(for: "clusters") {
        $0.hasSuffix(shown("a👩‍👩‍👧e\u{301}\u{1112}\u{1161}\u{11AB}", cursor: 8))
      }
      run.type("\u{7F}\u{7F}")
      try await run.wait(for: "two less") { $0.hasSuffix(shown("a👩‍👩‍👧", cursor: 5)) }
      run.type("\u{7F}")
      try await run.wait(for: "the family gone") { $0.hasSuffix(shown("a", cursor: 3)) }
      // The middle of a word; then the line is /exit.
      run.type("\u{7F}/exxt" + Self.left + "\u{7F}i\r")
      #expect(try await run.exitCode() == 0)
      #expect(run.isAsUsual)
    }

    @Test("earlier lines come back, and what was being typed after them")
    func history() async throws {
      let run = try await chat()
      run.type("Hello\r")
      // The answer stands between two prompts.
      try await run.wait(for: "an answer") {
        $0.components(separatedBy: "\u{1B}[J> \r").count == 3
      }
      run.type("/ex" + Self.up)
      try await run.wait(for: "the earlier line") { $0.hasSuffix(shown("Hello", cursor: 7)) }
      run.type(Self.down)
      try await run.wait(for: "the new line") { $0.hasSuffix(shown("/ex", cursor: 5)) }
      run.type("it\r")
      #expect(try await run.exitCode() == 0)
    }

    @Test("a long line goes on in the next row, and a wide character never across the edge")
    func rows() async throws {
      let run = try await chat(columns: 11)
      // Four syllables fill columns 3 to 10, the fifth does not fit into one.
      run.type("가나다라마")
      try await run.wait(for: "two rows") { $0.hasSuffix("\u{1B}[J> 가나다라마\r\u{1B}[2C") }
      run.type(Self.control.a)
      try await run.wait(for: "the first row") {
        $0.hasSuffix("\u{1B}[1A\r\u{1B}[J> 가나다라마\u{1B}[1A\r\u{1B}[2C")
      }
      run.type(Self.control.k + Self.control.d)
      #expect(try await run.exitCode() == 0)
    }

    @Test("Control-C gives up a line, and ends an answer, and the conversation goes on")
    func interrupts() async throws {
      let run = try await chat(tokens: 8000)
      run.type("a line" + Self.control.c)
      try await run.wait(for: "another prompt") { $0.hasSuffix("^C\r\n" + shown("", cursor: 2)) }
      #expect(!run.isAsUsual)
      run.type("Write a very long story about the sea, in many chapters.\r")
      try await run.wait(for: "an answer") { text in
        (text.components(separatedBy: "chapters.").dropFirst().last?.count ?? 0) > 200
      }
      #expect(run.isAsUsual)
      run.send(signal: SIGINT)
      try await run.wait(for: "a prompt") { $0.hasSuffix(shown("", cursor: 2)) }
      // Nothing ends but the answer; termination at the prompt ends all, and tidies up.
      run.send(signal: SIGTERM)
      #expect(try await run.exitCode() == 128 + SIGTERM)
      #expect(run.isAsUsual)
    }

    @Test("an interrupted text ends with its statistics, and exit code 130")
    func interruptedText() async throws {
      let run = try TerminalRun(
        [
          "generate", CommandTests.model, "Once upon a time", "--ignore-end", "--drafter", "none",
          "--max-tokens", "8000", "--stats",
        ], columns: nil)
      try await run.wait(for: "text") { $0.count > 100 }
      run.send(signal: SIGINT)
      #expect(try await run.exitCode() == 130)
      try await run.wait(for: "statistics") { $0.contains("tokens/s after the first") }
    }

    @Test("an interrupted --json prints one whole object that says so")
    func interruptedJSON() async throws {
      let run = try TerminalRun(
        [
          "generate", CommandTests.model, "Once upon a time", "--ignore-end", "--drafter", "none",
          "--max-tokens", "8000", "--json",
        ], columns: nil)
      try await run.waitUntilSignalsAreHeeded()
      try await Task.sleep(for: .seconds(1))
      run.send(signal: SIGINT)
      #expect(try await run.exitCode() == 130)
      try await run.wait(for: "an object") { $0.hasSuffix("}\n") }
      let object = try JSONSerialization.jsonObject(with: Data(run.text.utf8)) as? [String: Any]
      #expect(object?["finish_reason"] as? String == "cancelled")
      let ids = try #require(object?["token_ids"] as? [Int])
      #expect(object?["tokens"] as? Int == ids.count)
    }

    @Test("a long prompt shows how far it is, in a terminal")
    func promptProgress() async throws {
      let long = String(repeating: "a longer prompt ", count: 200)
      let run = try TerminalRun(
        ["generate", CommandTests.model, long, "--drafter", "none", "--max-tokens", "2"],
        columns: 80)
      #expect(try await run.exitCode() == 0)
      try await run.wait(for: "progress") { $0.contains("reading the prompt: ") }
      #expect(run.text.contains(" tokens"))
    }
  }
}
