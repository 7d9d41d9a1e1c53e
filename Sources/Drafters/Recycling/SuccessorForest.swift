import Speculation

/// A token that may come next, and how probable that is.
struct Successor {
  var token: Int32
  var score: Float
}

/// Knows what may follow a few tokens.
protocol SuccessorSource {
  /// Appends what may follow, each token once, in any order.
  func collect(after context: TokenContext, into successors: inout [Successor])
}

/// Grows draft trees from what is known of successors, the most probable path first.
struct SuccessorForest<Source: SuccessorSource> {

  /// Candidates under one node, of which the next one waits to be added.
  private struct Run {
    var parent: Int
    var depth: Int
    var context: TokenContext
    var pathProbability: Double
    /// Indices in `candidates`, best first.
    var waiting: Range<Int>
  }

  var successors: Source
  private var candidates: [Successor] = []
  private var runs: [Run] = []

  init(_ successors: Source) {
    self.successors = successors
  }

  /// The most probable paths after a context.
  /// - Parameter minimum: the least probability of a path.
  mutating func tree(
    after context: TokenContext, budget: DraftBudget, minimum: Double, vocabularySize: Int,
    source: String
  ) -> DraftTree {
    var tree = DraftTree()
    guard !budget.isEmpty else { return tree }
    candidates.removeAll(keepingCapacity: true)
    runs.removeAll(keepingCapacity: true)
    open(DraftTree.root, context, depth: 0, pathProbability: 1)
    while tree.count < budget.nodes, let best = bestRun(), best.probability >= minimum {
      let run = runs[best.run]
      let candidate = candidates[run.waiting.lowerBound]
      runs[best.run].waiting.removeFirst()
      guard candidate.token >= 0, candidate.token < vocabularySize else { continue }
      let node = tree.add(
        candidate.token, under: run.parent, score: Double(candidate.score), source: source)
      if run.depth + 1 < budget.depth {
        open(
          node, run.context.appending(candidate.token), depth: run.depth + 1,
          pathProbability: best.probability)
      }
    }
    return tree
  }

  private func bestRun() -> (run: Int, probability: Double)? {
    var best: (run: Int, probability: Double)?
    for (index, run) in runs.enumerated() where !run.waiting.isEmpty {
      let probability =
        run.pathProbability * Double(candidates[run.waiting.lowerBound].score)
      if probability > best?.probability ?? -1 { best = (index, probability) }
    }
    return best
  }

  /// Collects what may follow a node.
  private mutating func open(
    _ parent: Int, _ context: TokenContext, depth: Int, pathProbability: Double
  ) {
    let start = candidates.count
    successors.collect(after: context, into: &candidates)
    guard candidates.count > start else { return }
    candidates[start...].sort {
      $0.score > $1.score || ($0.score == $1.score && $0.token < $1.token)
    }
    runs.append(
      Run(
        parent: parent, depth: depth, context: context, pathProbability: pathProbability,
        waiting: start..<candidates.count))
  }
}
