import Drafters
import LanguageModels
import Sampling
import Speculation

/// The exact law of the output of each acceptance rule, with many kinds of drafts.
public struct LawSuite {
  /// A drafter on the tiny vocabulary.
  public struct Proposer: Sendable {
    public var name: String
    /// Tokens of the output, of the longest draft, and nodes of the largest.
    public var length = 3
    public var depth = 2
    public var nodes = 6
    /// Draws with the target's own numbers when the rule matches, which then decide twice.
    public var followsTarget = false
    public var make: @Sendable () throws -> any Drafter
  }

  /// Above all rounding, and far below what any mistake brings about.
  public static let tolerance = 1e-12
  /// The least distance from plain decoding at which a rule is seen to be lossy.
  public static let lossyDistance = 1e-3

  public var rules = TestedRules.all
  public var proposers = Self.proposers

  public init() {}

  /// Chains and trees, sampled with and without replacement, and found without chance.
  public static let proposers: [Proposer] =
    (1...3).map { depth in
      Proposer(name: "chains of \(depth)", length: 4, depth: depth, followsTarget: true) {
        try DraftModelDrafter(model: LawExploration.draftModel, capacity: 64)
      }
    }
    + [1, 2, 3].map { width in
      Proposer(name: "trees of width \(width) without replacement") {
        SamplingTreeDrafter(model: LawExploration.draftModel, width: width)
      }
    }
    // Each draw is a choice of its own, so few nodes make many outcomes.
    + [(width: 2, depth: 2, nodes: 4), (3, 1, 3)].map { width, depth, nodes in
      Proposer(
        name: "trees of width \(width) with replacement", length: 2, depth: depth, nodes: nodes
      ) {
        SamplingTreeDrafter(
          model: LawExploration.draftModel, width: width, hasReplacement: true)
      }
    }
    // Pruning must not look at what was drawn, whoever gives the scores. With room for two nodes
    // the children of one sibling could take the other's place.
    + [false, true].flatMap { predicts in
      PruningConfiguration.Strategy.allCases.filter { $0 != .none && $0 != .oracle }.map {
        strategy in
        Proposer(
          name:
            "affine trees \(predicts ? "with a predictor, " : "")pruned by \(strategy.rawValue)",
          length: 4, nodes: predicts ? 2 : 3, followsTarget: true
        ) {
          try AffineTreeDrafter(
            model: LawExploration.draftModel,
            tree: AffineTree(
              .small(strategy), alignment: nil, predictor: predicts ? predictor.get() : nil),
            capacity: 64)
        }
      }
    }
    + [
      Proposer(name: "prompt lookup", length: 4) { try PromptLookupDrafter() },
      Proposer(name: "random trees", length: 4) { RandomDrafter(seed: 3, width: 2) },
    ]

  /// Prefers the later of siblings, and probable tokens: a level's scores then depend on what was
  /// drawn before it.
  private static let predictor = Result {
    let rank = CandidateFeatures.range(of: .rank)
    let features = (0..<CandidateFeatures.count).map { index -> Float in
      // The second feature is the probability.
      rank.contains(index) ? 2 * Float(index - rank.lowerBound) : index == 1 ? 4 : 0
    }
    // Far above 0, where GELU leaves numbers as they are.
    return try AcceptancePredictor(
      features: features, firstBias: [8], second: [1], secondBias: [0], last: [1, 1],
      lastBias: [-10, -10], pool: ComputePool(threads: 1))
  }

  /// One result for each rule.
  public func run(progress: SuiteProgress = { _, _ in }) -> [SuiteResult] {
    rules.enumerated().map { place, rule in
      progress(rule.name, Double(place) / Double(rules.count))
      return check(rule)
    }
  }

  /// Holds a rule to its guarantee.
  public func check(_ rule: any AcceptanceRule) -> SuiteResult {
    var result = SuiteResult(
      group: .law, name: rule.name,
      checked: rule.isLossless
        ? "the output's exact law is plain decoding's" : "declared lossy, and is")
    var largest = 0.0
    for sampling in samplings(for: rule) {
      for proposer in proposers where !(proposer.followsTarget && rule.style == .matching) {
        let place = "\(proposer.name); \(sampling.summary)"
        result.timed(at: place) { result in
          let distance = try LawExploration(
            rule: rule, sampling: sampling, length: proposer.length, depth: proposer.depth,
            nodes: proposer.nodes, drafter: proposer.make
          ).distance()
          largest = max(largest, distance)
          let isWrong = rule.isLossless ? distance > Self.tolerance : !distance.isFinite
          result.record(isWrong ? Self.fault(distance) : nil, at: place)
        }
      }
    }
    result.note = "total variation \(largest < 1e-15 ? "0" : "\(Float(largest))") at most"
    if !rule.isLossless && result.outcome == .passed {
      if largest > Self.lossyDistance {
        result.outcome = .lossy
      } else {
        result.record("it was not seen to change the law", at: "all cases")
      }
    }
    return result
  }

  private func samplings(for rule: any AcceptanceRule) -> [SamplingParameters] {
    let sampled = try? [
      SamplingParameters(temperature: 1, seed: 1),
      // Leaves one token in three without probability.
      SamplingParameters(temperature: 1.5, topK: 2),
    ]
    return rule is GreedyRule ? [.greedy] : [.greedy] + (sampled ?? [])
  }

  static func fault(_ distance: Double) -> String {
    distance.isFinite
      ? "expected total variation 0, found \(distance)"
      : "a random number served two choices, or the cache went wrong"
  }
}

extension AffineTreeConfiguration {
  /// A tree that has something to prune, on a vocabulary of a few tokens.
  fileprivate static func small(_ strategy: PruningConfiguration.Strategy) -> Self {
    var configuration = Self()
    configuration.tree.maxCandidates = 2
    configuration.tree.maxPathsPerLevel = 2
    configuration.tree.temperature = 1.3
    configuration.tree.topK = 0
    configuration.tree.topP = 1
    configuration.pruning.strategy = strategy
    configuration.pruning.threshold = 0.2
    configuration.pruning.perLevel = 1
    configuration.pruning.paths = 1
    return configuration
  }
}
