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
    subcommands: [AffineTreeExperimentCommand.self])
}

/// `nunchi experiment affine-tree`.
struct AffineTreeExperimentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "affine-tree",
    abstract: "Compare shapes, parts and prunings of the affine-aligned draft tree.",
    discussion: """
      Plain decoding and every variant take turns at each question. The folder gets results.csv, \
      results.json, plots and run.db with every answer and step; a run that was stopped goes on \
      where it was.

      Example:
        nunchi experiment affine-tree --target Qwen2.5-Coder-1.5B --draft-model \
      Qwen2.5-Coder-0.5B --config affine-tree.yaml --suite question.jsonl --out results
      """)

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

  @Option(name: [.short, .long], help: "The folder for results.")
  var out: String

  @Option(help: "Only variants of these groups: shape, ratio, parts, chain.")
  var group: [AffineTreeVariant.Group] = []

  @Option(help: "Ask only the first N questions of each category.")
  var perCategory: Int?

  @Option(help: "Ask only the first N questions.")
  var limit: Int?

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
    let base = try config.map(AffineTreeConfiguration.init(path:)) ?? AffineTreeConfiguration()
    let variants = AffineTreeVariant.all(
      base: base, unaligned: unalignedPredictor.map { URL(fileURLWithPath: $0).path }
    ).filter { group.isEmpty || group.contains($0.group) }
    let model = try loadModel(target, threads: threads)
    let draft = try draftModel.map { try loadModel($0, sharing: model) }
    let settings = BenchmarkSettings(
      promptForm: PromptForm(for: model), maxTokens: maxTokens,
      sampling: try SamplingParameters(temperature: temperature, seed: seed))
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    let conditions = BenchmarkConditions(
      model: target, modelSHA256: try model.fileChecksum(), draftModel: draftModel ?? trained,
      draftModelSHA256: try draft?.fileChecksum(),
      suite: questionFile.name, suiteSHA256: try questionFile.checksum(),
      drafters: variants.map(\.name),
      promptForm: settings.promptForm, maxTokens: maxTokens, temperature: temperature, seed: seed,
      threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
      version: RootCommand.configuration.version, date: Date.now.formatted(.iso8601))
    let experiment = try AffineTreeExperiment(
      variants: variants, model: model, draft: draft, trained: trained, settings: settings,
      questions: questions, conditions: conditions, command: CommandLine.arguments, folder: out)
    let bar = ProgressBar(label: "experiment")
    let interrupt = Interrupt()
    do {
      try experiment.run(isCancelled: { interrupt.came }) { bar.say($0) }
    } catch is CancellationError {
      bar.clear()
      writeError("stopped; the same command goes on from here")
      throw ExitCode.failure
    }
    bar.clear()
    let figures = try experiment.figures()
    for problem in try experiment.write(figures) { writeError(problem) }
    for id in try experiment.tooLong {
      writeError("question \(id): left out, its prompt is longer than the model's context")
    }
    print(figures)
    if figures.contains(where: { !$0.isIdentical }) { throw ExitCode.failure }
  }

  private func print(_ figures: [AffineTreeFigures]) {
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
