import Foundation
import LanguageModels
import ModelFiles

/// Trains any trainer in a folder. It keeps there
/// - `checkpoint.safetensors` and `state.json`: the last checkpoint, from which the run goes on
///   bit for bit, however it ended,
/// - `loss.csv`, `loss.png`, `loss.svg`: the loss curve,
/// - `drafter`: the exported drafter, the best by validation so far; without validation, the last.
public final class TrainingRun {
  let trainer: any Trainer
  let configuration: RunConfiguration
  let folder: RunFolder
  let pool: ComputePool
  let isCancelled: () -> Bool
  let report: (TrainingEvent) -> Void
  let optimizer: AdamW
  var state: RunState
  var table: LossTable
  var lastCheckpoint = ContinuousClock.now
  var lastPicture = ContinuousClock.now
  /// Why there is no picture: told once.
  var pictureProblem: String?
  private let isResumed: Bool

  /// How a run ended.
  public enum Outcome: Sendable, Equatable {
    case finished
    /// Cancelled; the checkpoint is of this many steps.
    case stopped(step: Int)
  }

  /// Opens the folder, or makes it, and reads the checkpoint that is there.
  /// - Parameters:
  ///   - trainer: its parameters are those to begin with; a checkpoint replaces them.
  ///   - provenance: of this run; the method, options and configuration are added.
  ///   - isCancelled: asked between micro-batches; when true, the run writes a checkpoint and
  ///     ends.
  ///   - report: receives what happens, on the thread that calls `run`.
  /// - Throws: `TrainingError.setting` for a configuration that makes no sense,
  ///   `.notEnoughMemory`, `.otherRun` when the folder's run was begun otherwise (only the steps may
  ///   have been fewer), `.file` when another process trains there, `ModelFileError` when the folder
  ///   cannot be used.
  public init(
    trainer: any Trainer, configuration: RunConfiguration, folder path: String, pool: ComputePool,
    provenance: Provenance, isCancelled: @escaping () -> Bool = { false },
    report: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws {
    try configuration.check()
    try TensorMemory.check(
      AdamW.momentBytes(of: trainer.parameters) + trainer.workingBytes,
      for: "training of \(trainer.method)")
    self.trainer = trainer
    self.configuration = configuration
    self.pool = pool
    self.isCancelled = isCancelled
    self.report = report
    folder = try RunFolder(path)
    var provenance = provenance
    provenance.method = trainer.method
    provenance.options = trainer.options
    provenance.configuration = configuration
    state = RunState(
      method: trainer.method, options: trainer.options, configuration: configuration,
      provenance: provenance)
    optimizer = AdamW(trainer.parameters, options: configuration.optimizer)
    let begun = try folder.checkpoint.open()
    if let begun {
      try begun.state.checkResumable(with: state, folder: path)
      try folder.checkpoint.restore(begun.file, step: begun.state.step, into: optimizer)
      state = begun.state
      let before = state.configuration.steps
      let isLonger = configuration.steps > before
      if isLonger {
        report(.notice("taken further: from \(before) to \(configuration.steps) steps"))
      }
      let (old, new) = (state.provenance.versions, provenance.versions)
      if old != new {
        report(.notice("begun with \(old), resumed with \(new): bits may differ"))
      }
      state.configuration = configuration
      state.provenance.configuration = configuration
      state.provenance.resumptions.append(
        Provenance.Resumption(
          step: state.step, stepsBefore: isLonger ? before : nil, date: provenance.date,
          command: provenance.command, commit: provenance.commit, versions: provenance.versions))
    }
    table = try LossTable(path: folder.table, keeping: state.tableBytes)
    if table.bytes < state.tableBytes {
      report(.notice("\(folder.table): shorter than it was at the checkpoint; begun anew"))
      state.tableBytes = table.bytes
    }
    isResumed = begun != nil
  }

  /// Trains to the end, or until it is cancelled. An error leaves the last good checkpoint.
  /// - Throws: `TrainingError.notFinite` for a loss, gradient or weight that is no finite number,
  ///   `.diskFull` or `ModelFileError.diskFull`, and what the trainer throws.
  @discardableResult
  public func run() throws -> Outcome {
    for parameter in trainer.parameters { parameter.gradient.zero() }
    if isResumed {
      report(.resumed(step: state.step))
    } else {
      try begin()
    }
    var pace = Pace()
    while !isDone {
      guard let figures = try takeStep() else {
        try saveCheckpoint()
        drawPicture()
        return .stopped(step: state.step)
      }
      report(.step(pace.progress(after: figures, state, configuration)))
      try append(figures, validation: try validateWhenDue())
      if isDone || checkpointIsDue {
        try saveCheckpoint()
        if pictureIsDue { drawPicture() }
      }
    }
    drawPicture()
    if state.best == nil || !folder.hasDrafter { try export() }
    reportEnd()
    return .finished
  }

  /// Tells which step's drafter is handed over where it is not the last one's.
  private func reportEnd() {
    if state.step < configuration.steps {
      report(
        .notice(
          "ended after \(state.step) of \(configuration.steps) steps: \(configuration.patience) "
            + "validations in a row were no better"))
    }
    guard let best = state.best, best.step < state.step else { return }
    let figure = "\(configuration.bestFigure) \(String(format: "%.4g", best.value))"
    report(
      .notice(
        best.step == 0
          ? "no validation was better than the one before the first step (\(figure)): the drafter "
            + "is as it was before training"
          : "the drafter is that of step \(best.step), the best by validation (\(figure))"))
  }

  private var isDone: Bool {
    let (every, patience) = (configuration.validateEvery, configuration.patience)
    guard state.step < configuration.steps, let best = state.best, every > 0, patience > 0 else {
      return state.step >= configuration.steps
    }
    return state.step - best.step >= patience * every && state.step % every == 0
  }

  /// Validates the prepared weights and writes the first checkpoint, so that what is wrong
  /// with the validation, the export or the folder shows before hours of training.
  private func begin() throws {
    try trainer.prepare()
    if configuration.validateEvery > 0 { state.firstFigures = try validate() }
    try saveCheckpoint()
  }

  private var checkpointIsDue: Bool {
    let minutes = (ContinuousClock.now - lastCheckpoint) / .seconds(60)
    return minutes >= configuration.checkpointMinutes
  }

  private var pictureIsDue: Bool { ContinuousClock.now - lastPicture >= .seconds(60) }
}

/// How fast training goes.
private struct Pace {
  private let start = ContinuousClock.now
  private var steps = 0
  private var tokens = 0
  private var seconds = 0.0

  mutating func progress(
    after figures: StepFigures, _ state: RunState, _ configuration: RunConfiguration
  ) -> TrainingProgress {
    steps += 1
    tokens += figures.tokens
    seconds += figures.seconds
    // Of all time, so that validations and checkpoints count.
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    return TrainingProgress(
      step: state.step, steps: configuration.steps, tokens: state.tokens, loss: figures.loss,
      terms: figures.terms, rate: figures.rate, gradientNorm: figures.gradientNorm,
      tokensPerSecond: Double(tokens) / max(seconds, 1e-9),
      secondsLeft: elapsed / Double(steps) * Double(configuration.steps - state.step))
  }
}
