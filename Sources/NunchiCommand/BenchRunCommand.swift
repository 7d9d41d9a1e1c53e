import ArgumentParser
import ChatEndpoints
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
        with a prompt and a category on each line, or a text with a prompt on each line; a folder \
        of such files; or 'multilingual', which comes with Nunchi ('multilingual/ko' for one of \
        its languages), or 'prose', six longer texts.

        Each repetition begins with drafters who have learned nothing. Within one, what they learn \
        from a question serves the next, as in use, in the suite's order; with --fresh each question \
        begins so. What warming up taught them is forgotten, and so is what they knew when a run is \
        taken up again: they begin anew at the question where it was stopped, and the run says so. \
        A file named with adapt= counts as it is when the run begins; nothing is written to it.

        --output keeps every answer and step in an SQLite database as it comes; the same command \
        goes on where it was stopped, and several runs may use one database. 'nunchi report' \
        makes a page of it, 'nunchi bench export' other forms, 'nunchi bench merge' one of several.

        Examples:
          nunchi bench run SmolLM2-135M --suite question.jsonl --drafter prompt-lookup
          nunchi bench run Gemma-3-270M --suite Benchmarks/prompts/continuation-ko.jsonl
          nunchi bench run SmolLM2-135M --suite question.jsonl --drafter eagle=small \
        --drafter suffix,eagle=large
        """)

    @Argument(help: "A model's name, the path of a .gguf file, or of a Hugging Face folder.")
    var model: String?

    @Option(
      name: [.short, .long],
      help: "Threads that compute; all of the machine's cores if not given.")
    var threads: Int?

    @Option(
      help: ArgumentHelp(
        "A server that answers by OpenAI's API, in place of a model of this machine.",
        discussion: "Its --model NAME is asked; the address is such as http://host:8000/v1.",
        valueName: "url"))
    var endpoint: String?

    @Option(name: .customLong("model"), help: "The name that the server knows its model by.")
    var servedModel: String?

    @Option(help: "The environment variable that holds the server's key.")
    var apiKeyEnv: String?

    @Option(help: "The file or folder with the questions.")
    var suite: String

    @Option(
      name: .customLong("drafter"),
      help: ArgumentHelp(
        "Who drafts; may be given several times, a trained one with =FOLDER behind its name, "
          + "affine-tree with =FILE. "
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

    @Option(help: "Ask only the first N questions, the languages in turns.")
    var limit: Int?

    @Option(help: "Ask only the first N questions of each category and language.")
    var perCategory: Int?

    @Flag(help: "Continue the prompts as they are, even if the model has a chat template.")
    var plainText = false

    @Option(name: .customLong("repeat"), help: "Ask everything so many times.")
    var repetitions = 1

    @Flag(help: "Begin each question with drafters who have learned nothing.")
    var fresh = false

    @Option(help: "Ask only this part of the questions, such as 2/8, and merge the parts later.")
    var shard = Shard.whole

    @Option(help: "A database that gets every answer as it comes; goes on where it was stopped.")
    var output: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What is measured when nothing is asked for: the default of the other commands, if there
    /// is one, otherwise the drafter that needs nothing.
    static let defaultDrafter =
      GenerationArguments.drafterNames.contains("auto") ? "auto" : "prompt-lookup"

    private var chosenDrafters: [String] { drafters.isEmpty ? [Self.defaultDrafter] : drafters }

    func validate() throws {
      if let threads, !(1...1024).contains(threads) {
        throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
      }
      if endpoint != nil {
        guard servedModel != nil, model == nil, drafters.isEmpty else {
          throw ValidationError(
            "--endpoint: expected --model NAME, and neither a model of this machine nor --drafter")
        }
      } else if model == nil {
        throw ValidationError("expected a model, or --endpoint URL --model NAME; found neither")
      }
      for drafter in endpoint == nil ? chosenDrafters : [] {
        try GenerationArguments.validate(
          NamedDrafter(drafter), hasDraftModel: draftModel != nil, hasTrained: trained != nil,
          hasDatastore: datastore != nil)
      }
      if let twice = Set(drafters).first(where: { name in drafters.count { $0 == name } > 1 }) {
        throw ValidationError("--drafter \(twice): expected once, found several times")
      }
      for (name, value) in [
        ("--max-tokens", maxTokens), ("--limit", limit ?? 1), ("--per-category", perCategory ?? 1),
        ("--repeat", repetitions),
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
      let suite = try Suite(path: suite)
      let selected = suite.selection(perCategory: perCategory, limit: limit)
      let selection = suite.caption(of: selected)
      if let selection { writeError("\(suite.name): \(selection)") }
      let questions = shard.questions(of: selected)
      let database = try RunDatabase(path: output)
      if let endpoint {
        return try await ask(
          ChatEndpoint(address: endpoint, model: servedModel ?? "", key: try apiKey(apiKeyEnv)),
          suite, selected, questions, database)
      }
      let name = model ?? ""
      let model = try loadModel(name, threads: threads)
      let draft = try draftModel.map { try loadModel($0, sharing: model) }
      let store = try datastore.map {
        try Datastore(path: $0, vocabulary: model.vocabularyFingerprint)
      }
      let settings = BenchmarkSettings(
        promptForm: plainText ? .text : PromptForm(for: model), maxTokens: maxTokens,
        sampling: try sampling(), drafterMemory: DrafterMemory(isFresh: fresh))
      let conditions = BenchmarkConditions(
        model: name, modelSHA256: try checksum(of: name),
        draftModel: draftModel, draftModelSHA256: try draftModel.flatMap(checksum),
        suite: suite.name, suiteSHA256: try suite.checksum(),
        questionsSHA256: try selected.checksum(), selection: selection,
        drafterMemory: settings.drafterMemory, drafters: chosenDrafters,
        promptForm: settings.promptForm, maxTokens: maxTokens, temperature: temperature, seed: seed,
        threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
        version: RootCommand.configuration.version, date: Date.now.formatted(.iso8601))
      let session = try RunSession(
        database, conditions: conditions, command: CommandLine.arguments, questions: questions)
      let run = try BenchmarkRun(
        model: model,
        drafters: try chosenDrafters.map {
          let drafter = NamedDrafter($0)
          var choice = try drafter.choice(draftModel: draft)
          if drafter.hasAffineTree, let trained { choice.trainedFolders.append(trained) }
          choice.settings.datastore = store
          return BenchmarkConfiguration(name: $0, drafter: choice)
        }, settings: settings, questions: questions.map(\.question))
      try await measure(session) { isCancelled, report in
        run.isCancelled = isCancelled
        try run.record(questions, repetitions: repetitions, session: session, report: report)
      }
    }

    /// Measures until the end or Control-C, and prints what came of it.
    private func measure(
      _ session: RunSession,
      _ work: (_ isCancelled: @escaping () -> Bool, _ report: @escaping (String) -> Void)
        async throws -> Void
    ) async throws {
      let bar = ProgressBar(label: "bench")
      let interrupt = Interrupt()
      var isInterrupted = false
      do {
        try await work({ interrupt.came }, { bar.say($0) })
      } catch is CancellationError {
        isInterrupted = true
      }
      bar.clear()
      let report = try BenchmarkReport(session.run, in: session.database)
      if json { try printJSON(report) } else { printTables(report) }
      try conclude(report, interrupted: isInterrupted)
    }

    /// Drives a server.
    private func ask(
      _ endpoint: ChatEndpoint, _ suite: Suite, _ selected: [Question],
      _ questions: [(number: Int, question: Question)], _ database: RunDatabase
    ) async throws {
      let conditions = BenchmarkConditions(
        model: "\(endpoint.model) at \(endpoint.url.absoluteString)", suite: suite.name,
        suiteSHA256: try suite.checksum(), questionsSHA256: try selected.checksum(),
        selection: suite.caption(of: selected), drafters: [], promptForm: .chat,
        maxTokens: maxTokens, temperature: temperature, seed: seed, threads: 0,
        instructionSet: "the server's", version: RootCommand.configuration.version,
        date: Date.now.formatted(.iso8601))
      let session = try RunSession(
        database, conditions: conditions, command: CommandLine.arguments, questions: questions)
      let benchmark = EndpointBenchmark(
        endpoint: endpoint, maxTokens: maxTokens, temperature: temperature, seed: seed)
      try await measure(session) {
        try await benchmark.record(
          questions, repetitions: repetitions, session: session, isCancelled: $0, report: $1)
      }
    }

    /// The checksum of a model of one file.
    private func checksum(of name: String) throws -> String? {
      guard case .gguf(let path) = try ModelLocation.resolve(name) else { return nil }
      return try sha256(ofFile: path)
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
      if let memory = report.drafterMemory { print(memory) }
      func percent(_ share: Double) -> String { "\(formatDecimal(share * 100, places: 1)) %" }
      func decimal(_ value: Double) -> String { formatDecimal(value, places: 2) }
      var rows = [
        [
          "questions of", "drafter", "questions", "tokens", "plain tokens/s", "tokens/s", "speedup",
          "95 %", "with prompt", "τ", "accepted", "draft time", "wasted rows", "characters/s",
          "tokens/character", "identical",
        ]
      ]
      for group in report.groups {
        // A server's figures stand alone: nothing was compared with them.
        for method in report.conditions.drafters.isEmpty
          ? group.plain.map({ [$0] }) ?? [] : group.methods
        {
          rows.append([
            group.name, method.drafter, "\(method.questions)", "\(method.tokens)",
            formatDecimal(method.plainTokensPerSecond, places: 1),
            formatDecimal(method.tokensPerSecond, places: 1), decimal(method.speedup),
            method.speedupInterval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–",
            decimal(method.speedupWithPrompt), decimal(method.acceptanceLength),
            percent(method.draftAcceptanceRate), percent(method.draftShare),
            percent(method.wastedRows), formatDecimal(method.charactersPerSecond, places: 1),
            decimal(method.fertility), method.isIdentical ? "yes" : "NO",
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

extension Shard: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
