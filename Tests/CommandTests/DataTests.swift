import Foundation
import Testing

extension CommandTests {
  @Suite struct TrainingData {
    @Test("prompts, answers with their states, more answers and a merge, one after another")
    func pipeline() async throws {
      try await CommandTests.fetchModel()
      try await withTemporaryFolder { folder in
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        func lines(_ name: String) throws -> [String] {
          try String(contentsOfFile: path(name), encoding: .utf8).split(separator: "\n")
            .map(String.init)
        }
        let prompts = try await nunchi([
          "data", "prompts", model, "--count", "2", "--output", path("prompts.jsonl"),
          "--max-tokens", "60", "--batch", "4",
        ])
        #expect(prompts.code == 0, "\(prompts.errors)")
        #expect(try lines("prompts.jsonl").count == 2)

        let distil = [
          "data", "self-distil", model, "--prompts", path("prompts.jsonl"), "--output",
          path("answers.jsonl"), "--max-tokens", "8", "--temperatures", "0,1",
        ]
        let first = try await nunchi(distil + ["--limit", "1"])
        #expect(first.code == 0, "\(first.errors)")
        let whole = try await nunchi(distil + ["--states", path("states"), "--layers", "low,high"])
        #expect(whole.code == 0, "\(whole.errors)")
        #expect(whole.output == "")
        let answers = try lines("answers.jsonl")
        #expect(answers.count == 4)
        #expect(answers.allSatisfy { $0.contains("\"tokens\":{\"answer\":[") })

        // Those of the first run were caught up with, so that there is nothing left to do.
        let states = try await nunchi([
          "data", "hidden-states", model, "--data", path("answers.jsonl"), "--output",
          path("states"), "--layers", "low,high",
        ])
        #expect(states.code == 0, "\(states.errors)")
        #expect(states.errors.contains("4 of them had their states already"))
        let other = try await nunchi([
          "data", "hidden-states", model, "--data", path("answers.jsonl"), "--output",
          path("states"), "--layers", "5",
        ])
        #expect(other.code == 1)
        #expect(other.errors.contains("layers: expected [5], found [2, 27]"))

        // Its options before they were named as its neighbours'.
        let lists = try await nunchi([
          "data", "vocabulary", "--model", model, "--data", path("answers.jsonl"), "--out",
          path("lists"),
        ])
        #expect(lists.code == 0, "\(lists.errors)")
        #expect(!(try FileManager.default.contentsOfDirectory(atPath: path("lists"))).isEmpty)

        let merge = try await nunchi([
          "data", "merge", path("answers.jsonl"), path("answers.jsonl"), "--output",
          path("all.jsonl"), "--seed", "2",
        ])
        #expect(merge.code == 0, "\(merge.errors)")
        #expect(try lines("all.jsonl").sorted() == answers.sorted())
      }
    }

    @Test(
      "mistakes are told before anything is loaded",
      arguments: [
        (["self-distil", "--prompts", "p", "-o", "o"], "expected either MODEL or --endpoint"),
        (
          ["self-distil", "m", "--prompts", "p", "-o", "o", "--temperatures", "0,-1"], "temperature"
        ),
        (["self-distil", "m", "--prompts", "p", "-o", "o", "--layers", "low"], "--states"),
        (["self-distil", "m", "--prompts", "p", "-o", "o", "--batch", "0"], "--batch"),
        (
          ["self-distil", "--endpoint", "http://h/v1", "--prompts", "p", "-o", "o"],
          "--model-name"
        ),
        (["hidden-states", "m", "--data", "d", "-o", "o", "--layers", "top"], "--layers"),
        (["prompts", "m", "--count", "0", "-o", "o"], "--count"),
        (["vocabulary", "--data", "d", "-o", "o"], "expected one MODEL, found none"),
        (
          ["vocabulary", "m", "--data", "d", "-o", "o", "--out", "o"],
          "expected one --output, found two"
        ),
      ])
    func mistakes(arguments: [String], named: String) async throws {
      let run = try await nunchi(["data"] + arguments)
      #expect(run.code == 64)
      #expect(run.errors.contains(named), "\(run.errors)")
      #expect(run.output == "")
    }
  }
}
