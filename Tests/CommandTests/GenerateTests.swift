import Foundation
import Testing

extension CommandTests {
  @Suite struct Generate {
    init() async throws { try await CommandTests.fetchModel() }

    private static let prompt = "Once upon a time"
    /// A text that goes on as it began, so that prompt lookup finds something.
    private static let copying = """
      The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday. \
      Again: the days of the week are Monday, Tuesday,
      """

    @Test("--json prints one object whose fields agree with each other")
    func fields() async throws {
      let run = try await nunchi([
        "generate", CommandTests.model, Self.copying, "--json", "--max-tokens", "20", "--drafter",
        "prompt-lookup", "--draft-length", "4",
      ])
      #expect(run.code == 0)
      #expect(run.errors == "")
      #expect(
        try run.jsonKeys().isSuperset(of: [
          "text", "token_ids", "prompt_tokens", "tokens", "prompt_seconds", "seconds",
          "tokens_per_second", "statistics",
        ]))
      let report = try run.json(GenerationReport.self)
      let statistics = report.statistics
      #expect(report.tokens == 20)
      #expect(report.tokenIds.count == report.tokens)
      #expect(report.tokens == 1 + statistics.rounds + statistics.accepted)
      #expect((1...statistics.drafted).contains(statistics.accepted))
      let rounds = Double(statistics.rounds)
      #expect(abs(statistics.acceptanceLength - (1 + Double(statistics.accepted) / rounds)) < 1e-9)
      #expect(abs(report.tokensPerSecond * report.seconds - 19) < 1e-6)
      #expect(report.promptSeconds > 0)
      #expect(statistics.draftSeconds > 0)
      #expect(statistics.verifySeconds > statistics.draftSeconds)
      #expect(statistics.draftSeconds + statistics.verifySeconds <= report.seconds)

      let tokenized = try await nunchi(["tokenize", CommandTests.model, Self.copying, "--json"])
      #expect(try tokenized.json(TokenizeReport.self).tokens == report.promptTokens)
    }

    @Test("plain decoding drafts nothing: as many rounds as tokens after the first")
    func plainStatistics() async throws {
      let report = try await generateJSON([Self.prompt, "--max-tokens", "6", "--drafter", "none"])
      #expect(report.statistics.rounds == 5)
      #expect(report.statistics.drafted == 0)
      #expect(report.statistics.accepted == 0)
      #expect(report.statistics.acceptanceLength == 1)
    }

    @Test(
      "every drafter and thread count writes the tokens of plain decoding",
      arguments: [[], ["--temperature", "1", "--seed", "7"]])
    func sameTokens(sampling: [String]) async throws {
      let common = [Self.copying, "--max-tokens", "32", "--ignore-end"] + sampling
      let plain = try await generateJSON(common + ["--drafter", "none", "--threads", "1"])
      #expect(plain.tokens == 32)
      for threads in ["1", "2"] {
        let lookup = try await generateJSON(
          common + ["--drafter", "prompt-lookup", "--draft-length", "4", "--threads", threads])
        #expect(lookup.tokenIds == plain.tokenIds)
        #expect(lookup.text == plain.text)
        #expect(lookup.statistics.drafted > 0)
        let draft = try await generateJSON(
          common
            + ["--drafter", "draft-model", "--draft-model", CommandTests.model]
            + ["--draft-length", "4", "--threads", threads])
        #expect(draft.tokenIds == plain.tokenIds)
        #expect(draft.text == plain.text)
        // The target drafts for itself: all is accepted.
        #expect(draft.statistics.accepted > draft.statistics.rounds)
      }
      let two = try await generateJSON(common + ["--drafter", "none", "--threads", "2"])
      #expect(two.tokenIds == plain.tokenIds)
    }

    @Test("a draft model of another vocabulary changes nothing but the rounds, where one is cached")
    func otherVocabulary() async throws {
      guard await isCached("Gemma-3-270M") else { return }
      let common = [Self.prompt, "--max-tokens", "13", "--ignore-end"]
      let plain = try await generateJSON(common + ["--drafter", "none"])
      for method in ["auto", "slem", "tli"] {
        let found = try await generateJSON(
          common + [
            "--draft-model", "Gemma-3-270M", "--cross-vocabulary", method, "--draft-length", "3",
          ])
        #expect(found.tokenIds == plain.tokenIds)
        #expect(found.statistics.drafted > 0)
      }
    }

    @Test("what passes cost is measured once, and refined by what decoding sees")
    func costs() async throws {
      let path = try await nunchi(["models", "path", CommandTests.model]).output
        .trimmingCharacters(in: .whitespacesAndNewlines)
      try await withTemporaryFolder { cache in
        func stored(tokens: Int) async throws -> (file: URL, content: [String: Any]) {
          let run = try await nunchi(
            [
              "generate", path, Self.prompt, "--drafter", "suffix", "--ignore-end",
              "--max-tokens", "\(tokens)",
            ],
            environment: ["NUNCHI_CACHE": cache.path])
          try #require(run.code == 0, "\(run.errors)")
          let files = try FileManager.default.contentsOfDirectory(
            at: cache.appendingPathComponent("costs"), includingPropertiesForKeys: nil)
          try #require(files.count == 1)
          let object = try JSONSerialization.jsonObject(with: Data(contentsOf: files[0]))
          return (files[0], try #require(object as? [String: Any]))
        }
        func seconds(_ content: [String: Any]) throws -> [Double] {
          let points = try #require(content["costs"] as? [[String: Any]])
          return points.compactMap { $0["seconds"] as? Double }
        }
        var (file, content) = try await stored(tokens: 4)
        let kernels = try #require(content["kernels"] as? String)
        // Figures that no measurement gives: they show whether one was made.
        let planted = try seconds(content).indices.map { 1 + 0.25 * Double($0) }
        var points = try #require(content["costs"] as? [[String: Any]])
        for index in points.indices { points[index]["seconds"] = planted[index] }
        content["costs"] = points
        try JSONSerialization.data(withJSONObject: content).write(to: file)
        #expect(try seconds(await stored(tokens: 4).content) == planted)
        // Two at a time refine the same file.
        async let other = stored(tokens: 60)
        let refined = try seconds(await stored(tokens: 60).content)
        let last = try seconds(await other.content)
        for (old, new) in zip(planted + planted, refined + last) {
          // Each moves a point by a fifth at most, and a pass takes no second.
          #expect(new < old && new > 0.7 * old)
        }
        content["kernels"] = "others"
        try JSONSerialization.data(withJSONObject: content).write(to: file)
        let again = try await stored(tokens: 4).content
        #expect(again["kernels"] as? String == kernels)
        #expect(try seconds(again).allSatisfy { $0 < 1 })
      }
    }

    @Test("a fixed draft length is kept, and changes nothing but the rounds")
    func draftLength() async throws {
      let common = [Self.prompt, "--max-tokens", "13", "--ignore-end"]
      let plain = try await generateJSON(common + ["--drafter", "none"])
      // The target drafts for itself: every draft is right.
      let drafting =
        common + ["--drafter", "draft-model", "--draft-model", CommandTests.model]
      let three = try await generateJSON(drafting + ["--draft-length", "3"])
      #expect(three.tokenIds == plain.tokenIds)
      #expect(three.statistics.rounds == 3)
      #expect(three.statistics.drafted == 9)
      #expect(three.statistics.acceptanceLength == 4)
      let zero = try await generateJSON(drafting + ["--draft-length", "0"])
      #expect(zero.tokenIds == plain.tokenIds)
      #expect(zero.statistics.drafted == 0)
    }

    @Test("the same seed repeats a text, another seed changes it")
    func seeds() async throws {
      let common = [Self.prompt, "--max-tokens", "16", "--temperature", "1", "--seed"]
      let seven = try await generateJSON(common + ["7"])
      #expect(try await generateJSON(common + ["7"]).tokenIds == seven.tokenIds)
      #expect(try await generateJSON(common + ["8"]).tokenIds != seven.tokenIds)
    }

    @Test(
      "other instruction sets write the same words",
      arguments: [("avx2", 16), ("portable", 2)])
    func instructionSets(name: String, tokens: Int) async throws {
      guard name == "portable" || cpuHas(name) else { return }
      let common = ["The capital of France is", "--max-tokens", "\(tokens)"]
      let usual = try await generateJSON(common)
      let forced = try await generateJSON(common, environment: ["NUNCHI_ISA": name])
      #expect(forced.tokenIds == usual.tokenIds)
    }

    @Test("a prompt is the same as an argument, in a file and at standard input")
    func promptSources() async throws {
      let prompt = "눈치가 빠른 사람은\nOnce upon a time, \"quoted\""
      let limit = ["--max-tokens", "8"]
      let argument = try await generateJSON([prompt] + limit)
      let standard = try await generateJSON(limit, input: prompt.utf8)
      let file = try await withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("prompt.txt")
        try Data(prompt.utf8).write(to: file)
        return try await generateJSON(["--file", file.path] + limit)
      }
      for report in [standard, file] {
        #expect(report.promptTokens == argument.promptTokens)
        #expect(report.tokenIds == argument.tokenIds)
      }
    }

    @Test("a stop string that spans two tokens ends the text right before it")
    func stop() async throws {
      let limit = ["--max-tokens", "24"]
      let whole = try await generateJSON([Self.prompt] + limit)
      // The last character of one token and the first ones of the next.
      let head = try await generateJSON([Self.prompt, "--max-tokens", "9"]).text
      #expect(whole.text.hasPrefix(head))
      let stop = String(whole.text.dropFirst(head.count - 1).prefix(3))
      #expect(stop.count == 3)
      let expected = String(try #require(whole.text.split(separator: stop).first))

      for drafter in [[], ["--draft-model", CommandTests.model]] {
        let arguments = [Self.prompt, "--stop", "never written", "--stop", stop] + limit + drafter
        let cut = try await generateJSON(arguments)
        #expect(cut.text == expected)
        #expect(cut.tokens == cut.tokenIds.count)
        #expect(cut.tokens < whole.tokens)
        #expect(whole.tokenIds.starts(with: cut.tokenIds))
        let streamed = try await nunchi(["generate", CommandTests.model] + arguments)
        #expect(streamed.output == expected + "\n")
      }
    }

    @Test("--max-tokens is kept to, drafts or not", arguments: [1, 2, 7])
    func maxTokens(count: Int) async throws {
      for drafter in [[], ["--drafter", "prompt-lookup"]] {
        let report = try await generateJSON(
          [Self.copying, "--max-tokens", "\(count)"] + drafter)
        #expect(report.tokens == count)
      }
    }

    @Test("the streamed text is that of --json, and --stats goes to standard error only")
    func streams() async throws {
      let arguments = [
        "generate", CommandTests.model, Self.copying, "--max-tokens", "20", "--drafter",
        "prompt-lookup", "--draft-length", "4",
      ]
      let report = try await nunchi(arguments + ["--json"]).json(GenerationReport.self)
      let streamed = try await nunchi(arguments)
      #expect(streamed.output == report.text + "\n")
      #expect(streamed.errors == "")
      let stats = try await nunchi(arguments + ["--stats"])
      #expect(stats.output == streamed.output)
      #expect(stats.errors.contains("output"))
      #expect(stats.errors.contains("20 tokens"))
      #expect(stats.errors.contains("acceptance length τ"))
      let statistics = report.statistics
      #expect(
        stats.errors.contains("\(statistics.accepted) of \(statistics.drafted) drafted tokens"))
    }

    @Test("an answer is written after the chat template, and a system message changes the prompt")
    func chatTemplate() async throws {
      let limit = ["--max-tokens", "8"]
      let plain = try await generateJSON(["Hello", "--drafter", "none"] + limit)
      let chat = try await generateJSON(["Hello", "--chat"] + limit)
      let system = try await generateJSON(["Hello", "--system", "You are a pirate."] + limit)
      #expect(plain.promptTokens == 1)
      #expect(chat.promptTokens > 10)
      #expect(system.promptTokens > 10)
      #expect(system.promptTokens != chat.promptTokens)
      #expect(chat.tokenIds != plain.tokenIds)
    }

    /// Whether the processor says that it has an instruction set.
    private func cpuHas(_ name: String) -> Bool {
      let flags = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      return flags?.split(whereSeparator: \.isWhitespace).contains { $0 == name } ?? false
    }
  }
}
