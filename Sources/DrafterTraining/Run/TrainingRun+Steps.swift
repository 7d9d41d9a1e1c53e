import Foundation

/// What came of one update: means over its micro-batches.
struct StepFigures {
  var loss = 0.0
  var terms: [TrainingFigure] = []
  var tokens = 0
  var seconds = 0.0
  var rate = 0.0
  var gradientNorm = 0.0
}

extension TrainingRun {
  /// Computes a gradient and moves the weights; nil, and nothing has changed, when the run is
  /// cancelled before that.
  func takeStep() throws -> StepFigures? {
    let start = ContinuousClock.now
    var figures = StepFigures()
    for index in 0..<configuration.accumulation {
      if isCancelled() {
        for parameter in trainer.parameters { parameter.gradient.zero() }
        return nil
      }
      let microBatch = state.step * configuration.accumulation + index
      try addGradient(of: microBatch, to: &figures)
    }
    let norm = GradientNorm(ofGradients: trainer.parameters, pool: pool)
    try demandFinite(norm.total, norm.notFinite.map { "gradient of '\($0)'" } ?? "gradient")
    figures.gradientNorm = norm.total
    figures.rate = configuration.schedule.rate(at: state.step)
    let clip = configuration.clip
    optimizer.step(
      rate: figures.rate, gradientScale: clip > 0 ? norm.clippingScale(limit: clip) : 1,
      pool: pool)
    figures.seconds = (ContinuousClock.now - start) / .seconds(1)
    state.step += 1
    state.tokens += figures.tokens
    state.seconds += figures.seconds
    return figures
  }

  private func addGradient(of microBatch: Int, to figures: inout StepFigures) throws {
    let share = 1 / Double(configuration.accumulation)
    let graph = Graph(pool: pool)
    let loss = try trainer.loss(of: microBatch, in: graph)
    if let failure = graph.failure { throw failure }
    for term in loss.terms { try demandFinite(term.value, term.name) }
    let total = Double(loss.total.value.data[0])
    try demandFinite(total, "loss")
    graph.backward(loss.total, scale: Float(share))
    if let failure = graph.failure { throw failure }
    figures.loss += share * total
    figures.tokens += loss.tokens
    if figures.terms.isEmpty {
      figures.terms = loss.terms.map { TrainingFigure(name: $0.name, value: share * $0.value) }
    } else {
      for (index, term) in loss.terms.enumerated() where index < figures.terms.count {
        figures.terms[index].value += share * term.value
      }
    }
  }

  /// - Parameter term: what the error calls the number; the step in it is the one under way.
  private func demandFinite(_ value: Double, _ term: String) throws {
    guard !value.isFinite else { return }
    throw TrainingError.notFinite(step: state.step + 1, term: term, found: value)
  }

  // MARK: - Validation and export

  /// Validates after every so many steps and after the last one; no figures otherwise.
  func validateWhenDue() throws -> [TrainingFigure] {
    let every = configuration.validateEvery
    guard every > 0, state.step % every == 0 || state.step == configuration.steps else { return [] }
    return try validate()
  }

  /// Validates, and exports the drafter when it is the best so far.
  func validate() throws -> [TrainingFigure] {
    let figures = try trainer.validate()
    guard let value = figures.first(where: { $0.name == configuration.bestFigure })?.value else {
      throw TrainingError.setting(
        name: RunConfiguration.CodingKeys.bestFigure.stringValue,
        expected: "one of \(figures.map(\.name).joined(separator: ", "))",
        found: configuration.bestFigure)
    }
    for figure in figures where !figure.value.isFinite {
      throw TrainingError.notFinite(
        step: state.step, term: "validation \(figure.name)", found: figure.value)
    }
    let isBest =
      state.best.map { configuration.bestIsHighest ? value > $0.value : value < $0.value } ?? true
    state.lastFigures = figures
    if isBest {
      state.best = RunState.Best(step: state.step, value: value)
      try export()
    }
    report(.validation(step: state.step, figures: figures, isBest: isBest))
    return figures
  }

  /// Writes the drafter as it is now in place of the one before it.
  func export() throws {
    var provenance = state.provenance
    provenance.figures =
      [
        TrainingFigure(name: "step", value: Double(state.step)),
        TrainingFigure(name: "tokens", value: Double(state.tokens)),
        TrainingFigure(name: "seconds", value: state.seconds.rounded()),
      ] + state.lastFigures
    try folder.replaceDrafter { try trainer.export(to: $0, provenance: provenance) }
  }

  // MARK: - What is kept

  /// Adds a step to the loss table, the first one together with the validation before it.
  func append(_ figures: StepFigures, validation: [TrainingFigure]) throws {
    let names = (state.firstFigures ?? []).map(\.name)
    let row = LossTable.Row(
      step: state.step, tokens: state.tokens, seconds: state.seconds, rate: figures.rate,
      gradientNorm: figures.gradientNorm, loss: figures.loss, terms: figures.terms,
      validation: validation)
    if table.columns == nil {
      try table.writeHeader(terms: figures.terms.map(\.name), validation: names)
      if let first = state.firstFigures, state.step == 1 {
        try table.append(LossTable.Row(step: 0, tokens: 0, seconds: 0, validation: first))
      }
    }
    try table.append(row)
    state.tableBytes = table.bytes
  }

  /// Writes the checkpoint, unless the weights are no finite numbers.
  func saveCheckpoint() throws {
    let norm = GradientNorm(ofValues: trainer.parameters, pool: pool)
    if !norm.total.isFinite {
      throw TrainingError.notFinite(
        step: state.step, term: norm.notFinite.map { "weights '\($0)'" } ?? "weights",
        found: norm.total)
    }
    try table.synchronize()
    try folder.checkpoint.save(state, optimizer)
    lastCheckpoint = .now
    report(.checkpoint(step: state.step))
  }

  func drawPicture() {
    guard let columns = table.columns else { return }
    let picture = LossPicture(
      folder: folder.path, columns: columns, title: "Training of \(trainer.method)")
    let problem = picture.draw()
    if let problem, problem != pictureProblem { report(.notice(problem)) }
    pictureProblem = problem
    lastPicture = .now
  }
}
