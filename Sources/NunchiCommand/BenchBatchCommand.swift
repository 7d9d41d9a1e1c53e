import ArgumentParser
import LanguageModels
import Nunchi
import Speculation

extension BenchCommand {
  /// `nunchi bench batch`: several sequences in one pass.
  struct Batch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "batch",
      abstract: "Measure the throughput of several sequences that decode together.",
      discussion: """
        Sequences answer different questions of their own length, plainly and with the drafter, \
        in turns. Every output is compared with the one that its sequence has alone. Drafters begin \
        each round anew, and know nothing of what was answered in another.
        """)

    @OptionGroup var target: ModelArguments

    @Option(help: "Numbers of sequences.")
    var sequences = NumberList([1, 2, 4, 8])

    @Option(help: "Who drafts; see 'nunchi generate --help'.")
    var drafter = "auto"

    @Option(help: "The most tokens of each answer.")
    var maxTokens = 64

    @Option(help: "Rounds; the quickest of each counts.")
    var rounds = 2

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
      try GenerationArguments.validate(drafter: drafter, hasDraftModel: false, hasDatastore: false)
      if maxTokens < 2 {
        throw ValidationError("--max-tokens: expected 2 or more, found \(maxTokens)")
      }
      if rounds < 1 { throw ValidationError("--rounds: expected 1 or more, found \(rounds)") }
      for count in sequences.values where count > Self.questions.count {
        throw ValidationError(
          "--sequences: expected 1 to \(Self.questions.count), found \(count)")
      }
    }

    func run() async throws {
      let model = try target.load()
      let choices = [DrafterChoice.none, DrafterChoice(named: drafter)]
      let bar = ProgressBar(label: "\(target.model), \(model.transformer.pool.threads) threads")
      defer { bar.clear() }
      bar.say("each alone")
      let alone = try Self.questions.prefix(sequences.values.max() ?? 1).map {
        try answer([$0], choices[0], model)[0].tokens
      }
      var rows: [BatchReport.Row] = []
      for count in sequences.values {
        var row = BatchReport.Row(sequences: count)
        for _ in 0..<rounds {
          for (place, choice) in choices.enumerated() {
            bar.say("\(count) sequences, \(choice.name)")
            let results = try answer(Array(Self.questions.prefix(count)), choice, model)
            row.outputIdentical =
              row.outputIdentical && zip(results, alone).allSatisfy { $0.tokens == $1 }
            row.record(results, isPlain: place == 0)
          }
        }
        rows.append(row)
      }
      let report = BatchReport(
        model: target.model, drafter: drafter, threads: model.transformer.pool.threads,
        maxTokens: maxTokens, drafterMemory: "round", rows: rows)
      if json { try printJSON(report) } else { printTable(report) }
      if !rows.allSatisfy(\.outputIdentical) { throw ExitCode.failure }
    }

    private func answer(
      _ questions: [String], _ choice: DrafterChoice, _ model: Model
    ) throws -> [GenerationResult] {
      let options = GenerationOptions(drafter: choice.fresh(), maxTokens: maxTokens)
      let generators = try questions.map { question in
        let prompt =
          model.tokenizer.chatTemplate == nil
          ? model.tokens(of: question)
          : try model.tokens(of: [ChatMessage(role: "user", content: question)])
        let generator = try TextGenerator(
          model: model, contextLength: prompt.count + maxTokens + 1)
        try generator.begin(prompt: prompt, options: options, continuing: false)
        return generator
      }
      while try TextGenerator.next(generators).contains(where: { $0 != nil }) {}
      return generators.map(\.result)
    }

    private func printTable(_ report: BatchReport) {
      print(
        "\(report.model), drafter \(report.drafter), at most \(report.maxTokens) tokens each, "
          + "\(report.threads) threads; drafters begin each round anew")
      var rows = [["sequences", "plain", "with drafter", "speedup", "τ", "output identical"]]
      for row in report.rows {
        rows.append([
          "\(row.sequences)", "\(formatDecimal(row.plainTokensPerSecond, places: 1)) tokens/s",
          "\(formatDecimal(row.tokensPerSecond, places: 1)) tokens/s",
          "\(formatDecimal(row.tokensPerSecond / row.plainTokensPerSecond, places: 2))×",
          formatDecimal(row.acceptanceLength, places: 2), row.outputIdentical ? "yes" : "NO",
        ])
      }
      NunchiCommand.printTable(rows)
    }

    static let questions = [
      "Why is the sky blue?", "Write a short story about a lighthouse.",
      "한국의 수도는 어디인가요? 그 도시를 소개해 주세요.", "List ten animals with four legs.",
      "Write a Python function that reverses a string, with an example.",
      "Explain how a bicycle stays upright.", "Was ist der Unterschied zwischen Wetter und Klima?",
      "Give me a recipe for pancakes.",
    ]
  }
}

/// What `bench batch --json` prints.
private struct BatchReport: Encodable {
  struct Row: Encodable {
    var sequences: Int
    /// Tokens of all sequences after their first ones, by the time of their steps.
    var plainTokensPerSecond = 0.0
    var tokensPerSecond = 0.0
    var acceptanceLength = 1.0
    var outputIdentical = true

    init(sequences: Int) {
      self.sequences = sequences
    }

    /// Each sequence's traces have its share of the passes, so that their times add up.
    mutating func record(_ results: [GenerationResult], isPlain: Bool) {
      let all = SpeculationStatistics(results.flatMap(\.traces))
      if isPlain {
        plainTokensPerSecond = max(plainTokensPerSecond, all.tokensPerSecond)
      } else if all.tokensPerSecond > tokensPerSecond {
        tokensPerSecond = all.tokensPerSecond
        acceptanceLength = all.acceptanceLength
      }
    }
  }

  var model: String
  var drafter: String
  var threads: Int
  var maxTokens: Int
  /// How long drafters remember.
  var drafterMemory: String
  var rows: [Row]
}
