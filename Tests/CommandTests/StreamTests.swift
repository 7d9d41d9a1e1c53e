import Foundation
import Testing

extension CommandTests {
  /// Standard input, output and error, and files that are none.
  @Suite struct Streams {
    init() async throws { try await CommandTests.fetchModel() }

    private static let generate = "$NUNCHI generate \(CommandTests.model) Once --max-tokens 4"

    @Test(
      "what cannot be written to standard output ends the command with one line and code 1",
      arguments: [
        generate, "\(generate) --json", "$NUNCHI tokenize \(CommandTests.model) hill --json",
        "$NUNCHI models list", "$NUNCHI --help", "$NUNCHI --version", "$NUNCHI help generate",
        "$NUNCHI --generate-completion-script bash",
      ])
    func fullDisk(command: String) async throws {
      let full = try await bash("\(command) > /dev/full")
      #expect(full.code == 1)
      #expect(full.errors == "Error: standard output: No space left on device\n")
      let closed = try await bash("\(command) >&-")
      #expect(closed.code == 1)
      #expect(closed.errors == "Error: standard output: Bad file descriptor\n")
    }

    @Test(
      "a reader that has gone ends the command quietly where its signal is ignored",
      arguments: ["$NUNCHI generate \(CommandTests.model) Once --max-tokens 200", "$NUNCHI --help"])
    func noReader(command: String) async throws {
      let run = try await bash("trap '' PIPE; { \(command); echo $? >&2; } | true")
      #expect(run.errors == "1\n")
    }

    @Test("the work goes on without standard error, and the exit code tells that lines are lost")
    func lostErrors() async throws {
      for end in ["2> /dev/full", "2>&-"] {
        let run = try await bash("\(Self.generate) --stats \(end)")
        #expect(run.code == 1)
        #expect(run.output.count > 1)
        #expect(try await bash("\(Self.generate) \(end)").code == 0, "nothing was lost")
        #expect(try await bash("$NUNCHI fly \(end)").code == 64)
      }
    }

    @Test(
      "a closed standard input and one that is no text are errors, not empty texts",
      arguments: ["generate", "chat", "tokenize"])
    func closedInput(command: String) async throws {
      for (input, reason) in [("<&-", "Bad file descriptor"), ("< /", "Is a directory")] {
        let run = try await bash("$NUNCHI \(command) \(CommandTests.model) \(input)")
        #expect(run.code == 1)
        #expect(run.errors == "Error: standard input: cannot be used: \(reason)\n")
        #expect(run.output == "")
      }
    }

    @Test("with all three closed no file takes their place")
    func allClosed() async throws {
      try await withTemporaryFolder { folder in
        let trace = folder.appendingPathComponent("trace.jsonl").path
        let run = try await bash(
          "\(Self.generate) --json --trace '\(trace)' <&- >&- 2>&-; echo $? > '\(folder.path)/code'"
        )
        #expect(run.code == 0)
        let code = try String(contentsOfFile: "\(folder.path)/code", encoding: .utf8)
        #expect(code == "1\n")
        #expect(!FileManager.default.fileExists(atPath: trace))
      }
    }

    @Test("a prompt comes out of a process, a FIFO, and standard input by any of its names")
    func prompts() async throws {
      let plain = try await nunchi([
        "generate", CommandTests.model, "Name a hill.", "--max-tokens", "8",
      ])
      let generate = "$NUNCHI generate \(CommandTests.model) --max-tokens 8"
      for script in [
        "\(generate) --file <(printf 'Name a hill.')",
        "printf 'Name a hill.' | \(generate)",
        "printf 'Name a hill.' | \(generate) --file /dev/stdin",
        "printf 'Name a hill.' | \(generate) --file -",
        """
        cd "$(mktemp -d)"; mkfifo f; printf 'Name a hill.' > f & \(generate) --file f
        code=$?; rm -r "$PWD"; exit $code
        """,
      ] {
        let run = try await bash(script)
        #expect(run.code == 0, "\(script): \(run.errors)")
        #expect(run.output == plain.output, "\(script)")
      }
    }

    @Test("suites, prompts, data and settings are read from a process, also where they are hashed")
    func inputs() async throws {
      try await withTemporaryFolder { folder in
        let run = try await bash(
          """
          set -e
          cd '\(folder.path)'
          questions() { printf '{"prompt": "Name a hill.", "category": "hills"}\\n'; }
          for time in 1 2; do
            $NUNCHI bench run \(CommandTests.model) --suite <(questions) --drafter suffix \
              --max-tokens 4 --output runs.db
          done
          questions > whole.jsonl
          $NUNCHI data self-distil \(CommandTests.model) --prompts <(questions) --output - \
            --temperatures 0 --max-tokens 4 > answers.jsonl
          $NUNCHI data merge <(cat answers.jsonl) answers.jsonl --output merged.jsonl
          cmp answers.jsonl merged.jsonl
          $NUNCHI train ngram-lm --target \(CommandTests.model) --data <(cat answers.jsonl) \
            --config <(echo 'context: 2') --out drafter
          grep -q "$(sha256sum < answers.jsonl | cut -d ' ' -f 1)" drafter/nunchi.json
          $NUNCHI bench runs runs.db
          """)
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.contains("1 of 1 questions"))
        // The same suite, so the second run goes on with the first.
        #expect(run.output.split(separator: "\n").last?.hasPrefix("1 ") == true, "\(run.output)")
      }
    }

    @Test("an output that is no regular file is written into, and a link stays one")
    func outputs() async throws {
      try await withTemporaryFolder { folder in
        let run = try await bash(
          """
          set -e
          cd '\(folder.path)'
          echo '{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}' > want
          merge() { $NUNCHI data merge want --output "$@"; }
          echo old > target; ln -s target link; merge link
          test -L link; cmp target want
          ln -s "$PWD/new" dangling; merge dangling
          test -L dangling; cmp new want
          mkfifo fifo; cat fifo > piped & merge fifo; wait
          test -p fifo; cmp piped want
          merge - | cmp - want
          echo first > log; merge /dev/stdout >> log; cat log | tail -1 | cmp - want
          test "$(wc -l < log)" = 2
          merge /dev/null; test -c /dev/null
          ls -A
          """)
        #expect(run.code == 0, "\(run.errors)")
        let names = Set(run.output.split(separator: "\n").map(String.init))
        #expect(
          names == ["want", "target", "link", "new", "dangling", "fifo", "piped", "log"])
      }
    }

    @Test("an output that takes nothing, is a folder, or a link in a circle is an error")
    func badOutputs() async throws {
      try await withTemporaryFolder { folder in
        for (output, message) in [
          ("/dev/full", "/dev/full: free disk space: expected at least 76 bytes, found 0"),
          ("folder", "folder: cannot be used: Is a directory"),
          ("circle", "circle: cannot be used: Too many levels of symbolic links"),
          ("/dev/fd/77", "/dev/fd/77: cannot be used: Bad file descriptor"),
        ] {
          let run = try await bash(
            """
            cd '\(folder.path)'; mkdir -p folder; ln -sfn circle circle
            echo '{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}' \
              > a.jsonl
            $NUNCHI data merge a.jsonl --output \(output)
            """)
          #expect(run.code == 1, "\(output)")
          #expect(run.errors.contains(message), "\(run.errors)")
        }
      }
    }

    @Test("a database of runs is a regular file", arguments: ["-", "/dev/null"])
    func database(path: String) async throws {
      let run = try await bash(
        """
        $NUNCHI bench run \(CommandTests.model) --suite <(echo 'Name a hill.') --drafter suffix \
          --output \(path)
        """)
      #expect(run.code == 1)
      #expect(run.errors == "Error: \(path): expected a regular file for a database, found none\n")
    }

    @Test("answers and traces go into a device as they come, and nothing beside it")
    func appended() async throws {
      try await withTemporaryFolder { folder in
        let run = try await bash(
          """
          set -e
          cd '\(folder.path)'
          mkfifo answers traces; cat answers > got & cat traces > steps &
          echo 'Name a hill.' | $NUNCHI data self-distil \(CommandTests.model) --prompts - \
            --output answers --temperatures 0 --max-tokens 4
          \(Self.generate) --trace traces
          wait
          grep -c '"gpt"' got
          grep -c nunchi_trace steps
          ls
          """)
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.hasSuffix("\n1\n1\nanswers\ngot\nsteps\ntraces\n"), "\(run.output)")
      }
    }

    @Test("columns stand in line on a terminal, with Hangul, marks and emoji in them")
    func columns() async throws {
      try await withTemporaryFolder { folder in
        let entries = ["눈치가 빠른 모델", "e\u{301}te\u{301}", "👍🏽 ok", "plain"].enumerated()
          .map { index, description in
            """
            - name: model-\(index)
              file: model-\(index).gguf
              sha256: \(String(repeating: "0", count: 64))
              categories: [mine]
              description: "\(description)"
              sources: [https://example.com/model.gguf]
            """
          }
        let catalogue = folder.appendingPathComponent("models.yaml")
        try Data(entries.joined(separator: "\n").utf8).write(to: catalogue)
        let run = try await nunchi(
          ["models", "list", "--category", "mine"],
          environment: ["NUNCHI_CATALOGUE": catalogue.path])
        #expect(run.code == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        // The widest takes 16 cells; what is narrower gets spaces for the rest.
        for text in [
          "눈치가 빠른 모델  mine", "e\u{301}te\u{301}               mine",
          "👍🏽 ok             mine", "plain             mine",
        ] {
          #expect(lines.contains { $0.hasSuffix("  \(text)") }, "\(text) in\n\(run.output)")
        }
      }
    }
  }
}
