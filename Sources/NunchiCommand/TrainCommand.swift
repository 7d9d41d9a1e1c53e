import ArgumentParser
import Drafters
import DrafterTraining
import Foundation
import LanguageModels
import Nunchi

/// `nunchi train`: drafters for a model.
struct TrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a drafter for a model.",
    discussion: """
      With a target alone, the target writes prompts, answers them, and the drafter learns from \
      its answers and inner states; about an hour for SmolLM2-135M on two cores. The same command \
      goes on where it was stopped. With more --hours, --steps or --epochs it takes a run further, \
      a finished one too; the learning rate then follows the longer course.

      Examples:
        nunchi train eagle --target SmolLM2-135M
        nunchi train eagle3 --target Qwen2.5-Coder-1.5B --data states --out drafter --hours 3
        nunchi train medusa --target SmolLM2-135M --data answers.jsonl --config medusa.yaml
      """,
    subcommands: [
      TrainEagleCommand.self, TrainEagle3Command.self, TrainMedusaCommand.self,
      TrainHydraCommand.self, TrainTinyLMCommand.self, TrainAlignmentCommand.self,
      TrainPredictorCommand.self, TrainNGramCommand.self, TrainExportCommand.self,
    ])
}

/// What all kinds of training take.
struct TrainArguments: ParsableArguments {
  @Option(help: "The model to draft for: a name, a .gguf file, or a Hugging Face folder.")
  var target: String

  @Option(
    help: """
      A folder of hidden states ('nunchi data hidden-states') or a file of conversations \
      ('nunchi data self-distil'); the target writes its own if not given.
      """)
  var data: String?

  @Option(
    name: [.short, .long],
    help: """
      The folder for the drafter; one in the cache, by target and kind, if not given. A drafter in \
      the cache is found by its kind unless one comes with Nunchi.
      """)
  var out: String?

  @Option(help: "A YAML file; the options below go before it.")
  var config: String?

  @Option(help: "Hours of training proper in all, after the data are there.")
  var hours: Double?

  @Option(help: "Updates of the weights in all.")
  var steps: Int?

  @Option(help: "How often training sees all data in all.")
  var epochs: Double?

  @Option(help: "The highest learning rate.")
  var learningRate: Double?

  @Option(help: "The share of the target's text that the drafter's tokens make up, from 0 to 1.")
  var coverage: Double?

  @Option(help: "Prompts that the target writes where there are no data.")
  var prompts: Int?

  @Option(help: "The same seed gives the same drafter.")
  var seed: UInt64?

  @Option(
    name: [.short, .long],
    help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  func validate() throws {
    if [hours != nil, steps != nil, epochs != nil].count(where: { $0 }) > 1 {
      throw ValidationError("expected one of --hours, --steps and --epochs, found several")
    }
    if let hours, !(hours > 0 && hours <= 1000) {
      throw ValidationError("--hours: expected a number above 0, at most 1000, found \(hours)")
    }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
    }
  }

  /// The defaults with the file's settings and those of the command line.
  func configuration<Drafter: DrafterConfiguration>(
    _ defaults: TrainingConfiguration<Drafter>
  ) throws -> TrainingConfiguration<Drafter> {
    var result = defaults
    if let config { try result.read(yamlFile: config) }
    if let steps {
      result.run.steps = steps
      result.epochs = 0
    }
    if let epochs { result.epochs = epochs }
    if let learningRate { result.run.learningRate = learningRate }
    if let coverage { result.coverage = coverage }
    if let prompts { result.data.prompts = prompts }
    if let seed { result.run.seed = seed }
    return result
  }

  /// Trains, and shows the progress.
  /// - Parameters:
  ///   - layers: those whose states the drafter starts from, beside the final ones.
  ///   - adjust: what options of one kind of drafter set.
  func train<Drafter: DrafterConfiguration>(
    _ method: String, on model: Model, layers: [Int] = [],
    _ defaults: TrainingConfiguration<Drafter>,
    adjust: (inout TrainingConfiguration<Drafter>) -> Void = { _ in },
    makeTrainer: (StateTraining, Drafter) throws -> any Trainer
  ) throws {
    let folder =
      out ?? TrainingJob<Drafter>.standardFolder(method: method, model: model)
    var configuration = try configuration(defaults)
    adjust(&configuration)
    var job = TrainingJob(
      method: method, model: model, layers: layers, configuration: configuration,
      data: data, folder: folder, version: RootCommand.configuration.version)
    job.hours = hours
    let interrupt = Interrupt()
    let screen = TrainScreen()
    do {
      try job.run(
        isCancelled: { interrupt.came }, report: screen.show, makeTrainer: makeTrainer)
    } catch is CancellationError {
      screen.finish()
      writeError("stopped; the same command goes on from here")
      throw ExitCode.failure
    }
    screen.finish()
    writeError("the drafter is in \(folder)\(use(of: method, folder, by: model))")
  }

  /// Says who drafts with it: where one of its kind is shipped, that one goes before it.
  private func use(of method: String, _ folder: String, by model: Model) -> String {
    guard DrafterRegistry.trained.contains(method) else { return "" }
    guard out == nil else { return "; '--trained \(folder)' drafts with it" }
    let first = try? model.trainedDrafter(method: method)?.folder
    if first == URL(fileURLWithPath: folder).standardizedFileURL.path {
      return "; '--drafter \(method)' drafts with it"
    }
    return "; '--trained \(folder)' drafts with it, '--drafter \(method)' and auto with the one "
      + "that comes with Nunchi"
  }
}

/// Shows what a training job tells, on standard error.
private final class TrainScreen {
  private var bar: WorkProgress?
  private let reporter = TrainingReporter(isTerminal: isatty(STDERR_FILENO) == 1) {
    writeErrorText($0)
  }

  func show(_ event: JobEvent) {
    switch event {
    case .phase(let name):
      finish()
      writeError(name)
      bar = WorkProgress(label: name)
    case .data(let progress, let unit): bar?.update(progress, unit: unit)
    case .states(let progress):
      let left = Double(progress.totalRows - progress.rows) / max(1, progress.rowsPerSecond)
      bar?.update(
        share: Double(progress.rows) / Double(max(1, progress.totalRows)),
        "of \(formatCount(progress.totalRows)) tokens, \(formatDuration(left)) left")
    case .training(let event): reporter.report(event)
    }
  }

  func finish() {
    bar?.clear()
    bar = nil
    reporter.closeLine()
  }
}

/// What both kinds of EAGLE take.
struct EagleArguments: ParsableArguments {
  @OptionGroup var arguments: TrainArguments

  @Option(
    help: """
      The folder of a drafter of this kind to start from, such as one of many languages for one of a \
      single language.
      """)
  var start: String?

  func train(_ version: EagleVersion) throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    try arguments.train(
      version.rawValue, on: model,
      layers: version == .eagle3
        ? EagleLayout.observedLayers(layerCount: model.transformer.layerCount) : [],
      .standard(version, for: model.transformer.configuration),
      adjust: { if let start { $0.drafter.start = start } },
      makeTrainer: { try StateTrainer(eagle: version, $1, setup: $0) })
  }
}

/// `nunchi train eagle`.
struct TrainEagleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eagle",
    abstract: "EAGLE-1: one decoder layer that goes on from the target's final state.")

  @OptionGroup var arguments: EagleArguments

  func run() async throws { try arguments.train(.eagle1) }
}

/// `nunchi train eagle3`.
struct TrainEagle3Command: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eagle3",
    abstract: "EAGLE-3: one decoder layer that fuses three of the target's inner states.")

  @OptionGroup var arguments: EagleArguments

  func run() async throws { try arguments.train(.eagle3) }
}

/// `nunchi train medusa`.
struct TrainMedusaCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "medusa",
    abstract: "Medusa heads: each proposes a token further ahead from the target's final state.")

  @OptionGroup var arguments: TrainArguments

  func run() async throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    try arguments.train("medusa", on: model, .heads) {
      try StateTrainer(medusa: $1, setup: $0)
    }
  }
}

/// `nunchi train hydra`.
struct TrainHydraCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hydra",
    abstract: "Hydra heads: as Medusa's, but they see the drafted tokens before theirs.")

  @OptionGroup var arguments: TrainArguments

  func run() async throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    try arguments.train("hydra", on: model, .heads) { try StateTrainer(hydra: $1, setup: $0) }
  }
}

/// `nunchi train tiny-lm`.
struct TrainTinyLMCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tiny-lm",
    abstract: "A tiny language model with the target's vocabulary.",
    discussion: """
      It can be pretrained on text (--pretrain, with --data from 'nunchi data corpus'), and then go \
      on with the target's own answers (--start, the pretrained drafter's folder).

      Example:
        nunchi train tiny-lm --target SmolLM2-135M --pretrain --data corpus/train.jsonl -o pre
        nunchi train tiny-lm --target SmolLM2-135M --start pre --data states -o drafter
      """)

  @OptionGroup var arguments: TrainArguments

  @Option(
    help: """
      What it starts from: random, target (the target's own first layers), or the folder of a tiny \
      language model.
      """)
  var start: String?

  @Flag(help: "Learn from the text alone, without the target's states.")
  var pretrain = false

  func run() async throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    try arguments.train(
      "tiny-lm", on: model, .tinyLM,
      adjust: { configuration in
        if let start { configuration.drafter.start = start }
        guard pretrain else { return }
        configuration.drafter.textWeight = 1
        configuration.drafter.targetWeight = 0
      },
      makeTrainer: { try TinyLMTrainer($1, setup: $0) })
  }
}
