import Foundation
import Testing

extension CommandTests {
  /// Reports, experiments and judges on the real model.
  @Suite struct Laboratory {
    init() async throws { try await CommandTests.fetchModel() }

    private func write(_ text: String, to name: String, in folder: URL) throws -> String {
      let path = folder.appendingPathComponent(name)
      try Data(text.utf8).write(to: path)
      return path.path
    }

    @Test("a run becomes a page; two become one page; a run that is not there is said by number")
    func report() async throws {
      try await withTemporaryFolder { folder in
        let database = folder.appendingPathComponent("r.db").path
        for limit in ["12", "16"] {
          let run = try await nunchi([
            "bench", "run", CommandTests.model, "--suite", "multilingual/ko", "--per-category",
            "1", "--limit", "2", "--max-tokens", limit, "--drafter", "suffix", "--output", database,
          ])
          #expect(run.code == 0, "\(run.errors)")
        }
        let out = folder.appendingPathComponent("report").path
        let unclear = try await nunchi(["report", database, "--out", out])
        #expect(unclear.code == 64)
        #expect(unclear.errors.contains("has 2 runs: expected --run 1 to 2, found none"))
        for arguments in [
          [database, "--run", "2"], ["--compare", database, database, "--run", "1,2"],
          ["--compare", database, "--run", "2,1", "--language", "ko"],
        ] {
          let run = try await nunchi(["report"] + arguments + ["--out", out])
          #expect(run.code == 0, "\(run.errors)")
          #expect(run.errors == "")
          let page = try String(contentsOfFile: "\(out)/index.html", encoding: .utf8)
          #expect(page.contains("SmolLM2-135M") && page.contains("자격시험"))
        }
        let missing = try await nunchi(["report", database, "--run", "3", "--out", out])
        #expect(missing.errors.contains("--run: expected 1 to 2, found 3"))
      }
    }

    @Test("every command printed on a page works as printed, in a folder with a space in its name")
    func printedCommands() async throws {
      try await withTemporaryFolder { folder in
        let place = folder.appendingPathComponent("my runs")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let database = place.appendingPathComponent("it's.db").path
        for limit in ["8", "10"] {
          let run = try await nunchi([
            "bench", "run", CommandTests.model, "--suite", "multilingual/ko", "--limit", "1",
            "--max-tokens", limit, "--drafter", "suffix", "--output", database,
          ])
          #expect(run.code == 0, "\(run.errors)")
        }
        let out = place.appendingPathComponent("page").path
        let report = try await nunchi(["report", "--compare", database, "--out", out])
        #expect(report.code == 0, "two runs of one database need no numbers: \(report.errors)")
        let page = try String(contentsOfFile: "\(out)/index.html", encoding: .utf8)
        var commands = Set(
          page.matches(of: /<code>([^<]*)<\/code>/).flatMap { match in
            match.1.replacing("&#39;", with: "'").replacing("&quot;", with: "\"")
              .replacing("&lt;", with: "<").replacing("&gt;", with: ">")
              .replacing("&amp;", with: "&").split(separator: "\n").map { String($0) }
          })
        #expect(commands.count == 7, "two runs, two exports in two forms, V(k): \(commands)")
        // Measures for half a minute; what it says is that it understands.
        let speed = try #require(commands.first { $0.contains("bench speed") })
        commands.remove(speed)
        commands.insert(speed + " -p 16 -n 4 --verify 1,2 --context 16 --rounds 1")
        for command in commands {
          #expect(command.hasPrefix("nunchi "), "\(command)")
          let shell = Process()
          shell.executableURL = URL(fileURLWithPath: "/bin/sh")
          shell.arguments = ["-c", command]
          shell.currentDirectoryURL = place
          let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
          shell.environment = ProcessInfo.processInfo.environment.merging(
            ["PATH": "\(try nunchiExecutable().deletingLastPathComponent().path):\(path)"]
          ) { $1 }
          (shell.standardOutput, shell.standardError) = (Pipe(), FileHandle.nullDevice)
          try shell.run()
          shell.waitUntilExit()
          #expect(shell.terminationStatus == 0, "\(command)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: place.path)
        for name in ["figures-A.json", "figures-B.json", "traces-A", "traces-B"] {
          #expect(files.contains(name), "\(files)")
        }
      }
    }

    @Test("texts of two languages become a drafter and vocabularies, and the words stay the same")
    func languages() async throws {
      try await withTemporaryFolder { folder in
        let texts = (0..<60).flatMap { number in
          [
            #"{"text": "The quick brown fox number \#(number) jumps over the lazy dog. ", "language": "en"}"#,
            #"{"text": "빠른 갈색 여우 \#(number)마리가 게으른 개를 뛰어넘습니다. 눈치가 빠릅니다.", "language": "ko"}"#,
          ]
        }
        let data = try write(texts.joined(separator: "\n"), to: "texts.jsonl", in: folder)
        let drafter = folder.appendingPathComponent("ngrams").path
        let trained = try await nunchi([
          "train", "ngram-lm", "--target", CommandTests.model, "--data", data, "--out", drafter,
        ])
        #expect(trained.code == 0, "\(trained.errors)")
        #expect(trained.output.contains("en ") && trained.output.contains("ko "))
        var written: [String] = []
        for arguments in [
          ["--drafter", "none"], ["--drafter", "ngram-lm", "--trained", drafter],
          ["--drafter", "suffix,ngram-lm", "--trained", drafter],
        ] {
          let run = try await nunchi(
            ["generate", CommandTests.model, "빠른 갈색 여우", "--max-tokens", "24", "--json"]
              + arguments)
          #expect(run.code == 0, "\(run.errors)")
          let report = try run.json(GenerationReport.self)
          written.append(report.text)
        }
        #expect(Set(written).count == 1)
        let lists = folder.appendingPathComponent("lists").path
        let listed = try await nunchi([
          "data", "vocabulary", "--model", CommandTests.model, "--data", data, "--out", lists,
        ])
        #expect(listed.code == 0, "\(listed.errors)")
        let cut = try await nunchi([
          "generate", CommandTests.model, "빠른 갈색 여우", "--max-tokens", "24", "--json",
          "--draft-model", CommandTests.model, "--drafter", "draft-model", "--draft-vocabulary",
          lists,
        ])
        #expect(cut.code == 0, "\(cut.errors)")
        let report = try cut.json(GenerationReport.self)
        #expect(report.text == written[0])
        let wrong = try await nunchi([
          "train", "ngram-lm", "--target", CommandTests.model, "--data", data, "--language", "fi",
          "--out", drafter,
        ])
        #expect(wrong.code == 1)
        #expect(wrong.errors.contains("language: expected one of the data's, found fi"))
      }
    }

    @Test("an experiment ends in the kit's table, plots and a page, and is not measured twice")
    func experiment() async throws {
      try await withTemporaryFolder { folder in
        let file = try write(
          """
          name: small
          title: Draft length, small
          x: n
          targets: [\(CommandTests.model)]
          drafters: [prompt-lookup]
          draft_lengths: [1, 4]
          prompt_lengths: [32]
          max_tokens: [8]
          suite: prose
          limit: 2
          repeats: 2
          """, to: "small.yaml", in: folder)
        let table = folder.appendingPathComponent("results.csv").path
        var tables: [String] = []
        for _ in 0..<2 {
          let run = try await nunchi(["experiment", file, "--output", table])
          #expect(run.code == 0, "\(run.errors)")
          tables.append(try String(contentsOfFile: table, encoding: .utf8))
        }
        #expect(tables[0] == tables[1], "the second run measures nothing")
        let lines = tables[0].split(separator: "\n")
        #expect(
          lines[0].hasPrefix(
            "experiment,prompt_length,max_tokens,n,method,time,time_std,acceptance_rate,"
              + "generated_tokens,"))
        #expect(lines.count == 4)
        for (line, start) in zip(
          lines.dropFirst(),
          ["small,32,8,,Normal,", "small,32,8,1,Speculative,", "small,32,8,4,Speculative,"])
        {
          let cells = line.split(separator: ",", omittingEmptySubsequences: false)
          #expect((cells[7] == "") == (cells[4] == "Normal"), "the rate of what drafts")
          #expect(cells[8] == "8.0")
          #expect(line.hasPrefix(start), "\(line)")
          #expect(line.hasSuffix(",true"))
        }
        let files = try FileManager.default.contentsOfDirectory(
          atPath: folder.appendingPathComponent("results").path)
        for name in ["n_effect", "acceptance_rate", "speedup"] {
          #expect(files.contains("\(name).png") && files.contains("\(name).svg"), "\(name)")
        }
        #expect(files.contains("index.html") && files.contains("results.json"))
        // Another limit is another run, not a mixture; questions of its own are in its table.
        let other = try await nunchi(["experiment", file, "--output", table, "--limit", "1"])
        #expect(other.code == 0, "\(other.errors)")
        #expect(other.errors.contains("prose: 1 prompt of texts"))
        #expect(other.output.hasPrefix("drafters begin anew in each repetition"))
        let runs = try await nunchi([
          "bench", "runs", folder.appendingPathComponent("results/run.db").path,
        ])
        #expect(runs.output.split(separator: "\n").count == 3)
        let short = try await nunchi([
          "experiment", file, "--output", table, "--suite", "multilingual/en", "--limit", "1000",
        ])
        #expect(short.code == 1)
        #expect(
          short.errors.contains(
            "multilingual/en: text: expected 1000 prompts of 32 tokens that share no text, 32000 "
              + "tokens in all, found"))
      }
    }

    @Test("a model judges its own answers; texts without a verdict are counted as failures")
    func judge() async throws {
      struct Figures: Decodable {
        struct Rating: Decodable {
          var count: Int
          var failures: Int
        }
        var ratings: [Rating]
      }
      try await withTemporaryFolder { folder in
        let database = folder.appendingPathComponent("r.db").path
        _ = try await nunchi([
          "bench", "run", CommandTests.model, "--suite", "multilingual/en", "--limit", "2",
          "--max-tokens", "12", "--drafter", "suffix", "--output", database,
        ])
        let judge = [
          "judge", database, "--local", CommandTests.model, "--max-tokens", "24", "--json",
        ]
        let run = try await nunchi(judge)
        #expect(run.code == 0, "\(run.errors)")
        let ratings = try run.json(Figures.self).ratings
        // Two questions, one of them with two turns.
        #expect(ratings.reduce(0) { $0 + $1.count + $1.failures } == 3)
        let shown = try await nunchi(["judge", database, "--show", "--json"])
        #expect(shown.output == run.output)
      }
    }

    @Test("the roofline study needs no model")
    func scaling() async throws {
      try await withTemporaryFolder { folder in
        let out = folder.appendingPathComponent("scaling").path
        let run = try await nunchi(["experiment", "scaling", "--out", out])
        #expect(run.code == 0, "\(run.errors)")
        let table = try String(contentsOfFile: "\(out)/results.csv", encoding: .utf8)
        #expect(table.contains("H100-80GB,Llama-3-70B"))
        let files = try FileManager.default.contentsOfDirectory(atPath: out)
        #expect(files.contains("speedup.png") && files.contains("batch.svg"))
      }
    }

    @Test(
      "what cannot be done is said in one line",
      arguments: [
        (["report", "/nowhere.db", "--out", "x"], "/nowhere.db: expected a database of runs", 1),
        (["report", "a.db", "b.db", "--out", "x"], "expected 1 database, found 2", 64),
        (
          ["report", "--compare", "a.db", "b.db", "c.db", "--out", "x"],
          "--compare: expected two runs, of two databases, or of one", 64
        ),
        (
          ["report", "a.db", "--out", "x", "--language", "fr"],
          "The value 'fr' is invalid for '--language <language>'", 64
        ),
        (["judge", "a.db", "--show", "--retry"], "expected one of --show and --retry", 64),
        (["experiment", "nothing"], "nothing: experiment: expected a YAML file, or one of", 1),
        (
          ["experiment", "draft-length", "--drafter", "crystal-ball"],
          "--drafter: expected one of", 64
        ),
        (["judge", "/nowhere.db", "--local", "m"], "/nowhere.db: expected a database of runs", 1),
        (["judge", "a.db"], "expected --endpoint URL with --model NAME, or --local MODEL", 64),
        (["judge", "a.db", "--local", "m", "--mode", "pairs"], "--mode pairs: expected", 64),
        (["bench", "run", "--suite", "multilingual"], "expected a model, or --endpoint URL", 64),
        (
          ["bench", "run", "--suite", "multilingual", "--endpoint", "http://h/v1"],
          "--endpoint: expected --model NAME", 64
        ),
        (
          ["bench", "run", "--suite", "multilingual", "--endpoint", "host", "--model", "m"],
          "endpoint: expected an address", 1
        ),
        (["bench", "merge", "a.db", "--output", "a.db"], "--output: expected another file", 64),
        (
          ["bench", "export", "a.db", "--form", "csv", "--output", "./a.db"],
          "--output: expected another file", 64
        ),
        (
          ["datastore", "build", "a", "b", "--model", "SmolLM2-135M", "--output", "b"],
          "--output: expected another file", 64
        ),
      ] as [([String], String, Int32)])
    func failures(arguments: [String], message: String, code: Int32) async throws {
      let run = try await nunchi(arguments)
      #expect(run.code == code)
      #expect(run.output == "")
      #expect(run.errors.contains(message), "\(run.errors)")
    }
  }
}
