extension StateTrainer {
  /// One step of drafting from every row of a batch.
  struct Step {
    /// What the output matrix is applied to. (batch rows, hidden)
    var output: Variable
    /// Rows whose step counts.
    var rows: [Int]
    /// How much each of them counts.
    var weights: [Float]
    /// For each of them the row with the state that the step predicts.
    var targets: [Int]
  }

  /// Drafts some steps onward from every row. Step j of row r stands for row r+1+j, and counts 1
  /// where the target itself wrote the token there.
  /// - Parameter promptWeight: what other tokens count: what the target expects in a prompt is worth
  ///   learning too.
  func steps(
    _ start: DraftStart, count: Int, promptWeight: Double = 0, in graph: Graph
  ) -> [Step] {
    network.outputs(start, steps: count, in: graph).enumerated().map { step, output in
      let next = start.batch.shifted(by: 1 + step)
      func weight(_ row: Int) -> Float {
        next[row].map { start.batch.answer[$0] == 1 ? 1 : Float(promptWeight) } ?? 0
      }
      let rows = next.indices.filter { weight($0) > 0 }
      return Step(
        output: output, rows: rows, weights: rows.map(weight),
        targets: rows.compactMap { next[$0] })
    }
  }

  /// A step's rows without those after which the document goes on with a token outside the cut:
  /// the drafter cannot propose it, and there is nothing to learn.
  func proposable(_ step: Step, in batch: StateBatch) -> Step {
    guard !setup.cut.isWhole else { return step }
    let following = batch.shifted(by: 1)
    let kept = step.rows.indices.filter { index in
      guard let row = following[step.targets[index]] else { return true }
      return setup.cut.places[Int(batch.tokens[row])] >= 0
    }
    return Step(
      output: step.output, rows: kept.map { step.rows[$0] },
      weights: kept.map { step.weights[$0] }, targets: kept.map { step.targets[$0] })
  }
}

/// What the target thinks at the rows that steps predict.
///
/// Several steps predict the same rows, so its logits are computed once, unless they would take too
/// much memory.
struct Teacher {
  private let states: Tensor
  private let head: Tensor
  private let graph: Graph
  private let logits: Variable?
  /// The place in `logits` of each row.
  private let places: [Int: Int]

  private static let mostLogits = 1 << 25

  /// - Parameters:
  ///   - states: (batch rows, hidden)
  ///   - head: (tokens, hidden)
  init(of rows: Set<Int>, _ states: Tensor, _ head: Tensor, _ graph: Graph) {
    let rows = rows.sorted()
    self.states = states
    self.head = head
    self.graph = graph
    places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
    logits =
      rows.count * head.rows <= Self.mostLogits
      ? graph.linear(graph.constant(states.gathered(rows)), graph.constant(head)) : nil
  }

  func rows(_ rows: [Int]) -> HeadTeacher {
    guard let logits else { return .hidden(states.gathered(rows), weight: head) }
    return .logits(graph.rows(logits, rows.compactMap { places[$0] }).value)
  }
}
