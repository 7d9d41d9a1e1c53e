import ArgumentParser
import Drafters
import Evaluation
import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import Sampling

/// `nunchi experiment`: measurements that end in tables and plots.
struct ExperimentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment", abstract: "Run an experiment that ends in tables and plots.",
    discussion: """
      'nunchi experiment NAME' runs one that comes with Nunchi or a YAML file of your own; see \
      'nunchi experiment run --help'.

      Examples:
        nunchi experiment draft-length --target SmolLM2-135M --out results
        nunchi experiment basic --target Qwen2.5-Coder-1.5B --draft Qwen2.5-Coder-0.5B \
      --output results.csv
      """,
    subcommands: [
      GridExperimentCommand.self, AffineTreeExperimentCommand.self, ScalingCommand.self,
    ],
    defaultSubcommand: GridExperimentCommand.self)
}

/// `nunchi experiment NAME`.
struct GridExperimentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the experiment of a YAML file, or one that comes with Nunchi.",
    discussion: """
      Those that come with Nunchi: \(ExperimentDefinition.shipped.joined(separator: ", ")); basic is \
      prompt-length, max-tokens and draft-length in one table. Plain decoding and every combination \
      that the file lists take turns at each question. The folder gets run.db with every answer and \
      step, results.csv, results.json, plots as PNG and SVG, and index.html; a run that was stopped \
      goes on where it was. Each repetition begins with drafters who have learned nothing; see \
      'nunchi bench run --help'. Prompts of a length are real text, each of texts of its own.
      """)

  @Argument(help: "A YAML file, or a name.")
  var name: String

  @Option(help: "The model that verifies, in place of the file's.")
  var target: [String] = []

  @Option(help: "The model that drafts, in place of the file's.")
  var draft: [String] = []

  @Option(help: "Who drafts, in place of the file's; a trained one with =FOLDER behind it.")
  var drafter: [String] = []

  @Option(help: "The questions, in place of the file's.")
  var suite: String?

  @Option(help: "Ask only the first N questions of each category and language.")
  var perCategory: Int?

  @Option(help: "Ask only the first N questions, the languages in turns.")
  var limit: Int?

  @Flag(help: "Begin each question with drafters who have learned nothing.")
  var fresh = false

  @Option(name: .customLong("repeat"), help: "Ask everything so many times.")
  var repeats: Int?

  @Option(
    name: .shortAndLong, help: "The folder for results; named like the experiment if not given.")
  var out: String?

  @Option(help: "A file for the table, or - for standard output; the folder lies beside it.")
  var output: String?

  @Option(
    name: [.short, .long],
    help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  @Option(help: "The language of the page and its plots: en or ko.")
  var language = ReportLanguage.en

  func run() async throws {
    let names = name == "basic" ? ["prompt-length", "max-tokens", "draft-length"] : [name]
    let kept = try KeptInputs([suite].compactMap { $0 })
    defer { withExtendedLifetime(kept) {} }
    let definitions = try names.map { name in
      var definition = try ExperimentDefinition(named: name)
      if !target.isEmpty { definition.targets = target }
      if !draft.isEmpty { (definition.draftModels, definition.drafters) = (draft, ["draft-model"]) }
      if !drafter.isEmpty { definition.drafters = drafter }
      if let suite = kept.paths.first { definition.suite = suite }
      definition.perCategory = perCategory ?? definition.perCategory
      definition.limit = limit ?? definition.limit
      definition.repeats = repeats ?? definition.repeats
      definition.fresh = fresh || definition.fresh
      try definition.check(path: name)
      for drafter in definition.drafters {
        try GenerationArguments.validate(
          NamedDrafter(drafter), hasDraftModel: !definition.draftModels.isEmpty)
      }
      return definition
    }
    let place = try output.map(OutputPlace.init)
    let stem =
      place?.isStream == true
      ? nil : output.map { $0.hasSuffix(".csv") ? String($0.dropLast(4)) : "\($0)-files" }
    let folder = out ?? stem ?? definitions.map(\.name).joined(separator: "-")
    let experiment = try Experiment(
      definitions, folder: folder, command: CommandLine.arguments,
      version: RootCommand.configuration.version
    ) { [threads] name, target in
      try target.map { try loadModel(name, sharing: $0) } ?? loadModel(name, threads: threads)
    }
    try await resumably("experiment") { try experiment.run(isCancelled: $0, report: $1) }
    for line in experiment.selections { writeError(line) }
    let rows = try experiment.rows()
    for problem in try experiment.write(rows, language: language) { writeError(problem) }
    if let output {
      try AtomicFile.write(
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/results.csv")), to: output)
    }
    if place != .descriptor(STDOUT_FILENO) {
      for line in experiment.drafterMemory { print(line) }
      show(rows)
      print("\(folder)/index.html")
    }
    if rows.contains(where: { !$0.isIdentical }) {
      writeError("some outputs are not those of plain decoding")
      throw ExitCode.failure
    }
  }

  private func show(_ rows: [ExperimentRow]) {
    func decimal(_ value: Double, _ places: Int = 2) -> String {
      formatDecimal(value, places: places)
    }
    var lines = [
      [
        "experiment", "target", "prompt", "max tokens", "T", "drafter", "draft model", "tree", "n",
        "group", "time", "tokens", "accepted", "τ", "speedup", "95 %", "identical",
      ]
    ]
    for row in rows {
      lines.append([
        row.experiment, row.target, row.promptLength.map(String.init) ?? "–", "\(row.maxTokens)",
        "\(row.temperature)", row.drafter, row.draftModel ?? "–", row.draftTree ?? "–",
        row.n.map(String.init) ?? "–", row.group ?? "–", decimal(row.time),
        decimal(row.generatedTokens, 1),
        "\(decimal(row.acceptanceRate * 100, 1)) %", decimal(row.acceptanceLength),
        decimal(row.speedup),
        row.speedupInterval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–",
        row.isIdentical ? "yes" : "NO",
      ])
    }
    printTable(lines)
  }
}

/// `nunchi experiment affine-tree`.
struct AffineTreeExperimentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "affine-tree",
    abstract: "Compare shapes, parts and prunings of the affine-aligned draft tree.",
    discussion: """
      Plain decoding and every variant take turns at each question. The folder gets results.csv, \
      results.json, plots and run.db with every answer and step; a run that was stopped goes on \
      where it was. What drafters learn from a question serves the next, unless --fresh is given.

      Example:
        nunchi experiment affine-tree --target Qwen2.5-Coder-1.5B --draft-model \
      Qwen2.5-Coder-0.5B --config affine-tree.yaml --suite question.jsonl --out results
      """, aliases: ["pruning"])

  @Option(help: "The model that verifies.")
  var target: String

  @Option(help: "The model that drafts, of the same vocabulary.")
  var draftModel: String?

  @Option(help: "The folder of a tiny-lm, in place of --draft-model.")
  var trained: String?

  @Option(help: "The YAML file of the tree, with its alignment and predictor.")
  var config: String?

  @Option(help: "A predictor of the draft model's own states, for the variant without alignment.")
  var unalignedPredictor: String?

  @Option(help: "The file with the questions.")
  var suite: String

  @Option(help: "The language of the plots: en or ko.")
  var language = ReportLanguage.en

  @Option(name: [.short, .long], help: "The folder for results.")
  var out: String

  @Option(help: "Only variants of these groups: shape, ratio, parts, chain.")
  var group: [AffineTreeVariant.Group] = []

  @Option(help: "Ask only the first N questions of each category.")
  var perCategory: Int?

  @Option(help: "Ask only the first N questions, the languages in turns.")
  var limit: Int?

  @Flag(help: "Begin each question with drafters who have learned nothing.")
  var fresh = false

  @Option(help: "The most tokens of an answer.")
  var maxTokens = 64

  @Option(help: "0 takes the most probable token, always; 1 samples from the model as it is.")
  var temperature = 0.0

  @Option(help: "The seed of sampling.")
  var seed: UInt64 = 0

  @Option(
    name: [.short, .long],
    help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  func validate() throws {
    guard (draftModel != nil) != (trained != nil) else {
      throw ValidationError(
        "expected one of --draft-model and --trained, found \(draftModel == nil ? "none" : "both")")
    }
    for (name, value) in [
      ("--max-tokens", maxTokens), ("--limit", limit ?? 1), ("--per-category", perCategory ?? 1),
    ] where value < 1 {
      throw ValidationError("\(name): expected 1 or more, found \(value)")
    }
  }

  func run() async throws {
    let questionFile = try Suite(path: suite)
    let questions = questionFile.selection(perCategory: perCategory, limit: limit)
    let selection = questionFile.caption(of: questions)
    if let selection { writeError("\(questionFile.name): \(selection)") }
    let base = try config.map(AffineTreeConfiguration.init(path:)) ?? AffineTreeConfiguration()
    let variants = AffineTreeVariant.all(
      base: base, unaligned: unalignedPredictor.map { URL(fileURLWithPath: $0).path }
    ).filter { group.isEmpty || group.contains($0.group) }
    let model = try loadModel(target, threads: threads)
    let draft = try draftModel.map { try loadModel($0, sharing: model) }
    let settings = BenchmarkSettings(
      promptForm: PromptForm(for: model), maxTokens: maxTokens,
      sampling: try SamplingParameters(temperature: temperature, seed: seed),
      drafterMemory: DrafterMemory(isFresh: fresh))
    try makeFolder(out)
    let conditions = BenchmarkConditions(
      model: target, modelSHA256: try model.fileChecksum(), draftModel: draftModel ?? trained,
      draftModelSHA256: try draft?.fileChecksum(),
      suite: questionFile.name, suiteSHA256: try questionFile.checksum(),
      questionsSHA256: try questions.checksum(), selection: selection,
      drafterMemory: settings.drafterMemory, drafters: variants.map(\.name),
      promptForm: settings.promptForm, maxTokens: maxTokens, temperature: temperature, seed: seed,
      threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
      version: RootCommand.configuration.version, date: Date.now.formatted(.iso8601))
    let experiment = try AffineTreeExperiment(
      variants: variants, model: model, draft: draft, trained: trained, settings: settings,
      questions: questions, conditions: conditions, command: CommandLine.arguments, folder: out)
    try await resumably("experiment") { try experiment.run(isCancelled: $0, report: $1) }
    let figures = try experiment.figures()
    for problem in try experiment.write(figures, language: language) { writeError(problem) }
    for id in try experiment.tooLong {
      writeError("question \(id): left out, its prompt is longer than the model's context")
    }
    if let memory = experiment.drafterMemory { print(memory) }
    show(figures)
    if figures.contains(where: { !$0.isIdentical }) { throw ExitCode.failure }
  }

  private func show(_ figures: [AffineTreeFigures]) {
    func decimal(_ value: Double, _ places: Int = 2) -> String {
      formatDecimal(value, places: places)
    }
    func percent(_ value: Double) -> String { "\(formatDecimal(value * 100, places: 1)) %" }
    var rows = [
      [
        "variant", "proposed", "verified", "accepted", "τ", "pruned", "lost", "draft ms",
        "align + predict ms", "verify ms", "speedup", "95 %", "identical",
      ]
    ]
    for row in figures {
      rows.append([
        row.variant, decimal(row.proposed), decimal(row.verified), decimal(row.accepted),
        decimal(row.acceptanceLength), percent(row.prunedShare), percent(row.lostAcceptance),
        decimal(row.draftMilliseconds, 1),
        decimal(row.alignMilliseconds + row.predictMilliseconds),
        decimal(row.verifyMilliseconds, 1),
        decimal(row.speedup),
        row.speedupInterval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–",
        row.isIdentical ? "yes" : "NO",
      ])
    }
    printTable(rows)
  }
}

extension AffineTreeVariant.Group: ExpressibleByArgument {}

/// `nunchi experiment scaling`.
struct ScalingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "Tell from a roofline model what speculation would bring on other machines.",
    discussion: """
      Accelerators, models and published figures stand in a YAML file; the one that comes with \
      Nunchi is Experiments/scaling.yaml. With --from the acceptance is that of a recorded run.
      """)

  @Option(help: "The study's YAML file, in place of the one that comes with Nunchi.")
  var config: String?

  @Option(help: "A database of runs whose acceptance of first drafted tokens is taken.")
  var from: String?

  @Option(name: .customLong("run"), help: "Which of its runs.")
  var number: Int?

  @Option(help: "Which of its drafters; the first if not given.")
  var drafter: String?

  @Option(help: "The language of the page and its plots: en or ko.")
  var language = ReportLanguage.en

  @Option(name: [.short, .long], help: "The folder for results.")
  var out = "scaling"

  func run() throws {
    let study = try ScalingStudy(path: config)
    var acceptance: Double?
    if let from {
      let database = try RunDatabase(existing: from)
      let run = try StoredRunArguments.pick(number, of: database.runs(), in: from)
      let name = drafter ?? run.conditions.drafters.first ?? ""
      guard run.conditions.drafters.contains(name) else {
        throw ValidationError(
          "--drafter: expected one of \(run.conditions.drafters.joined(separator: ", ")), found "
            + name)
      }
      acceptance = try FirstAcceptance(database.steps(of: name, run: run)).rate
      guard let acceptance, acceptance > 0, acceptance < 1 else {
        throw ValidationError("\(from): expected drafts of \(name), some accepted, found none")
      }
    }
    for problem in try study.write(
      to: out, acceptance: acceptance, source: from, command: CommandLine.arguments,
      language: language)
    {
      writeError(problem)
    }
    for row in try study.rows(acceptance: acceptance) where row.fits {
      print(
        "\(row.accelerator): \(row.target) with \(row.draft): "
          + "\(formatDecimal(row.speedup, places: 2))x with \(row.bestDraftLength) tokens")
    }
    for check in try study.checks() {
      print(
        "\(check.method): published \(formatDecimal(check.published, places: 2)), model "
          + "\(formatDecimal(check.withOverhead, places: 2)) "
          + "(\(formatDecimal(check.error * 100, places: 0)) %), roofline alone "
          + formatDecimal(check.roofline, places: 2))
    }
    print("\(out)/index.html")
  }
}
