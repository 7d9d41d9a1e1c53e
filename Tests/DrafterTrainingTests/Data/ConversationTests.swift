import Foundation
import Testing
import Tokenization

@testable import DrafterTraining

@Suite struct ConversationTests {
  /// What is wrong with the only faulty line of a file.
  private func refusal(_ text: String) async throws -> TrainingError? {
    try await withFolder { folder in
      try write(text, to: "\(folder)/c.jsonl")
      for line in try ConversationFile(path: "\(folder)/c.jsonl") {
        do { _ = try line.get() } catch { return error as? TrainingError }
      }
      return nil
    }
  }

  @Test("a conversation is the same after it was written and read")
  func roundTrip() async throws {
    var conversation = Conversation(
      id: "q@0.7",
      turns: [.init(.system, "Be brief."), .init(.human, "눈치가 뭐야?"), .init(.gpt, "Tact.\n\"so\"")])
    conversation.model = "tiny"
    conversation.temperature = 0.7
    conversation.topP = 0.9
    conversation.seed = 1 << 53 - 1
    conversation.language = "ko"
    conversation.category = "qa"
    conversation.finish = "stop"
    conversation.tokens = .init(prompt: [1, 2, 3, 4], answer: [5, 6], earlier: [1..<3])
    try await withFolder { folder in
      let writer = try LineWriter(path: "\(folder)/c.jsonl")
      try writer.append(conversation.line())
      try writer.append(conversation.line())
      let read = try ConversationFile(path: "\(folder)/c.jsonl").map { try $0.get() }
      #expect(read == [conversation, conversation])
      // The contract's own names.
      let json = try JSONSerialization.jsonObject(
        with: Data(lines(of: "\(folder)/c.jsonl")[0].utf8))
      let keys = Set((json as? [String: Any] ?? [:]).keys)
      #expect(keys.isSuperset(of: ["id", "conversations", "model", "temperature", "seed"]))
      #expect(keys.isSuperset(of: ["language", "category", "tokens", "top_p"]))
    }
  }

  @Test("published data sets' speakers, numeric ids and unknown keys are read")
  func foreign() async throws {
    try await withFolder { folder in
      try write(
        """
        {"id": 7, "extra": {"a": []}, "conversations": [{"from": "user", "value": "Hi"},
        """.replacing("\n", with: " ")
          + """
          {"from": "assistant", "value": "Ho"}]}

          {"conversations": [{"from": "human", "value": "Hi"}]}
          """, to: "\(folder)/c.jsonl")
      let read = try ConversationFile(path: "\(folder)/c.jsonl").map { try $0.get() }
      #expect(read.map(\.id) == ["7", "3"])
      #expect(read[0].turns == [.init(.human, "Hi"), .init(.gpt, "Ho")])
      #expect(read[0].messages.map(\.role) == ["user", "assistant"])
    }
  }

  @Test(
    "an error names the line and the field",
    arguments: [
      ("{\"conversations\": 3}", "conversations"),
      ("{\"conversations\": []}", "conversations"),
      ("{\"id\": \"a\"}", "conversations"),
      ("{\"conversations\": [{\"from\": \"cat\", \"value\": \"\"}]}", "conversations[0].from"),
      ("{\"conversations\": [{\"from\": \"gpt\"}]}", "conversations[0].value"),
      (
        "{\"conversations\": [{\"from\": \"gpt\", \"value\": \"\"}], "
          + "\"tokens\": {\"prompt\": [1, \"x\"], \"answer\": []}}", "tokens.prompt[1]"
      ),
      (
        "{\"conversations\": [{\"from\": \"gpt\", \"value\": \"\"}], "
          + "\"tokens\": {\"prompt\": [1], \"answer\": [], \"earlier\": [[0, 2]]}}",
        "tokens.earlier"
      ),
      ("{\"conversations\": [{\"from\"", "line"),
    ])
  func faults(text: String, field: String) async throws {
    let good = "{\"conversations\": [{\"from\": \"gpt\", \"value\": \"x\"}]}"
    let error = try await refusal(good + "\n\n" + text + "\n" + good)
    guard case .line(_, 3, let found, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found == field)
  }

  @Test("a writer drops a torn last line, and nobody else may write at the same time")
  func torn() async throws {
    try await withFolder { folder in
      let path = "\(folder)/lines"
      // Longer than what is looked at in one piece.
      let long = String(repeating: "x", count: 100_000)
      try write("one\n\(long)", to: path)
      do {
        let writer = try LineWriter(path: path)
        #expect(throws: TrainingError.self) { try LineWriter(path: path) }
        try writer.append(Data("two".utf8))
      }
      #expect(try lines(of: path) == ["one", "two"])
      try write(long, to: path)
      #expect(try LineWriter(path: path).isEmpty)
    }
  }

  @Test("a merge makes lines of arrays, and notes what is no conversation")
  func mergeOfArrays() async throws {
    try await withFolder { folder in
      let (a, b, merged) = ("\(folder)/a.json", "\(folder)/b", "\(folder)/m")
      try write(
        """
        [
          {"id": "1", "conversations": [
            {"from": "human", "value": "a\\nb"}]},
          {"id": "2", "conversations": []}
        ]
        """, to: a)
      try write(
        """
        {"id": "3", "conversations": [{"from": "tool", "value": "90"}]}
        {"id": "4", "conversations": [{"from": "human", "value": "c"}]}
        """, to: b)
      let result = try ConversationMerge.merge([a, b], into: merged, seed: 1)
      #expect((result.written, result.repeated) == (2, 0))
      #expect(result.leftOut.map(\.id) == ["a:2", "b:1"])
      let read = try ConversationFile(path: merged).map { try $0.get() }
      #expect(try lines(of: merged).count == 2)
      #expect(Set(read.map(\.id)) == ["1", "4"])
      #expect(Set(read.map { $0.turns[0].text }) == ["a\nb", "c"])

      let note = try #require(try LeftOut.write(result.leftOut, of: merged))
      #expect(note.hasPrefix("2 left out, see \(merged).skipped; the first: \(a), line 4: "))
      #expect(try lines(of: "\(merged).skipped").count == 2)
      #expect(try LeftOut.write([], of: merged) == nil)
      #expect(!FileManager.default.fileExists(atPath: "\(merged).skipped"))
    }
  }

  @Test("a merge keeps each conversation once, as it was, in an order that the seed decides")
  func merge() async throws {
    try await withFolder { folder in
      func line(_ number: Int) -> String {
        "{\"own\":\(number),\"conversations\":[{\"from\":\"gpt\",\"value\":\"\(number)\"}]}"
      }
      let (a, b, merged) = ("\(folder)/a", "\(folder)/b", "\(folder)/m")
      try write((0..<30).map(line).joined(separator: "\n"), to: a)
      try write((20..<50).map(line).joined(separator: "\r\n") + "\n", to: b)
      let result = try ConversationMerge.merge([a, b], into: merged, seed: 1)
      #expect(result.written == 50)
      #expect(result.repeated == 10)
      let first = try lines(of: merged)
      #expect(first != (0..<50).map(line))
      #expect(Set(first) == Set((0..<50).map(line)))
      _ = try ConversationMerge.merge([a, b], into: merged, seed: 1)
      #expect(try lines(of: merged) == first)
      _ = try ConversationMerge.merge([a, b], into: merged, seed: 2)
      #expect(try lines(of: merged) != first)
    }
  }
}
