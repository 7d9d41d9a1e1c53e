import Foundation
import LanguageModels
import Sampling
import Speculation

/// Grows one draft tree in the shape asked for, whatever computes its levels.
struct TreeGrower {
  private let configuration: DraftModelConfiguration
  private let context: DraftContext
  private let plan: GrowthPlan
  private let depth: Int
  private let scorer: (any CandidateScorer)?
  private var growth: TreeGrowth

  /// - Parameters:
  ///   - room: the most nodes that the model has memory to compute; nil for one that needs none.
  ///   - scorer: judges candidates, whose scores are the model's probabilities otherwise.
  /// - Throws: `SpeculationError.invalidSetting`.
  init(
    _ configuration: DraftModelConfiguration, context: DraftContext, budget: DraftBudget,
    room: Int? = nil, scorer: (any CandidateScorer)? = nil
  ) throws {
    self.configuration = configuration
    self.scorer = scorer
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
      parents = best(plan.width, of: new)
      // Whether a drawn node stays must not depend on what was drawn.
      if plan.expansion?.isBeam == true && !draws { growth.keep(only: parents, of: new) }
      parents.removeAll { growth[$0].probability < context.minimumLevelProbability }
      guard level < depth, !parents.isEmpty, goesOn(new, since: before) else { break }
      logits = try model.compute(parents, of: &growth)
    }
    var tree = growth.tree(source: source)
    tree.foreseesDraws = context.foreseesDraws
    return tree
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
    func value(_ node: Int) -> Double {
      guard let expansion = plan.expansion, expansion.strategy == .diverseBeam else {
        return growth[node].probability
      }
      return growth[node].probability * exp(-expansion.diversity * Double(growth[node].rank))
    }
    let ordered = able.sorted { (value($1), $0) < (value($0), $1) }
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
    var proposed = try parents.enumerated().map { row, parent in
      try shared
        ?? candidates(
          plan.childCount(place: place(of: parent)), logits, row: logits.isShared ? 0 : row,
          under: parent, position: position(under: parent))
    }
    if let states = logits.states { try judge(&proposed, of: parents, logits, states) }
    for (parent, (candidates, q)) in zip(parents, proposed) {
      let start = growth.nodes.count
      let place = place(of: parent)
      for (rank, candidate) in candidates.prefix(plan.childCount(place: place)).enumerated() {
        growth.add(
          candidate.token, score: candidate.score, rank: rank,
          place: plan.place(of: rank, under: place), under: parent)
      }
      families.append(
        Siblings(nodes: start..<growth.nodes.count, position: position(under: parent), q: q))
    }
    growth.prune()
    var drawn = 0
    for family in families { draw(family, &drawn) }
    return first..<growth.nodes.count
  }

  /// A node's place in a static tree.
  private func place(of node: Int) -> Int { node == DraftTree.root ? 0 : growth[node].place }

  /// The index in the sequence of a node's children.
  private func position(under node: Int) -> Int {
    context.tokens.count + (node == DraftTree.root ? 0 : growth[node].depth)
  }

  /// Lets the scorer give the candidates of a level their scores.
  private func judge(
    _ proposed: inout [Candidates], of parents: [Int], _ logits: DraftLogits, _ states: FloatRows
  ) throws {
    guard let scorer else { return }
    let families = try parents.indices.map { row in
      let values = self.values(logits, row: row)
      let (logSum, entropy) = try Sampler.entropy(logits: UnsafeBufferPointer(values))
      return CandidateFamily(
        depth: 1 + (parents[row] == DraftTree.root ? 0 : growth[parents[row]].depth),
        logProbabilities: proposed[row].places.map { place in
          guard let column = logits.vocabulary.column(of: place.token) else { return -.infinity }
          return Double(values[column]) - logSum
        }, entropy: entropy)
    }
    for (row, scores) in try scorer.scores(of: families, states: states).enumerated() {
      // A drawn place that had more than an earlier one could take its place by what is drawn for
      // it, and so bias the output.
      var most = 1.0
      let race = context.race(at: position(under: parents[row]))
      for (rank, score) in scores.enumerated() {
        most = draws ? min(most, score) : score
        let token = proposed[row].places[rank].token
        proposed[row].places[rank].score = race?.chance(of: token, probability: most) ?? most
      }
    }
  }

  /// Places for a node's children: the tokens to verify, or, where q is given and proposals are
  /// drawn, stand-ins for tokens yet to draw.
  private typealias Candidates = (places: [(token: Int32, score: Double)], q: Distribution?)

  /// The candidates of all parents, where neither logits nor sampler look at the tokens before.
  private func sharedCandidates(
    of parents: [Int], _ logits: DraftLogits
  ) throws -> Candidates? {
    guard logits.isShared, let parent = parents.first,
      context.sampler.parameters.repetitionPenalty == 1
    else { return nil }
    let most = parents.map { plan.childCount(place: place(of: $0)) }.max() ?? 0
    return try candidates(
      most, logits, row: 0, under: parent, position: position(under: parent))
  }

  /// At most `count` candidates for a node's children, with their scores. Where q is given, they
  /// are places only, with tokens yet to draw: the n-th draw has the score of the n-th most
  /// probable token, which tells nothing of what is drawn.
  private func candidates(
    _ count: Int, _ logits: DraftLogits, row: Int, under parent: Int, position: Int
  ) throws -> Candidates {
    let values = values(logits, row: row)
    let (sampler, path) = (context.sampler, penalised(under: parent))
    let q =
      sampler.parameters.isGreedy
      ? nil : try logits.vocabulary.distribution(values, sampler, after: path)
    var best =
      try q?.mostProbable(count)
      ?? logits.vocabulary.mostProbable(count, values, sampler, after: path)
    if let expansion = plan.expansion, expansion.strategy == .topP {
      var sum = 0.0
      best = Array(
        best.prefix { candidate in
          defer { sum += candidate.probability }
          return sum < expansion.topP
        })
    }
    if let threshold = configuration.minimumConfidence {
      guard let highest = best.first?.probability, highest >= threshold else { return ([], q) }
    }
    guard let q, let race = context.race(at: position) else {
      return (best.map { ($0.token, $0.probability) }, draws ? q : nil)
    }
    return (favourites(best.count, in: race, of: q), nil)
  }

  /// A row of logits without what pads the vocabulary to another size than the target's: what the
  /// target lacks is never proposed.
  private func values(_ logits: DraftLogits, row: Int) -> UnsafeMutableBufferPointer<Float> {
    let columns = logits.vocabulary.tokens == nil ? context.vocabularySize : logits.rows.columns
    return UnsafeMutableBufferPointer(rebasing: logits.rows[row].prefix(columns))
  }

  /// The tokens before a node's children, as far as the sampler looks at them.
  private func penalised(under parent: Int) -> [Int32] {
    let parameters = context.sampler.parameters
    guard parameters.repetitionPenalty != 1 else { return [] }
    return context.tokens.suffix(parameters.repetitionWindow)
      + (parent == DraftTree.root ? [] : growth.path(to: parent))
  }

  /// The tokens that the target would draw first if it had q. Their scores are shares of the speeds at
  /// which they arrive: the first one of a close race wins less often with other probabilities.
  private func favourites(
    _ count: Int, in race: ExponentialRace, of q: Distribution
  ) -> [(token: Int32, score: Double)] {
    let first = race.first(max(count, Self.rivals), of: q)
    let total = first.reduce(0) { $0 + 1 / $1.arrival }
    return first.prefix(count).map { ($0.token, 1 / $0.arrival / total) }
  }

  /// Tokens among which a race is judged.
  private static let rivals = 8

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
