import LanguageModels
import Sampling
import Speculation

/// Grows one draft tree in the shape asked for, whatever computes its levels.
struct TreeGrower {
  private let configuration: DraftModelConfiguration
  private let context: DraftContext
  private let plan: GrowthPlan
  private let depth: Int
  private var growth: TreeGrowth

  /// - Parameter room: the most nodes that the model has memory to compute; nil for one that needs
  ///   none.
  /// - Throws: `SpeculationError.invalidSetting`.
  init(
    _ configuration: DraftModelConfiguration, context: DraftContext, budget: DraftBudget,
    room: Int? = nil
  ) throws {
    self.configuration = configuration
    self.context = context
    plan = try GrowthPlan(
      configuration.shape, length: configuration.length, limit: budget.nodes)
    // The last level needs no rows of its own.
    depth = min(plan.depth, budget.depth, (room ?? .max - 1) / plan.width + 1)
    growth = TreeGrowth(
      limit: budget.nodes, minimumProbability: context.minimumPathProbability)
  }

  /// - Parameter first: one row, the logits of the root's children.
  mutating func tree(
    from first: DraftLogits, by model: some LevelModel, source: String
  ) throws -> DraftTree {
    var logits = first
    var parents = [DraftTree.root]
    for level in 1...max(1, depth) {
      let before = growth.expected
      let new = try grow(under: parents, logits)
      guard level < depth, goesOn(new, since: before) else { break }
      parents = best(plan.width, of: new)
      guard !parents.isEmpty else { break }
      logits = try model.compute(parents, of: &growth)
    }
    return growth.tree(source: source)
  }

  /// Whether another level is worth its pass.
  private func goesOn(_ new: Range<Int>, since before: Double) -> Bool {
    guard plan.minimumGain > 0 else { return true }
    guard draws else { return growth.expected - before >= plan.minimumGain }
    // What a level adds depends on tokens drawn before it, and through the places it takes could
    // tell of them. Its best node does not: one below the limit can only have worse descendants.
    return new.contains { growth[$0].isKept && growth[$0].probability >= plan.minimumGain }
  }

  /// The nodes of a level that get children, most probable first.
  private func best(_ count: Int, of level: Range<Int>) -> [Int] {
    let able = level.filter {
      growth[$0].isKept && plan.childCount(place: growth[$0].place) > 0 && !growth.isRepeated($0)
    }
    guard able.count > count else { return able }
    let ordered = able.sorted {
      (growth[$1].probability, $0) < (growth[$0].probability, $1)
    }
    return Array(ordered.prefix(count))
  }

  // MARK: - Candidates

  /// The children that one node may get: their places, and where their tokens come from.
  private struct Siblings {
    var nodes: Range<Int>
    /// The index in the sequence of their tokens.
    var position: Int
    /// nil where the tokens are known.
    var q: Distribution?
  }

  /// Whether proposals are drawn, and q recorded.
  private var draws: Bool {
    context.style == .sampled && !context.sampler.parameters.isGreedy
  }

  /// Adds a level: children of `parents`, whose logits are the rows of `logits`.
  /// - Returns: the new nodes, some of which may have been given up at once.
  private mutating func grow(under parents: [Int], _ logits: DraftLogits) throws -> Range<Int> {
    let first = growth.nodes.count
    var families: [Siblings] = []
    let shared = try sharedCandidates(of: parents, logits)
    for (row, parent) in parents.enumerated() {
      let start = growth.nodes.count
      let isRoot = parent == DraftTree.root
      let place = isRoot ? 0 : growth[parent].place
      let position = context.tokens.count + (isRoot ? 0 : growth[parent].depth)
      let count = plan.childCount(place: place)
      let (candidates, q) =
        try shared
        ?? candidates(
          count, logits, row: logits.isShared ? 0 : row, under: parent, position: position)
      for (rank, candidate) in candidates.prefix(count).enumerated() {
        growth.add(
          candidate.token, score: candidate.score, rank: rank,
          place: plan.place(of: rank, under: place), under: parent)
      }
      families.append(
        Siblings(nodes: start..<growth.nodes.count, position: position, q: q))
    }
    growth.prune()
    var drawn = 0
    for family in families { draw(family, &drawn) }
    return first..<growth.nodes.count
  }

  /// The candidates of all parents, where neither logits nor sampler look at the tokens before.
  private func sharedCandidates(
    of parents: [Int], _ logits: DraftLogits
  ) throws -> (candidates: [(token: Int32, score: Double)], q: Distribution?)? {
    guard logits.isShared, let parent = parents.first,
      context.sampler.parameters.repetitionPenalty == 1
    else { return nil }
    let isRoot = parent == DraftTree.root
    let most = parents.map { plan.childCount(place: isRoot ? 0 : growth[$0].place) }.max() ?? 0
    return try candidates(
      most, logits, row: 0, under: parent,
      position: context.tokens.count + (isRoot ? 0 : growth[parent].depth))
  }

  /// At most `count` candidates for a node's children, with their scores. Where q is given, they
  /// are places only, with tokens yet to draw: the n-th draw has the score of the n-th most
  /// probable token, which tells nothing of what is drawn.
  private func candidates(
    _ count: Int, _ logits: DraftLogits, row: Int, under parent: Int, position: Int
  ) throws -> (candidates: [(token: Int32, score: Double)], q: Distribution?) {
    // The target's vocabulary may be padded to another size: what it lacks is never proposed.
    let columns = logits.vocabulary.tokens == nil ? context.vocabularySize : logits.rows.columns
    let values = UnsafeMutableBufferPointer(rebasing: logits.rows[row].prefix(columns))
    let (sampler, path) = (context.sampler, penalised(under: parent))
    let q =
      sampler.parameters.isGreedy
      ? nil : try logits.vocabulary.distribution(values, sampler, after: path)
    let best =
      try q?.mostProbable(count)
      ?? logits.vocabulary.mostProbable(count, values, sampler, after: path)
    if let threshold = configuration.minimumConfidence {
      guard let highest = best.first?.probability, highest >= threshold else { return ([], q) }
    }
    guard let q, !draws else { return (best.map { ($0.token, $0.probability) }, q) }
    return (matching(best, q, position: position), nil)
  }

  /// The tokens before a node's children, as far as the sampler looks at them.
  private func penalised(under parent: Int) -> [Int32] {
    let parameters = context.sampler.parameters
    guard parameters.repetitionPenalty != 1 else { return [] }
    return context.tokens.suffix(parameters.repetitionWindow)
      + (parent == DraftTree.root ? [] : growth.path(to: parent))
  }

  /// First the token that the target's own number picks from q, then the most probable others.
  ///
  /// Two models that see the same number agree more often than by chance: the first token's score
  /// is √q, halfway (geometrically) between chance and certainty.
  private func matching(
    _ best: [(token: Int32, probability: Double)], _ q: Distribution, position: Int
  ) -> [(token: Int32, score: Double)] {
    let drawn = context.chance.token(from: q, position: position, stream: .target, draw: 0)
    let score = q[drawn].squareRoot()
    let others = best.lazy.filter { $0.token != drawn }.prefix(best.count - 1)
    return [(drawn, score)]
      + others.map { ($0.token, (1 - score) * $0.probability / (1 - q[drawn])) }
  }

  /// Draws the tokens of siblings that have kept their places.
  /// - Parameter drawn: how many tokens of the level have been drawn.
  private mutating func draw(_ family: Siblings, _ drawn: inout Int) {
    guard let q = family.q else { return }
    var left = q
    var previous: Int32?
    for node in family.nodes where growth[node].isKept {
      if let previous, !configuration.drawsWithReplacement {
        // Each place stands for a token of q: nothing is left only by rounding.
        left = left.without([previous]) ?? left
      }
      // A position is drafted again after a rejection before it. Its distance from the root is
      // then another, so each draw has a fresh number.
      let token = context.chance.token(
        from: left, position: family.position, stream: .drafter,
        draw: (growth[node].depth - 1) | drawn << 16)
      growth[node].token = token
      growth[node].proposal = .sampled(left)
      previous = token
      drawn += 1
    }
  }
}
