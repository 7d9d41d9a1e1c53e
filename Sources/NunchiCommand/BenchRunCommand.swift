import ArgumentParser
import Drafters
import Evaluation
import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import Sampling
import Speculation

extension BenchCommand {
  /// `nunchi bench run`: what drafters bring on a suite of questions.
  struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run",
      abstract: "Measure what drafters bring on a suite of questions.",
      discussion: """
        Plain decoding and every drafter take turns at each question, and the output must be the \
        same, token for token; where it is not, the exit code is 1. Speedup is plain time by the \
        drafter's, after the first token, summed over questions, with a 95 % bootstrap interval.

        A suite is a file of JSON lines, as Spec-Bench has it (question_id, category, turns) or \
        with a prompt and a category on each line, or a text with a prompt on each line.

        Examples:
          nunchi bench run SmolLM2-135M --suite question.jsonl --drafter prompt-lookup
          nunchi bench run Gemma-3-270M --suite Benchmarks/prompts/continuation-ko.jsonl
          nunchi bench run SmolLM2-135M --suite question.jsonl --drafter eagle=small \
        --drafter suffix,eagle=large
        """)

    @OptionGroup var target: ModelArguments

    @Option(help: "The file with the questions.")
    var suite: String

    @Option(
      name: .customLong("drafter"),
      help: ArgumentHelp(
        "Who drafts; may be given several times, a trained one with =FOLDER behind it, affine-tree "
          + "with =FILE. "
          + "\(Self.defaultDrafter) if not given.",
        valueName: "drafter"))
    var drafters: [String] = []

    @Option(help: "A smaller model that drafts, of the same vocabulary or of another.")
    var draftModel: String?

    @Option(help: "The folder of a tiny-lm that affine-tree drafts with.")
    var trained: String?

    @Option(help: "A file made by 'nunchi datastore build', for the rest drafter.")
    var datastore: String?

    @Option(help: "The most tokens of an answer.")
    var maxTokens: Int = 256

    @Option(help: "0 takes the most probable token, always; 1 samples from the model as it is.")
    var temperature: Double = 0

    @Option(help: "The seed of sampling.")
    var seed: UInt64 = 0

    @Option(help: "Ask only the first N questions.")
    var limit: Int?

    @Option(help: "Ask only the first N questions of each category.")
    var perCategory: Int?

    @Flag(help: "Continue the prompts as they are, even if the model has a chat template.")
    var plainText = false

    @Option(help: "Write results to this file as they come; go on where it ends.")
    var output: String?

    @Option(help: "Write the steps of every answer to files in this folder.")
    var trace: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What is measured when nothing is asked for: the default of the other commands, if there
    /// is one, otherwise the drafter that needs nothing.
    static let defaultDrafter =
      GenerationArguments.drafterNames.contains("auto") ? "auto" : "prompt-lookup"

    private var chosenDrafters: [String] { drafters.isEmpty ? [Self.defaultDrafter] : drafters }

    /// A drafter's names, and the folder of the trained one among them, or the file of affine-tree,
    /// if it is given.
    private static func parts(_ drafter: String) -> (names: String, path: String?) {
      let parts = drafter.split(separator: "=", maxSplits: 1).map(String.init)
      return (parts.first ?? "", parts.count > 1 ? parts[1] : nil)
    }

    private static func hasAffineTree(_ names: String) -> Bool {
      names.split(separator: ",").contains("affine-tree")
    }

    func validate() throws {
      for drafter in chosenDrafters {
        let (names, path) = Self.parts(drafter)
        try GenerationArguments.validate(
          drafter: names, hasDraftModel: draftModel != nil, hasTrained: trained != nil,
          hasDatastore: datastore != nil)
        if let path, !Self.hasAffineTree(names) {
          try GenerationArguments.validate(trained: path, drafter: names)
        }
      }
      if let twice = Set(drafters).first(where: { name in drafters.count { $0 == name } > 1 }) {
        throw ValidationError("--drafter \(twice): expected once, found several times")
      }
      for (name, value) in [
        ("--max-tokens", maxTokens), ("--limit", limit ?? 1), ("--per-category", perCategory ?? 1),
      ] where value < 1 {
        throw ValidationError("\(name): expected 1 or more, found \(value)")
      }
      do {
        _ = try sampling()
      } catch {
        throw ValidationError("\(error)")
      }
    }

    private func sampling() throws -> SamplingParameters {
      try SamplingParameters(temperature: temperature, seed: seed)
    }

    func run() async throws {
      let questions = try Suite(path: suite).selection(perCategory: perCategory, limit: limit)
      let suiteSHA256 = try sha256(ofFile: suite)
      let model = try target.load()
      let draft = try draftModel.map { try loadModel($0, sharing: model) }
      let store = try datastore.map {
        try Datastore(path: $0, vocabulary: model.vocabularyFingerprint)
      }
      let settings = BenchmarkSettings(
        promptForm: plainText ? .text : PromptForm(for: model), maxTokens: maxTokens,
        sampling: try sampling())
      let conditions = BenchmarkConditions(
        model: target.model, modelSHA256: try checksum(of: target.model),
        draftModel: draftModel, draftModelSHA256: try draftModel.flatMap(checksum),
        suite: URL(fileURLWithPath: suite).lastPathComponent, suiteSHA256: suiteSHA256,
        drafters: chosenDrafters, promptForm: settings.promptForm, maxTokens: maxTokens,
        temperature: temperature, seed: seed, threads: model.transformer.pool.threads,
        instructionSet: ComputePool.instructionSet,
        version: RootCommand.configuration.version,
        date: Date.now.formatted(.iso8601))
      let file = try output.map { try RecordFile(path: $0, conditions: conditions) }
      let run = try BenchmarkRun(
        model: model,
        drafters: try chosenDrafters.map {
          let (names, path) = Self.parts($0)
          var choice = DrafterChoice(named: names, draftModel: draft)
          if Self.hasAffineTree(names) {
            choice.affineTree = try path.map(AffineTreeConfiguration.init(path:))
            choice.trainedFolder = trained
          } else {
            choice.trainedFolder = path
          }
          choice.settings.datastore = store
          return BenchmarkConfiguration(name: $0, drafter: choice)
        }, settings: settings, questions: questions)
      var write: (Question, Int, String, [StepTrace]) throws -> Void = { _, _, _, _ in }
      if let trace {
        let folder = try TraceFolder(path: trace)
        write = { question, turn, configuration, traces in
          guard let options = run.options(of: configuration) else { return }
          let header = TraceFile.Header(model: model, options: options, costs: model.knownCosts)
          try folder.write(
            traces, header: header, question: question, turn: turn, configuration: configuration)
        }
      }
      var traces: [String: [StepTrace]] = [:]
      run.didAnswer = { question, turn, configuration, steps in
        traces[configuration, default: []] += steps
        try write(question, turn, configuration, steps)
      }

      let answers = try ask(questions, run, recorded: file?.records ?? []) {
        try file?.append($0)
      }
      var report = BenchmarkReport(
        conditions: conditions, questions: questions.count, tooLong: answers.tooLong,
        records: answers.records)
      if let costs = model.knownCosts {
        report.regrets = chosenDrafters.compactMap { name in
          traces[name].flatMap { RegretFigures(drafter: name, traces: $0, costs: costs) }
        }
      }
      if json { try printJSON(report) } else { printTables(report) }
      try conclude(report, interrupted: answers.interrupted)
    }

    /// The checksum of a model of one file.
    private func checksum(of name: String) throws -> String? {
      guard case .gguf(let path) = try ModelLocation.resolve(name) else { return nil }
      return try sha256(ofFile: path)
    }

    private struct Answers {
      var records: [QuestionRecord] = []
      var tooLong: [String] = []
      var interrupted = false
    }

    /// Asks what has not been asked yet, until the end or Control-C.
    private func ask(
      _ questions: [Question], _ run: BenchmarkRun, recorded: [QuestionRecord],
      record: ([QuestionRecord]) throws -> Void
    ) throws -> Answers {
      let recorded = Dictionary(grouping: recorded, by: \.question)
      let bar = ProgressBar(label: "bench")
      defer { bar.clear() }
      let interrupt = Interrupt()
      run.isCancelled = { interrupt.came }
      var answers = Answers()
      do {
        if questions.contains(where: { recorded[$0.id] == nil }) {
          bar.say("warming up")
          try run.warmUp()
        }
        for (index, question) in questions.enumerated() {
          if let known = recorded[question.id] {
            answers.records += known
            continue
          }
          run.willAnswer = { question, configuration in
            bar.say(
              "question \(index + 1) of \(questions.count) (\(question.category)), "
                + configuration)
          }
          guard let records = try run.ask(question, index: index) else {
            answers.tooLong.append(question.id)
            continue
          }
          try record(records)
          answers.records += records
        }
      } catch is CancellationError {
        answers.interrupted = true
      }
      return answers
    }

    /// Tells on standard error what was not as it should be.
    private func conclude(_ report: BenchmarkReport, interrupted: Bool) throws {
      for id in report.tooLong {
        writeError("question \(id): left out, its prompt is longer than the model's context")
      }
      for record in report.records {
        for (index, turn) in record.turns.enumerated() {
          guard let mismatch = turn.mismatch else { continue }
          writeError(
            "question \(record.question), turn \(index + 1), \(record.configuration): "
              + "token \(mismatch.index): expected "
              + "\(mismatch.expected.map { "\($0)" } ?? "the end"), found "
              + "\(mismatch.found.map { "\($0)" } ?? "the end")")
        }
      }
      if interrupted {
        writeError("interrupted after \(report.asked) of \(report.questions) questions")
      }
      if interrupted || !report.isIdentical { throw ExitCode(1) }
    }

    private func printTables(_ report: BenchmarkReport) {
      let conditions = report.conditions
      print(
        "\(conditions.model) on \(conditions.suite): \(report.asked) of \(report.questions) "
          + "questions, at most \(conditions.maxTokens) tokens, \(conditions.threads) threads, "
          + "\(conditions.instructionSet)")
      func percent(_ share: Double) -> String { "\(formatDecimal(share * 100, places: 1)) %" }
      func decimal(_ value: Double) -> String { formatDecimal(value, places: 2) }
      var rows = [
        [
          "category", "drafter", "questions", "tokens", "plain tokens/s", "tokens/s", "speedup",
          "95 %", "with prompt", "τ", "accepted", "draft time", "wasted rows", "identical",
        ]
      ]
      for group in report.categories {
        for method in group.methods {
          rows.append([
            group.category, method.drafter, "\(method.questions)", "\(method.tokens)",
            formatDecimal(method.plainTokensPerSecond, places: 1),
            formatDecimal(method.tokensPerSecond, places: 1), decimal(method.speedup),
            method.speedupInterval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–",
            decimal(method.speedupWithPrompt), decimal(method.acceptanceLength),
            percent(method.draftAcceptanceRate), percent(method.draftShare),
            percent(method.wastedRows), method.isIdentical ? "yes" : "NO",
          ])
        }
      }
      printTable(rows)
      for regret in report.regrets {
        print(
          "\(regret.drafter): regret \(percent(regret.regret)) to the best fixed setting by replay "
            + "(\(regret.best))")
      }
    }
  }
}
