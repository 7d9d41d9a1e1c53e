import Foundation
import Testing

extension CommandTests {
  @Suite struct BenchRun {
    init() async throws { try await CommandTests.fetchModel() }

    private struct Report: Decodable {
      struct Conditions: Decodable {
        var model: String
        var modelSha256: String
        var suite: String
        var suiteSha256: String
        var drafters: [String]
        var promptForm: String
        var maxTokens: Int
        var threads: Int
        var instructionSet: String
        var stopPolicy: String
        var date: String
      }

      struct Interval: Decodable {
        var low: Double
        var high: Double
      }

      struct Method: Decodable {
        var drafter: String
        var questions: Int
        var tokens: Int
        var plainTokensPerSecond: Double
        var tokensPerSecond: Double
        var speedup: Double
        var speedupInterval: Interval?
        var acceptanceLength: Double
        var draftAcceptanceRate: Double
        var mismatches: Int
      }

      struct Group: Decodable {
        var name: String
        var methods: [Method]
      }

      struct Statistics: Decodable {
        var tokens: Int
        var rounds: Int
        var drafted: Int
        var accepted: Int
        var cachedPromptTokens: Int
        var promptTokens: Int
        var draftSeconds: Double
        var verifySeconds: Double
        var acceptSeconds: Double
        var commitSeconds: Double

        var seconds: Double { draftSeconds + verifySeconds + acceptSeconds + commitSeconds }
      }

      struct Turn: Decodable {
        var statistics: Statistics
        var sharedPromptSeconds: Double
      }

      struct Record: Decodable {
        var question: String
        var category: String
        var configuration: String
        var turns: [Turn]
      }

      var conditions: Conditions
      var questions: Int
      var asked: Int
      var groups: [Group]
      var records: [Record]
    }

    private static let suite = """
      {"question_id": 1, "category": "coding", "turns": ["Count: 1 2 3 1 2 3 1 2", "Go on."]}
      {"question_id": "b", "category": "qa", "turns": ["What is the capital of France?"]}
      {"prompt": "Say: red green red green red green red", "category": "qa"}

      """

    /// Runs the benchmark on three questions; `extra` follows.
    private func bench(
      _ folder: URL, _ extra: [String] = [], limit: Double = 120
    ) async throws -> CommandRun {
      let suite = folder.appendingPathComponent("suite.jsonl")
      try Data(Self.suite.utf8).write(to: suite)
      return try await nunchi(
        [
          "bench", "run", CommandTests.model, "--suite", suite.path, "--max-tokens", "16",
          "--drafter", "prompt-lookup", "--drafter", "none",
        ] + extra, limit: limit)
    }

    @Test("bench run --json prints figures that are those of its records added up")
    func json() async throws {
      let report = try await withTemporaryFolder { folder in
        let run = try await bench(folder, ["--json"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.errors == "")
        return try run.json(Report.self)
      }
      #expect(report.questions == 3)
      #expect(report.asked == 3)
      #expect(report.conditions.model == CommandTests.model)
      #expect(report.conditions.modelSha256.count == 64)
      #expect(report.conditions.suite == "suite.jsonl")
      #expect(report.conditions.suiteSha256.count == 64)
      #expect(report.conditions.drafters == ["prompt-lookup", "none"])
      #expect(report.conditions.promptForm == "chat")
      #expect(report.conditions.maxTokens == 16)
      #expect(report.groups.map(\.name) == ["coding", "mt-bench", "qa", "overall"])
      #expect(report.records.count == 9)
      #expect(report.records.map(\.turns.count) == [2, 2, 2, 1, 1, 1, 1, 1, 1])

      for group in report.groups {
        #expect(group.methods.map(\.drafter) == ["prompt-lookup", "none"])
        let records = report.records.filter {
          group.name == "overall" || $0.category == group.name
            || (group.name == "mt-bench" && $0.category == "coding")
        }
        func statistics(_ name: String) -> [Report.Statistics] {
          records.filter { $0.configuration == name }.flatMap(\.turns).map(\.statistics)
        }
        let plain = statistics("plain")
        for method in group.methods {
          let mine = statistics(method.drafter)
          #expect(method.mismatches == 0)
          #expect(method.tokens == mine.reduce(0) { $0 + $1.tokens })
          #expect(mine.map(\.tokens) == plain.map(\.tokens))
          let (seconds, plainSeconds) = (
            mine.reduce(0) { $0 + $1.seconds }, plain.reduce(0) { $0 + $1.seconds }
          )
          #expect(abs(method.speedup - plainSeconds / seconds) < 1e-6)
          #expect(
            abs(method.tokensPerSecond - Double(method.tokens - mine.count) / seconds) < 1e-6)
          let rounds = mine.reduce(0) { $0 + $1.rounds }
          let accepted = mine.reduce(0) { $0 + $1.accepted }
          #expect(
            abs(method.acceptanceLength - 1 - Double(accepted) / Double(rounds)) < 1e-9)
          #expect((method.speedupInterval != nil) == (method.questions > 1))
          #expect(method.speedupInterval.map { $0.low <= $0.high } ?? true)
        }
      }
    }

    @Test("a turn's prompt is computed once, and each question begins with another configuration")
    func promptOnce() async throws {
      let report = try await withTemporaryFolder { folder in
        try await bench(folder, ["--json"]).json(Report.self)
      }
      var first: [String] = []
      for question in ["1", "b", "3"] {
        let records = report.records.filter { $0.question == question }
        #expect(Set(records.map { $0.turns[0].sharedPromptSeconds }).count == 1)
        let computing = records.filter {
          let statistics = $0.turns[0].statistics
          return statistics.cachedPromptTokens < statistics.promptTokens - 1
        }
        #expect(computing.count == 1)
        first += computing.map(\.configuration)
      }
      #expect(first == ["plain", "prompt-lookup", "none"])
    }

    /// What a database holds, as `bench export --form csv` tells it, without times.
    private func answers(_ database: URL) async throws -> [String] {
      let table = database.deletingPathExtension().appendingPathExtension("csv")
      let run = try await nunchi(
        ["bench", "export", database.path, "--form", "csv", "--output", table.path])
      #expect(run.code == 0, "\(run.errors)")
      return try String(contentsOf: table, encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false).prefix(9).joined(separator: ",")
      }
    }

    @Test("a run that is killed at any moment goes on, and ends as one that never was")
    func kill() async throws {
      try await withTemporaryFolder { folder in
        let whole = folder.appendingPathComponent("whole.db")
        let run = try await bench(folder, ["--output", whole.path])
        #expect(run.code == 0, "\(run.errors)")
        let killed = folder.appendingPathComponent("killed.db")
        var kills = 0
        for attempt in 0..<40 {
          do {
            // Loading the model and warming up take about half a second.
            let run = try await bench(
              folder, ["--output", killed.path], limit: 0.4 + 0.11 * Double(attempt))
            #expect(run.code == 0, "\(run.errors)")
            break
          } catch CommandRunError.tooSlow {
            kills += 1
          }
        }
        #expect(kills > 0)
        #expect(try await answers(killed) == answers(whole))
        #expect(try await answers(whole).count == 1 + 3 * 4)
        // A question is not asked again once it is answered.
        let again = try await bench(folder, ["--output", killed.path, "--json"], limit: 60)
        #expect(try again.json(Report.self).asked == 3)
      }
    }

    @Test("shards of a suite merge into the run that one machine would have made")
    func shards() async throws {
      try await withTemporaryFolder { folder in
        let databases = ["1/2", "2/2", "1/1"].map {
          folder.appendingPathComponent("\($0.replacingOccurrences(of: "/", with: "-")).db")
        }
        for (database, shard) in zip(databases, ["1/2", "2/2", "1/1"]) {
          let run = try await bench(folder, ["--output", database.path, "--shard", shard])
          #expect(run.code == 0, "\(run.errors)")
        }
        let merged = folder.appendingPathComponent("merged.db")
        let run = try await nunchi(
          ["bench", "merge", databases[0].path, databases[1].path, "--output", merged.path])
        #expect(run.output.hasPrefix("12 answers of 2 databases"), "\(run.errors)")
        #expect(try await answers(merged) == answers(databases[2]))
        let form = folder.appendingPathComponent("spec-bench")
        let export = try await nunchi(
          ["bench", "export", merged.path, "--form", "spec-bench", "--output", form.path])
        #expect(export.code == 0, "\(export.errors)")
        let files = try FileManager.default.contentsOfDirectory(atPath: form.path).sorted()
        #expect(files == ["none", "plain", "prompt_lookup"].map { "SmolLM2_135M_\($0).jsonl" })
      }
    }

    @Test("the table for people has a row for each category and drafter")
    func table() async throws {
      try await withTemporaryFolder { folder in
        let database = folder.appendingPathComponent("results.db")
        let run = try await bench(
          folder,
          [
            "--limit", "2", "--temperature", "1", "--plain-text", "--repeat", "2", "--output",
            database.path,
          ])
        #expect(run.code == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.first?.contains("2 of 2 questions, at most 16 tokens") == true)
        #expect(
          lines.dropFirst().first?.hasPrefix("drafters begin anew in each repetition") == true)
        #expect(run.errors.contains("suite.jsonl: 2 of 3 questions"))
        // The conditions, what drafters knew, the columns, two categories with a group and overall,
        // and the regrets.
        #expect(lines.count == 12)
        for (line, category) in zip(lines.dropFirst(3), ["coding", "coding", "mt-bench"]) {
          #expect(line.hasPrefix("\(category) "))
          #expect(line.hasSuffix("yes"))
        }
        let traces = folder.appendingPathComponent("traces")
        let export = try await nunchi(
          ["bench", "export", database.path, "--form", "traces", "--output", traces.path])
        #expect(export.code == 0, "\(export.errors)")
        let files = try FileManager.default.contentsOfDirectory(atPath: traces.path)
        #expect(files.count == 3 * 3 * 2)  // three turns, three configurations, twice
        let replay = try await nunchi(
          ["replay", traces.appendingPathComponent("1-2-2-prompt_lookup.jsonl").path])
        #expect(replay.code == 0, "\(replay.errors)")
      }
    }

    @Test(
      "what cannot be measured is said in one line",
      arguments: [
        (["--drafter", "crystal-ball"], "--drafter: expected one of", Int32(64)),
        (["--drafter", "draft-model"], "expected --draft-model MODEL, found none", 64),
        (["--drafter", "none"], "--drafter none: expected once, found several times", 64),
        (["--drafter", ""], "--drafter: expected one of", 64),
        (["--limit", "0"], "--limit: expected 1 or more, found 0", 64),
        (["--per-category", "0"], "--per-category: expected 1 or more, found 0", 64),
        (["--max-tokens", "0"], "--max-tokens: expected 1 or more, found 0", 64),
        (["--temperature", "nan"], "temperature", 64),
        (["--suite", "/nowhere.jsonl"], "/nowhere.jsonl: expected a readable suite", 1),
        (["--output", "/nowhere/results.db"], "/nowhere/results.db: No such folder", 1),
        (["--output", "/etc/passwd"], "/etc/passwd: file: expected a database of runs", 1),
        (["--repeat", "0"], "--repeat: expected 1 or more, found 0", 64),
        (["--shard", "3/2"], "--shard", 64),
      ])
    func failures(extra: [String], message: String, code: Int32) async throws {
      try await withTemporaryFolder { folder in
        let run = try await bench(folder, extra)
        #expect(run.code == code)
        #expect(run.output == "")
        #expect(run.errors.contains(message), "\(run.errors)")
      }
    }
  }
}
