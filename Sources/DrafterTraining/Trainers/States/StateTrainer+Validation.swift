import LanguageModels

extension StateTrainer {
  /// Steps that validation drafts, however many training does.
  private var validatedSteps: Int { min(4, network.mostSteps) }

  /// How far each step's distribution is from the target's; how often its best token is the
  /// document's; the acceptance length that chains of these steps would have on the documents;
  /// and, measured by decoding, the real one.
  public func validate() throws -> [TrainingFigure] {
    var counts = DraftCounts(steps: validatedSteps)
    var random = SeededRandom(seed: 0)
    try setup.forEachValidationBatch { batch in
      let graph = Graph(pool: setup.target.model.pool)
      let start = try DraftStart(
        batch, for: network, target: setup.target, noise: 0, &random)
      let steps = steps(start, count: validatedSteps, in: graph)
      let teacher = Teacher(of: Set(steps.flatMap(\.targets)), start.final, head, graph)
      for (index, step) in steps.enumerated() where !step.rows.isEmpty {
        let output = graph.rows(step.output, step.rows)
        let loss = graph.headLoss(
          output, head: graph.constant(head), teacher: teacher.rows(step.targets),
          weights: step.weights)
        let best = graph.linear(output, graph.constant(head)).value.bestColumns
        counts.add(
          step: index, best: best.map { setup.cut.tokens[$0] }, rows: step.rows,
          targets: step.targets, divergence: loss.divergence, batch: batch)
      }
      if let failure = graph.failure { throw failure }
    }
    return try counts.figures + setup.measured { try network.export(setup) }
  }
}

/// What validations call the acceptance length of greedy chains on the held-out documents.
let chainAcceptanceFigure = "chain acceptance length"

/// How drafts of some steps from every row of documents compare with the documents.
struct DraftCounts {
  private var divergences: [Double]
  private var rows: [Int]
  /// Rows whose steps so far all gave the document's tokens, and rows that could have.
  private var matched: [Int]
  private var possible: [Int]
  private var batchMatched: Set<Int> = []

  init(steps: Int) {
    divergences = Array(repeating: 0, count: steps)
    rows = Array(repeating: 0, count: steps)
    matched = Array(repeating: 0, count: steps)
    possible = Array(repeating: 0, count: steps)
  }

  /// Adds a step of a batch; steps come in order.
  /// - Parameters:
  ///   - best: the most probable token at each of `rows`.
  ///   - targets: for each of `rows` the last row that the step has read.
  mutating func add(
    step: Int, best: [Int32], rows: [Int], targets: [Int], divergence: Double, batch: StateBatch
  ) {
    divergences[step] += divergence * Double(rows.count)
    self.rows[step] += rows.count
    let ends = Set(batch.segments.map(\.upperBound))
    var matching: Set<Int> = []
    for (index, row) in rows.enumerated() where !ends.contains(targets[index] + 1) {
      possible[step] += 1
      if batch.tokens[targets[index] + 1] == best[index], step == 0 || batchMatched.contains(row) {
        matching.insert(row)
      }
    }
    matched[step] += matching.count
    batchMatched = matching
  }

  var figures: [TrainingFigure] {
    let rates = zip(matched, possible).map { Double($0) / Double(max(1, $1)) }
    let losses = zip(divergences, rows).map { $0 / Double(max(1, $1)) }
    return [
      TrainingFigure(name: "loss", value: losses.reduce(0, +) / Double(losses.count)),
      TrainingFigure(name: chainAcceptanceFigure, value: 1 + rates.reduce(0, +)),
    ] + rates.enumerated().map { TrainingFigure(name: "accepted at \($0 + 1)", value: $1) }
  }
}

extension Tensor {
  /// Each row's column with the highest value, the first of several.
  var bestColumns: [Int] {
    (0..<rows).map { row in
      let base = data + row * columns
      var best = 0
      for column in 1..<max(1, columns) where base[column] > base[best] { best = column }
      return best
    }
  }
}
