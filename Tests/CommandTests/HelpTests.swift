import Testing

extension CommandTests {
  @Suite struct Help {
    @Test("the root's help tells what the program is, its subcommands and its environment")
    func root() async throws {
      let run = try await nunchi(["--help"])
      #expect(run.code == 0)
      #expect(run.errors == "")
      expectText(
        run.output,
        """
        OVERVIEW: Speculative decoding of language models on an ordinary CPU.

        A cheap drafter proposes tokens, the target model verifies them in one pass,
        and the text stays exactly what the target alone would have written.

        MODEL is a name of the catalogue (see 'nunchi models list'), hf:OWNER/REPO or
        hf:OWNER/REPO/FILE once it is fetched, the path of a .gguf file, or of a
        Hugging Face folder (config.json, *.safetensors, tokenizer.json).

        Results go to standard output, progress and errors to standard error. The exit
        code is 0, 64 for a mistake on the command line, 128 and the signal's number
        where one ended it (130 for Control-C), and 1 for any other failure.

        NUNCHI_CACHE names the folder for fetched models, NUNCHI_ISA (portable, avx2 or
        avx512) forces an instruction set.

        USAGE: nunchi <subcommand>

        OPTIONS:
          --version               Show the version.
          -h, --help              Show help information.

        SUBCOMMANDS:
          demo                    Decode the same prompts plainly and speculatively,
                                  and compare.
          generate                Continue a text, or answer a question.
          chat                    Talk with a model in the terminal.
          bench                   Measure.
          report                  Make a page of a benchmark: tables, plots, texts step
                                  by step.
          judge                   Let a language model judge recorded answers.
          experiment              Run an experiment that ends in tables and plots.
          replay                  Tell from a trace what other drafters and budgets
                                  would have accepted.
          verify                  Check that speculation changes nothing of a model's
                                  output.
          data                    Make the data that drafters are trained on.
          train                   Train a drafter for a model.
          datastore               Build and inspect datastores, which the rest drafter
                                  retrieves from.
          models                  List, fetch and check models.
          inspect                 Show a model's architecture, sizes, tensors,
                                  tokenizer and memory needs.
          tokenize                Show the tokens that a model's tokenizer makes of a
                                  text.

          See 'nunchi help <subcommand>' for detailed help.
        """)
    }

    @Test("no subcommand gives the root's help")
    func bare() async throws {
      let (bare, help) = (try await nunchi([]), try await nunchi(["--help"]))
      #expect(bare.output == help.output)
    }

    @Test("the help of generate lists every option with its default")
    func generate() async throws {
      let run = try await nunchi(["generate", "--help"])
      #expect(run.code == 0)
      #expect(run.errors == "")
      expectText(
        run.output,
        """
        OVERVIEW: Continue a text, or answer a question.

        Without --chat the model continues the prompt as it is; with --chat the prompt
        is a user's message, written as the model's chat template says. Control-C ends
        the text, with its statistics or JSON.

        SmolLM2-135M is for first steps, tests and measurements: it is quick, and
        answers simple questions, but its facts are often wrong. Qwen2.5-Coder-1.5B
        answers better.

        Examples:
          nunchi generate SmolLM2-135M --chat "What is photosynthesis?" --stats
          nunchi generate SmolLM2-135M --chat --file letter.txt --drafter prompt-lookup
          nunchi generate Qwen2.5-Coder-1.5B "def fibonacci(n):" --draft-model
        Qwen2.5-Coder-0.5B

        USAGE: nunchi generate [<options>] <model> [<prompt>]

        ARGUMENTS:
          <model>                 A model's name, hf:OWNER/REPO[/FILE], the path of a
                                  .gguf file, or of a Hugging Face folder.
          <prompt>                The prompt; standard input if neither it nor --file
                                  is given.

        OPTIONS:
          -t, --threads <threads> Threads that compute; all of the machine's cores if
                                  not given.
          -f, --file <file>       Read the prompt from this file.
          --chat                  Write the prompt as a message of the model's chat
                                  template.
          --system <system>       A system message; implies --chat.
          --drafter <drafter>     Who drafts: auto, none, prompt-lookup, recycling,
                                  suffix, rest, lookahead, draft-model, affine-tree,
                                  cross-vocabulary, layer-skip, early-exit, medusa,
                                  hydra, eagle, eagle3, tiny-lm, ngram-lm.
                Several, divided by commas, draft together. auto is suffix,recycling
                and a drafter trained for the model where there is one, as far as they
                pay; it is the default, with draft-model if --draft-model is given.
          --draft-model <draft-model>
                                  A smaller model that drafts, of the same vocabulary
                                  or of another.
          --affine-tree <file>    How the affine-tree drafter drafts: a YAML file with
                                  its tree, alignment and predictor.
                By the draft model's own probabilities if not given.
          --trained <folder>      The folder of a trained drafter; may be given several
                                  times.
                The one that comes with Nunchi for the model, or else that 'nunchi
                train' put into the cache, if not given. Among several tiny-lm the
                language of the text chooses.
          --adapt <file>          A file for what a tiny-lm learns of the target while
                                  it drafts.
                It goes on with what the file has. Without it, nothing is learned.
          --draft-vocabulary <folder>
                                  The folder of a draft model's vocabularies by
                                  language.
                'nunchi data vocabulary' makes it. The draft model's output is cut to
                the language that is written.
          --cross-vocabulary <cross-vocabulary>
                                  How a draft model of another vocabulary drafts: auto,
                                  slem or tli. (values: auto, slem, tli; default: auto)
                slem encodes its text anew, tli draws among the tokens of both.
          --datastore <datastore> A file made by 'nunchi datastore build', for the rest
                                  drafter.
          --suffix-store <suffix-store>
                                  Keep outputs in this file, and let the suffix drafter
                                  match in earlier ones.
          --draft-tree <shape>    How the draft model drafts: chain, dynamic, opt, or
                                  children a level such as 4,2,1.
                chain if not given.
          --draft-length <draft-length>
                                  Tokens to draft at each step; what pays on this
                                  machine if not given.
          --rule <rule>           What decides which drafted tokens are kept;
                                  sample-and-match if not given.
                sample-and-match: the tokens of plain decoding, the same for the same
                seed.
                greedy: the most probable tokens; needs temperature 0.
                rejection-sampling: the distribution of plain decoding, token by token.
                block-verification: the distribution of plain decoding, the draft as a
                whole: accepts more.
                typical-lossy: LOSSY: changes the output, keeping all that the model
                finds plausible.
          --temperature <temperature>
                                  0 takes the most probable token, always; 1 samples
                                  from the model as it is. (default: 0.0)
          --top-k <top-k>         Sample among the K most probable tokens; 0 means all.
                                  (default: 0)
          --top-p <top-p>         Sample among the most probable tokens that together
                                  reach this probability. (default: 1.0)
          --min-p <min-p>         Drop tokens less probable than this share of the most
                                  probable one. (default: 0.0)
          --repetition-penalty <repetition-penalty>
                                  Above 1, makes tokens of the recent text less
                                  probable. (default: 1.0)
          --seed <seed>           The same seed gives the same text, with or without a
                                  drafter.
          --max-tokens <max-tokens>
                                  The most tokens to generate. (default: 256)
          --stop <stop>           A text that ends the output; may be given several
                                  times.
          --stats                 Print what was drafted and accepted, and the speed,
                                  to standard error.
          --trace <trace>         Add one JSON line a step to this file; see 'nunchi
                                  replay'.
          --ignore-end            Go on after tokens that end a text; for measurements.
          --json                  Print one JSON object at the end instead of streaming.
          --version               Show the version.
          -h, --help              Show help information.
        """)
    }

    @Test(
      "the help of every other subcommand has an overview and names its options",
      arguments: [
        (
          ["demo"],
          ["--model", "--draft-model", "--threads", "--max-tokens", "--rounds", "--json"]
        ),
        (
          ["chat"],
          [
            "<model>", "--system", "--context", "--drop-oldest", "--drafter", "--draft-model",
            "--draft-length",
            "--draft-tree", "--rule", "--temperature", "--top-k", "--top-p", "--min-p",
            "--repetition-penalty", "--seed", "--max-tokens", "--stop", "--stats", "--threads",
          ]
        ),
        (["bench"], ["run", "speed"]),
        (
          ["bench", "run"],
          [
            "<model>", "--threads", "--suite", "--drafter", "--draft-model", "--max-tokens",
            "--temperature", "--seed", "--limit", "--per-category", "--plain-text", "--output",
            "--repeat", "--shard", "--endpoint", "--model", "--api-key-env", "--json",
          ]
        ),
        (["bench", "runs"], ["<database>"]),
        (["bench", "merge"], ["<databases>", "--output"]),
        (["bench", "export"], ["<database>", "--form", "--output", "--run"]),
        (["report"], ["<databases>", "--compare", "--run", "--out", "--language"]),
        (
          ["judge"],
          [
            "<databases>", "--mode", "--baseline", "--endpoint", "--model", "--api-key-env",
            "--local", "--max-tokens", "--retry", "--show", "--json",
          ]
        ),
        (["experiment"], ["run", "affine-tree", "scaling"]),
        (
          ["experiment", "run"],
          [
            "<name>", "--target", "--draft", "--drafter", "--suite", "--per-category", "--limit",
            "--repeat", "--out", "--output", "--threads", "--language",
          ]
        ),
        (
          ["train", "ngram-lm"],
          ["--target", "--data", "--language", "--out", "--config", "--context", "--minimum-count"]
        ),
        (["train", "export"], ["--target", "--drafter", "--trained", "--for", "--out"]),
        (["data", "vocabulary"], ["<model>", "--data", "--language", "--coverage", "--output"]),
        (
          ["experiment", "scaling"],
          ["--config", "--from", "--run", "--drafter", "--out", "--language"]
        ),
        (
          ["bench", "speed"],
          [
            "<model>", "-p", "-n", "--threads", "--verify", "--context", "--depth", "--rounds",
            "--json", "1,2,3,4,6,8,12,16,24,32",
          ]
        ),
        (
          ["verify"],
          [
            "<model>", "--drafter", "--draft-model", "--trained", "--affine-tree", "--datastore",
            "--quick", "--json", "--threads",
          ]
        ),
        (["models"], ["list", "status", "fetch", "verify", "path", "add", "remove"]),
        (["models", "list"], ["--category", "--json"]),
        (["models", "status"], ["<names>", "--verify", "--json"]),
        (["models", "fetch"], ["<names>", "--category", "--sha256", "hf:OWNER/REPO"]),
        (["models", "verify"], ["<names>"]),
        (["models", "add"], ["<name>", "<path>"]),
        (["models", "remove"], ["<names>"]),
        (["models", "path"], ["<name>"]),
        (["inspect"], ["<model>", "--chat-template", "--json"]),
        (["tokenize"], ["<model>", "<text>", "--json", "--no-special"]),
      ])
    func subcommand(path: [String], mentions: [String]) async throws {
      let run = try await nunchi(path + ["--help"])
      #expect(run.code == 0)
      #expect(run.errors == "")
      #expect(run.output.hasPrefix("OVERVIEW: "))
      #expect(run.output.contains("\nUSAGE: nunchi \(path.joined(separator: " "))"))
      // The usage line alone is no explanation.
      let explanations = run.output.split(separator: "\n").filter { $0.hasPrefix("  ") }
      for word in mentions {
        #expect(explanations.contains { $0.contains(word) }, "\(word) is not explained")
      }
    }

    @Test("an option that one command's help names of another is there")
    func quotedOptions() async throws {
      var helps: [[String]: String] = [:]
      var open: [[String]] = [[]]
      while let path = open.popLast() {
        let help = try await nunchi(path + ["--help"]).output
        helps[path] = help
        // The last paragraph tells how to ask for more help.
        let commands = help.split(separator: "SUBCOMMANDS:\n").dropFirst().first?
          .split(separator: "\n\n").first
        for line in (commands ?? "").split(separator: "\n") where line.hasPrefix("  ") {
          let name = line.dropFirst(2).prefix { $0 != " " && $0 != "," }
          if !name.isEmpty { open.append(path + [String(name)]) }
        }
      }
      #expect(helps.count > 25)
      var checked = 0
      for (path, help) in helps {
        // What stands between quotation marks may go over the end of a line.
        let text = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for quote in text.split(separator: "'") where quote.hasPrefix("nunchi ") {
          let words = quote.split(separator: " ").dropFirst().map(String.init)
          let command = (0...words.count).map { Array(words.prefix($0)) }.last { helps[$0] != nil }
          for option in words where option.hasPrefix("--") {
            checked += 1
            #expect(
              helps[command ?? []]?.contains(" \(option) ") == true, "\(path): '\(quote)'")
          }
        }
      }
      #expect(checked > 5)
    }

    @Test("the version is three numbers")
    func version() async throws {
      let run = try await nunchi(["--version"])
      #expect(run.code == 0)
      #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    }

    /// Compares line by line: a difference shows as the lines concerned.
    private func expectText(
      _ found: String, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
      }
      var (found, expected) = (lines(found), lines(expected))
      while found.last == "" { found.removeLast() }
      while expected.last == "" { expected.removeLast() }
      #expect(found == expected, sourceLocation: sourceLocation)
    }
  }
}
