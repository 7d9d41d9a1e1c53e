import Foundation
import Testing

extension CommandTests {
  @Suite struct Failures {
    init() async throws { try await CommandTests.fetchModel() }

    private static let generate = ["generate", CommandTests.model, "Hello"]

    @Test(
      "a mistake on the command line gives one error, the usage, and code 64",
      arguments: [
        (["fly"], "fly"),
        (["generate"], "Missing expected argument '<model>'"),
        (generate + ["--bogus"], "Unknown option '--bogus'"),
        (generate + ["another"], "Unexpected argument 'another'"),
        (
          generate + ["--drafter", "crystal-ball"],
          """
          --drafter: expected one of auto, none, prompt-lookup, recycling, suffix, rest, lookahead, \
          draft-model, affine-tree, cross-vocabulary, layer-skip, early-exit, medusa, hydra, eagle, \
          eagle3, tiny-lm, ngram-lm, found crystal-ball
          """
        ),
        (generate + ["--drafter", "draft-model"], "expected --draft-model MODEL"),
        (
          generate + ["--drafter", "none", "--draft-model", CommandTests.model],
          "expected --drafter draft-model, found --drafter none"
        ),
        (generate + ["--drafter", "affine-tree"], "expected --draft-model MODEL, found none"),
        (
          generate + ["--drafter", "suffix", "--affine-tree", "tree.yaml"],
          "--affine-tree tree.yaml: expected --drafter affine-tree, found suffix"
        ),
        (
          [
            "experiment", "affine-tree", "--target", CommandTests.model, "--suite", "q.jsonl",
            "--out", "results",
          ],
          "expected one of --draft-model and --trained, found none"
        ),
        (
          generate + ["--draft-vocabulary", "lists"],
          "--draft-vocabulary lists: expected --draft-model MODEL, found none"
        ),
        (
          ["train", "ngram-lm", "--target", CommandTests.model],
          "--data: expected a file, found none"
        ),
        (
          ["bench", "run", CommandTests.model, "--suite", "q.jsonl", "--drafter", "suffix=here"],
          """
          --drafter suffix=here: expected one of auto, medusa, hydra, eagle, eagle3, tiny-lm, \
          ngram-lm before =, found suffix
          """
        ),
        (generate + ["--draft-length=-1"], "--draft-length: expected 0 to 128, found -1"),
        (generate + ["--draft-length", "-1"], "--draft-length"),
        (generate + ["--draft-length", "many"], "'many' is invalid"),
        (
          generate + ["--rule", "hope"],
          "--rule: expected one of sample-and-match, greedy, rejection-sampling, "
            + "block-verification, typical-lossy, found hope"
        ),
        (
          generate + ["--rule", "greedy", "--temperature", "0.8"],
          "--rule greedy: expected --temperature 0, found 0.8"
        ),
        (
          generate + ["--draft-model", CommandTests.model, "--draft-tree", "bush"],
          "--draft-tree: expected chain, dynamic, opt or widths such as 4,2,1, found bush"
        ),
        (
          generate + ["--draft-model", CommandTests.model, "--draft-tree", "4,0"],
          "--draft-tree: expected widths of 1 or more, found 4,0"
        ),
        (
          generate + ["--draft-tree", "dynamic"],
          "--draft-tree dynamic: expected --draft-model MODEL, found none"
        ),
        (generate + ["--temperature=-1"], "temperature: expected a number from 0 up, found -1"),
        (generate + ["--temperature", "-1"], "--temperature"),
        (generate + ["--temperature", "nan"], "temperature"),
        (generate + ["--top-k=-1"], "top"),
        (generate + ["--top-p", "1.5"], "1.5"),
        (generate + ["--min-p", "2"], "2"),
        (generate + ["--repetition-penalty", "0"], "0"),
        (generate + ["--seed=-1"], "'-1' is invalid"),
        (generate + ["--max-tokens", "0"], "--max-tokens: expected 1 or more, found 0"),
        (generate + ["--stop", ""], "--stop: expected text, found an empty one"),
        (generate + ["--threads", "0"], "--threads: expected 1 to 1024, found 0"),
        (generate + ["--file", "letter.txt"], "expected an argument or --file, found both"),
        (
          ["chat", CommandTests.model, "--context", "1"], "--context: expected 16 or more, found 1"
        ),
        (["demo", "--max-tokens", "1"], "--max-tokens: expected 2 or more, found 1"),
        (["demo", "--rounds", "0"], "--rounds: expected 1 to 100, found 0"),
        (["bench", "speed", CommandTests.model, "--verify", "1,x"], "'1,x' is invalid"),
        (
          ["verify", CommandTests.model, "--drafter", "rest"],
          "--drafter rest: expected --datastore FILE, found none"
        ),
        (
          ["verify", CommandTests.model, "--drafter", "suffix", "--trained", "x"],
          "--trained x: expected --drafter with one of"
        ),
        (["bench", "speed", CommandTests.model, "-p", "0"], "-p: expected 1 to"),
        (["bench", "speed", CommandTests.model, "--rounds", "0"], "--rounds: expected 1 to"),
        (["models", "fetch"], "Name at least one model"),
        (["models", "fetch", "hf:a/b", "--sha256", "12"], "--sha256: expected 64 hexadecimal"),
        (
          ["models", "fetch", "SmolLM2-135M", "--sha256", String(repeating: "0", count: 64)],
          "--sha256: expected one hf: name"
        ),
        (["tokenize"], "Missing expected argument '<model>'"),
      ])
    func usage(arguments: [String], message: String) async throws {
      let run = try await nunchi(arguments, limit: Self.limit)
      #expect(run.code == 64)
      try expectOneError(run, message, isUsage: true)
    }

    @Test(
      "any other failure gives one line and code 1",
      arguments: [
        (["generate", "SmolLM2-135N", "Hello"], "did you mean SmolLM2-135M?"),
        (["generate", "no-such-folder/model.gguf", "Hello"], "no-such-folder/model.gguf"),
        (["generate", CommandTests.model, ""], "expected at least one token, found none"),
        (
          ["generate", CommandTests.model, "--file", "no-such-file"],
          "no-such-file: cannot be used: No such file"
        ),
        (["generate", CommandTests.model, "--file", "/"], "/: cannot be used: Is a directory"),
        (
          ["generate", CommandTests.model, "Hello", "--draft-model", "SmolLM2-135N"],
          "did you mean SmolLM2-135M?"
        ),
        (["chat", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
        (["bench", "speed", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
        (["demo", "--model", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
        (["inspect", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
        (["tokenize", "SmolLM2-135N", "Hello"], "did you mean SmolLM2-135M?"),
        (["models", "path", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
        (
          ["verify", CommandTests.model, "--drafter", "medusa"],
          "drafter medusa: expected one trained for SmolLM2-135M"
        ),
        (["models", "verify", "SmolLM2-135N"], "SmolLM2-135N"),
        (["models", "fetch", "SmolLM2-135N"], "SmolLM2-135N"),
        (["models", "list", "--category", "no-such-category"], "no-such-category"),
        (["models", "fetch", "hf:../x"], "hf:../x: owner: expected"),
        (["models", "add", "x", "no-such-file.gguf"], "no-such-file.gguf: cannot be used"),
        (["models", "remove", "SmolLM2-135N"], "did you mean SmolLM2-135M?"),
      ])
    func failure(arguments: [String], message: String) async throws {
      try await expectFailure(arguments, message)
    }

    @Test("an unknown instruction set is refused")
    func instructionSet() async throws {
      try await expectFailure(
        Self.generate, "NUNCHI_ISA: expected portable, avx2 or avx512, found \"foo\"",
        environment: ["NUNCHI_ISA": "foo"])
    }

    @Test("a model that is known but not fetched is refused with the way to fetch it")
    func notFetched() async throws {
      try await withTemporaryFolder { folder in
        try await expectFailure(
          Self.generate, "models fetch \(CommandTests.model)",
          environment: ["NUNCHI_CACHE": folder.path])
      }
    }

    @Test("a prompt that is not UTF-8 is refused, from a file and from standard input")
    func invalidText() async throws {
      try await withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("broken.txt")
        let bytes: [UInt8] = [0x61, 0xFF, 0xFE, 0xC3]
        try Data(bytes).write(to: file)
        try await expectFailure(
          ["generate", CommandTests.model, "--file", file.path],
          "\(file.path): expected UTF-8 text, found other bytes")
        try await expectFailure(
          ["generate", CommandTests.model],
          "standard input: expected UTF-8 text, found other bytes", input: bytes)
      }
    }

    @Test("a prompt longer than the context is refused with both lengths")
    func longPrompt() async throws {
      try await withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("long.txt")
        try Data(String(repeating: "hello world\n", count: 20_000).utf8).write(to: file)
        try await expectFailure(
          ["generate", CommandTests.model, "--file", file.path],
          "prompt: expected at most 8192 tokens (the context), found 60000")
      }
    }

    @Test(
      "a file that only begins like a model, or is none, is refused by every command",
      arguments: [
        ["generate", "FILE", "Hello"], ["chat", "FILE"], ["inspect", "FILE"],
        ["tokenize", "FILE", "Hello"], ["bench", "speed", "FILE"],
        ["generate", CommandTests.model, "Hello", "--draft-model", "FILE"],
      ])
    func brokenFile(arguments: [String]) async throws {
      try await withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("broken.gguf")
        let arguments = arguments.map { $0 == "FILE" ? file.path : $0 }
        try Data("These are words.\n".utf8).write(to: file)
        try await expectFailure(arguments, "not a GGUF file")
        // Cut within the metadata.
        try await modelBytes().prefix(200_000).write(to: file)
        try await expectFailure(arguments, file.path)
      }
    }

    @Test("a model whose weights are cut off is refused before anything is computed")
    func truncatedWeights() async throws {
      try await withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("truncated.gguf")
        try await modelBytes().prefix(20_000_000).write(to: file)
        try await expectFailure(["generate", file.path, "Hello"], "found the end of the file")
      }
    }

    // MARK: -

    /// Far more than a failure takes, as other tests may keep the machine busy.
    private static let limit = 30.0

    private func expectFailure(
      _ arguments: [String], _ message: String, input: [UInt8]? = nil,
      environment: [String: String] = [:],
      sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      let run = try await nunchi(
        arguments, input: input, environment: environment, limit: Self.limit)
      #expect(run.code == 1, sourceLocation: sourceLocation)
      try expectOneError(run, message, isUsage: false, sourceLocation: sourceLocation)
    }

    /// Nothing on standard output; one error, which the usage may follow, on standard error.
    private func expectOneError(
      _ run: CommandRun, _ message: String, isUsage: Bool,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      #expect(run.output == "", sourceLocation: sourceLocation)
      #expect(run.errors.hasSuffix("\n"), sourceLocation: sourceLocation)
      let lines = run.errors.split(separator: "\n")
      let first = try #require(lines.first, sourceLocation: sourceLocation)
      #expect(first.hasPrefix("Error: "), sourceLocation: sourceLocation)
      #expect(first.contains(message), sourceLocation: sourceLocation)
      if isUsage {
        #expect(lines.contains { $0.hasPrefix("Usage: nunchi") }, sourceLocation: sourceLocation)
        #expect(lines.filter { $0.hasPrefix("Error") }.count == 1, sourceLocation: sourceLocation)
      } else {
        #expect(lines.count == 1, sourceLocation: sourceLocation)
      }
    }

    /// The bytes of the test model's file, mapped.
    private func modelBytes() async throws -> Data {
      let path = try await nunchi(["models", "path", CommandTests.model]).output
      let url = URL(fileURLWithPath: path.trimmingCharacters(in: .newlines))
      return try Data(contentsOf: url, options: .alwaysMapped)
    }
  }
}
