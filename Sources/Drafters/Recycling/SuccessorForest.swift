import Speculation

/// Grows draft trees from a memory of successors, the most probable path first.
struct SuccessorForest {
  private struct Candidate {
    var token: Int32
    var score: Float
  }

  /// Candidates under one node, of which the next one waits to be added.
  private struct Run {
    var parent: Int
    var depth: Int
    var context: TokenContext
    var pathProbability: Double
    /// Indices in `candidates`, best first.
    var waiting: Range<Int>
  }

  let memory: SuccessorMemory
  private var candidates: [Candidate] = []
  private var runs: [Run] = []

  /// How far contexts of one, two, … tokens are trusted against shorter ones.
  private static let trust: [Float] = [0.4, 0.65, 0.8, 0.85]

  init(memory: SuccessorMemory) {
    self.memory = memory
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
      guard candidate.token < vocabularySize else { continue }
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

  /// Collects what may follow a node: contexts of all lengths, interpolated.
  private mutating func open(
    _ parent: Int, _ context: TokenContext, depth: Int, pathProbability: Double
  ) {
    let start = candidates.count
    var share: Float = 1
    for order in stride(from: memory.order, through: 1, by: -1) {
      guard let known = memory.successors(of: context, order: order) else { continue }
      let weight = share * Self.trust[order - 1]
      share -= weight
      next: for rank in 0..<known.count {
        let score = weight * known.probabilities[rank]
        for place in start..<candidates.count where candidates[place].token == known.tokens[rank] {
          candidates[place].score += score
          continue next
        }
        candidates.append(Candidate(token: known.tokens[rank], score: score))
      }
    }
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
