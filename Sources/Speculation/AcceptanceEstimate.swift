/// How often a drafter's nodes of a certain score are accepted: turns scores into probabilities.
///
/// Counts fade, so that the estimate follows the text. It begins with the drafter's own word.
struct Calibration: Sendable, Equatable, Codable {
  private struct Cell: Sendable, Equatable, Codable {
    var hits: Float = 0
    var trials: Float = 0
  }

  private static let edges: [Double] = [
    0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95,
  ]
  private static let depthClasses = 3
  /// How many observations the drafter's own score weighs as much as.
  private static let trust: Float = 6
  /// What is left of a count when one more observation comes: 150 of them are remembered.
  private static let fading: Float = 1 - 1 / 150

  private var cells = [Cell](
    repeating: Cell(), count: (Calibration.edges.count + 1) * Calibration.depthClasses)

  private func cell(_ score: Double, _ depth: Int) -> Int {
    var bin = 0
    while bin < Self.edges.count && score >= Self.edges[bin] { bin += 1 }
    return bin * Self.depthClasses + (depth <= 1 ? 0 : depth <= 3 ? 1 : 2)
  }

  /// The probability that a node with this score is accepted when its parent is.
  /// - Parameter prior: what to take it for before anything is known; nil takes the score.
  func probability(score: Double, depth: Int, prior: Double? = nil) -> Double {
    let found = cells[cell(score, depth)]
    return Double(
      (found.hits + Self.trust * Float(prior ?? score)) / (found.trials + Self.trust))
  }

  /// A node whose parent was accepted: was it as well?
  mutating func record(score: Double, depth: Int, accepted: Bool) {
    let index = cell(score, depth)
    cells[index].hits = cells[index].hits * Self.fading + (accepted ? 1 : 0)
    cells[index].trials = cells[index].trials * Self.fading + 1
  }
}

/// How deep a drafter's trees hold the target's path.
struct Survival: Sendable, Equatable, Codable {
  private static let fading = 1 - 1.0 / 60
  private static let trust = 3.0
  private var hits: [Double] = []
  private var trials: [Double] = []

  /// The path was in the tree down to above `depth`: was it at `depth` as well?
  mutating func record(depth: Int, held: Bool) {
    while trials.count < depth {
      hits.append(0)
      trials.append(0)
    }
    hits[depth - 1] = hits[depth - 1] * Self.fading + (held ? 1 : 0)
    trials[depth - 1] = trials[depth - 1] * Self.fading + 1
  }

  /// Halves what is known: the text has gone on without the drafter.
  mutating func forgetHalf() {
    for depth in trials.indices {
      hits[depth] /= 2
      trials[depth] /= 2
    }
  }

  /// Lets what is known count as no more than so many trials, at the same rates.
  mutating func weaken(to limit: Double) {
    for depth in trials.indices where trials[depth] > limit {
      hits[depth] *= limit / trials[depth]
      trials[depth] = limit
    }
  }

  /// Expected accepted tokens of drafts of depth 1, 2, … `longest`. Where little is known of a
  /// depth, the rate of the one above it holds on.
  func expectedAccepted(longest: Int) -> [Double] {
    var reached = 1.0
    var sum = 0.0
    var rate = 0.7
    return (0..<max(0, longest)).map { depth in
      let (hit, trial) = depth < trials.count ? (hits[depth], trials[depth]) : (0, 0)
      rate = (hit + Self.trust * rate) / (trial + Self.trust)
      reached *= rate
      sum += reached
      return sum
    }
  }
}

/// Whether several drafters proposed a node.
enum Consensus: Sendable {
  /// One did, and nobody proposed anything else in its place.
  case single
  /// One did, and another proposed something else: each is less likely then.
  case contested
  /// Several did.
  case agreed
}

/// What agreement and disagreement of drafters say beyond their own estimates.
struct ConsensusCalibrations: Sendable, Equatable, Codable {
  private var contested = Calibration()
  private var agreed = Calibration()
  /// Of nodes that others contest, this share is accepted of what one drafter's own estimate says
  /// (Spec-Bench, SmolLM2 and Qwen2.5: a half to two thirds).
  private static let contestedShare = 0.6

  /// - Parameter support: the calibrated estimate of the drafter that is surest of it.
  func probability(_ consensus: Consensus, support: Double, depth: Int) -> Double {
    switch consensus {
    case .single: support
    case .contested:
      contested.probability(
        score: support, depth: depth, prior: Self.contestedShare * support)
    case .agreed: agreed.probability(score: support, depth: depth)
    }
  }

  mutating func record(_ consensus: Consensus, support: Double, depth: Int, accepted: Bool) {
    switch consensus {
    case .single: break  // the drafter's own calibration has it
    case .contested: contested.record(score: support, depth: depth, accepted: accepted)
    case .agreed: agreed.record(score: support, depth: depth, accepted: accepted)
    }
  }
}
