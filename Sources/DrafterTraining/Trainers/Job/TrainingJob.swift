import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import Yams

/// What a training job tells while it goes on.
public enum JobEvent {
  /// A part of the work begins.
  case phase(String)
  /// How far the making of data is, and of what.
  case data(DataProgress, unit: String)
  case states(HiddenStatePass.Progress)
  case training(TrainingEvent)
}

/// Trains a drafter for a model: makes the data if none are given, captures the target's states,
/// counts tokens, trains, validates and exports. Each part goes on from where an earlier run left
/// it.
///
/// The folder gets the drafter; `work` in it the data, the states and the training run.
public struct TrainingJob<Drafter: DrafterConfiguration> {
  public let model: Model
  public let folder: String
  /// A folder of hidden states, or a file of conversations (of texts too for a drafter that learns
  /// without states); nil makes data.
  public private(set) var data: String?
  /// Hours of training proper, whatever the configuration says of steps; nil: what it says.
  public var hours: Double?
  public private(set) var configuration: TrainingConfiguration<Drafter>
  private let method: String
  private let layers: [Int]
  private let version: String
  /// The data, which is read more than once.
  private var kept: KeptInputs?

  /// - Parameters:
  ///   - layers: the target's layers whose states the drafter starts from, beside the final ones.
  ///   - version: of the program.
  public init(
    method: String, model: Model, layers: [Int] = [],
    configuration: TrainingConfiguration<Drafter>, data: String?, folder: String, version: String
  ) {
    self.method = method
    self.model = model
    self.layers = layers
    self.configuration = configuration
    self.data = data
    self.folder = folder
    self.version = version
  }

  /// Where a drafter goes when nobody says.
  public static func standardFolder(method: String, model: Model) -> String {
    let name = URL(fileURLWithPath: model.name).deletingPathExtension().lastPathComponent
    return "\(ModelCache.standard().folder)/drafters/\(name)/\(method)"
  }

  private var work: String { "\(folder)/work" }

  /// - Parameter makeTrainer: a trainer for the prepared data.
  /// - Throws: `TrainingError` and what else goes wrong; `CancellationError` when it was cancelled.
  ///   What is done by then is kept.
  public mutating func run(
    isCancelled: @escaping () -> Bool, report: @escaping (JobEvent) -> Void,
    makeTrainer: (StateTraining, Drafter) throws -> any Trainer
  ) throws {
    try configuration.check()
    kept = try data.map { try KeptInputs([$0]) }
    data = kept?.paths.first
    do {
      try createFolder(work)
    } catch {
      throw TrainingError.file(path: work, reason: "cannot be made a folder: \(error)")
    }
    let metadata = try HiddenStateMetadata(of: model)
    let (training, held) = try prepareDocuments(metadata, isCancelled, report)

    report(.phase("counting tokens"))
    let setup = try StateTraining(
      target: TrainingTarget(
        model: model.transformer,
        identity: Provenance.Target(
          name: metadata.target ?? model.name, sha256: metadata.sha256 ?? "",
          vocabularyFingerprint: metadata.vocabulary ?? "")),
      training: training, validation: held, cut: cut(training),
      batchRows: configuration.run.batchTokens, seed: configuration.run.seed,
      validationRows: configuration.validation.tokens, probe: probe(held))

    let trainer = try makeTrainer(setup, configuration.drafter)
    try settleSteps(trainer, rows: training.rowCount)
    report(.phase("training"))
    let run = try TrainingRun(
      trainer: trainer, configuration: configuration.run, folder: "\(work)/run",
      pool: model.transformer.pool, provenance: provenance(setup, trainer),
      isCancelled: isCancelled,
      report: { report(.training($0)) })
    guard try run.run() == .finished else { throw CancellationError() }
    try publish()
  }

  // MARK: - Data

  /// What is learned from, and what is held out.
  private func prepareDocuments(
    _ metadata: HiddenStateMetadata, _ isCancelled: @escaping () -> Bool,
    _ report: @escaping (JobEvent) -> Void
  ) throws -> (training: any StateSource, held: any StateSource) {
    let (share, seed) = (configuration.validation.share, configuration.run.seed)
    var isFolder: ObjCBool = false
    if let data, !configuration.drafter.usesStates,
      FileManager.default.fileExists(atPath: data, isDirectory: &isFolder), !isFolder.boolValue
    {
      report(.phase("reading texts"))
      let documents = try TextDocuments(
        path: data, model: model,
        contextLength: min(2048, configuration.run.batchTokens, model.transformer.contextLength))
      try note(documents.leftOut, report)
      let (training, held) = documents.split(validation: share, seed: seed)
      return (training, held)
    }
    let (training, held) = try prepareStates(metadata, isCancelled, report)
      .split(validation: share, seed: seed)
    return (training, held)
  }

  private func prepareStates(
    _ metadata: HiddenStateMetadata, _ isCancelled: @escaping () -> Bool,
    _ report: @escaping (JobEvent) -> Void
  ) throws -> HiddenStateSet {
    let states: HiddenStateSet
    var isFolder: ObjCBool = false
    if let data, !FileManager.default.fileExists(atPath: data, isDirectory: &isFolder) {
      throw TrainingError.file(
        path: data, reason: "expected a folder of hidden states or a file of conversations")
    }
    if let data, isFolder.boolValue {
      states = try HiddenStateSet(folder: data, layers: layers)
    } else {
      let writer = try HiddenStateWriter(
        folder: "\(work)/states", metadata: metadata, hiddenSize: model.transformer.hiddenSize,
        layers: layers)
      if let data {
        report(.phase("capturing the target's states"))
        let progress = try HiddenStatePass(model: model, contextLength: 2048).run(
          ConversationFile(path: data), into: writer, isCancelled: isCancelled,
          report: { report(.states($0)) })
        try note(progress.leftOut, report)
      } else {
        try makeData(writer, isCancelled, report)
      }
      try writer.finish()
      states = try HiddenStateSet(folder: writer.folder, layers: layers)
    }
    if let (field, expected, found) = metadata.difference(from: states.metadata) {
      throw TrainingError.field(
        path: data ?? states.metadata.target ?? "", field: field,
        expected: "\(expected), the target's", found: found)
    }
    return states
  }

  /// Notes and tells which lines of the data are not used.
  private func note(_ leftOut: [LeftOut], _ report: (JobEvent) -> Void) throws {
    if let note = try LeftOut.write(leftOut, of: "\(work)/data") {
      report(.training(.notice(note)))
    }
  }

  /// The target's answers to prompts of its own, with its states.
  private func makeData(
    _ states: HiddenStateWriter, _ isCancelled: @escaping () -> Bool,
    _ report: @escaping (JobEvent) -> Void
  ) throws {
    let wanted = configuration.data
    let prompts = "\(work)/prompts.jsonl"
    report(.phase("drawing prompts from the target"))
    var sampling = PromptSampling(count: wanted.prompts)
    sampling.seed = configuration.run.seed
    sampling.batch = wanted.batch
    _ = try sampling.run(
      on: model, output: prompts, isCancelled: isCancelled,
      report: { report(.data($0, unit: "prompts")) })
    report(.phase("answering them"))
    var distillation = SelfDistillation()
    distillation.temperatures = wanted.temperatures
    distillation.maxTokens = wanted.answerTokens
    distillation.maxTurns = 1
    distillation.seed = configuration.run.seed
    distillation.batch = wanted.batch
    _ = try distillation.run(
      PromptList(paths: [prompts]).prompts, on: model, output: "\(work)/answers.jsonl",
      states: states, isCancelled: isCancelled, report: { report(.data($0, unit: "answers")) })
  }

  private func cut(_ training: any StateSource) throws -> VocabularyCut {
    let size = model.transformer.vocabularySize
    guard configuration.coverage < 1 else { return VocabularyCut(vocabularySize: size) }
    return VocabularyCut(
      counts: try VocabularyCut.counts(of: training, vocabularySize: size),
      coverage: configuration.coverage, always: model.tokenizer.endOfGeneration)
  }

  private func probe(_ held: any StateSource) throws -> AcceptanceProbe? {
    let wanted = configuration.validation
    guard wanted.prompts > 0 else { return nil }
    return AcceptanceProbe(
      prompts: try AcceptanceProbe.prompts(of: held, count: wanted.prompts),
      draftLength: wanted.draftLength, draftNodes: wanted.draftLength,
      answerTokens: wanted.answerTokens, stopTokens: model.tokenizer.endOfGeneration)
  }

  // MARK: - Training

  /// How many steps there are, from epochs or hours. They are noted with what was asked for: a run
  /// that is taken up again goes on with the same, unless something else is asked for.
  private mutating func settleSteps(_ trainer: any Trainer, rows: Int) throws {
    let note = "\(work)/steps"
    let stepRows = configuration.run.batchTokens * configuration.run.accumulation
    let asked =
      hours.map { "hours \($0)" }
      ?? (configuration.epochs > 0 ? "epochs \(configuration.epochs)" : "steps")
    let noted =
      (try? String(contentsOfFile: note, encoding: .utf8))?
      .split(separator: "\n").map(String.init) ?? []
    if asked != "steps", let steps = noted.first.flatMap({ Int($0) }),
      noted.count == 1 || noted[1] == asked
    {
      configuration.run.steps = steps
    } else if let hours {
      let seconds = try trainer.secondsOfMicroBatch(pool: model.transformer.pool)
      configuration.run.steps = Int(
        hours * 3600 / (seconds * Double(configuration.run.accumulation) * 1.1))
    } else if configuration.epochs > 0 {
      configuration.run.steps = Int(configuration.epochs * Double(rows)) / stepRows
    }
    if hours != nil || configuration.epochs > 0 {
      configuration.run.steps = max(1, configuration.run.steps)
    }
    let steps = configuration.run.steps
    if configuration.run.validateEvery > 0 {
      configuration.run.validateEvery = min(
        configuration.run.validateEvery, max(1, steps / 4))
    }
    try AtomicFile.write(Data("\(steps)\n\(asked)\n".utf8), to: note)
    try AtomicFile.write(
      Data(try YAMLEncoder().encode(configuration).utf8), to: "\(work)/configuration.yaml")
  }

  private func provenance(
    _ setup: StateTraining, _ trainer: any Trainer
  ) throws -> Provenance {
    var provenance = Provenance(
      data: try Provenance.DataFile.files(at: data ?? "\(work)/answers.jsonl"),
      seeds: ["training": configuration.run.seed],
      versions: .current(nunchi: version), target: setup.target.identity)
    // A folder, or a word for weights of another origin.
    if let weights = trainer.options["start"].map({ "\($0)/model.safetensors" }),
      FileManager.default.fileExists(atPath: weights)
    {
      provenance.start = try Provenance.DataFile.files(at: weights).first
    }
    return provenance
  }

  /// Puts the best drafter and the loss curve where they were asked for.
  private func publish() throws {
    let files = FileManager.default
    do {
      let drafter = "\(work)/run/drafter"
      let curves = ["loss.csv", "loss.png", "loss.svg"].map { "\(work)/run/\($0)" }
      let all =
        try files.contentsOfDirectory(atPath: drafter).map { "\(drafter)/\($0)" }
        + curves.filter(files.fileExists(atPath:))
      for path in all {
        let goal = "\(folder)/\(URL(fileURLWithPath: path).lastPathComponent)"
        try? files.removeItem(atPath: goal)
        try files.copyItem(atPath: path, toPath: goal)
      }
    } catch {
      throw TrainingError.file(path: folder, reason: "cannot be written: \(error)")
    }
  }
}

extension Trainer {
  /// How long a micro-batch takes, forward and backward.
  func secondsOfMicroBatch(pool: ComputePool, trials: Int = 4) throws -> Double {
    var seconds = 0.0
    for trial in 0..<trials {
      let start = ContinuousClock.now
      let graph = Graph(pool: pool)
      graph.backward(try loss(of: trial, in: graph).total)
      // The first one touches all memory for the first time.
      if trial > 0 { seconds += (ContinuousClock.now - start) / .seconds(1) }
    }
    for parameter in parameters { parameter.gradient.zero() }
    return seconds / Double(trials - 1)
  }
}
