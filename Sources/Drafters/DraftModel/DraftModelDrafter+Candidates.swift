import LanguageModels
import Sampling
import Speculation

extension DraftModelDrafter {
  /// The children that one node may get: their places, and where their tokens come from.
  private struct Siblings {
    var nodes: Range<Int>
    /// The index in the sequence of their tokens.
    var position: Int
    /// nil where the tokens are known.
    var q: Distribution?
  }

  /// Whether proposals are drawn, and q recorded.
  func draws(_ context: DraftContext) -> Bool {
    context.style == .sampled && !context.sampler.parameters.isGreedy
  }

  /// Adds a level: children of `parents`, whose logits are the rows of `logits`.
  /// - Returns: the new nodes, some of which may have been given up at once.
  func grow(
    _ growth: inout TreeGrowth, under parents: [Int], _ logits: FloatRows, _ plan: GrowthPlan,
    _ context: DraftContext
  ) throws -> Range<Int> {
    let first = growth.nodes.count
    // The target's vocabulary may be padded to another size: what it lacks is never proposed.
    let vocabularySize = min(model.vocabularySize, context.vocabularySize)
    var families: [Siblings] = []
    for (row, parent) in parents.enumerated() {
      let start = growth.nodes.count
      let path = context.tokens + growth.path(to: parent)
      let place = parent == DraftTree.root ? 0 : growth[parent].place
      let (candidates, q) = try candidates(
        plan.childCount(place: place),
        UnsafeMutableBufferPointer(rebasing: logits[row][..<vocabularySize]), path, context)
      for (rank, candidate) in candidates.enumerated() {
        growth.add(
          candidate.token, score: candidate.score, rank: rank,
          place: plan.place(of: rank, under: place), under: parent)
      }
      families.append(
        Siblings(nodes: start..<growth.nodes.count, position: path.count, q: q))
    }
    growth.prune()
    var drawn = 0
    for family in families { draw(family, &growth, &drawn, context) }
    return first..<growth.nodes.count
  }

  /// At most `count` candidates for the token after `path`, with their scores. Where q is given,
  /// they are places only, with tokens yet to draw: the n-th draw has the score of the n-th most
  /// probable token, which tells nothing of what is drawn.
  private func candidates(
    _ count: Int, _ logits: UnsafeMutableBufferPointer<Float>, _ path: [Int32],
    _ context: DraftContext
  ) throws -> (candidates: [(token: Int32, score: Double)], q: Distribution?) {
    let isGreedy = context.sampler.parameters.isGreedy
    let q = isGreedy ? nil : try context.sampler.distribution(logits: logits, context: path)
    let best =
      try q?.mostProbable(count)
      ?? context.sampler.mostProbableTokens(count, logits: logits, context: path)
    if let threshold = configuration.minimumConfidence {
      guard let highest = best.first?.probability, highest >= threshold else { return ([], q) }
    }
    guard let q, !draws(context) else { return (best.map { ($0.token, $0.probability) }, q) }
    return (matching(best, q, position: path.count, context), nil)
  }

  /// First the token that the target's own number picks from q, then the most probable others.
  ///
  /// Two models that see the same number agree more often than by chance: the first token's score
  /// is √q, halfway (geometrically) between chance and certainty.
  private func matching(
    _ best: [(token: Int32, probability: Double)], _ q: Distribution, position: Int,
    _ context: DraftContext
  ) -> [(token: Int32, score: Double)] {
    let drawn = context.chance.token(from: q, position: position, stream: .target, draw: 0)
    let score = q[drawn].squareRoot()
    let others = best.lazy.filter { $0.token != drawn }.prefix(best.count - 1)
    return [(drawn, score)]
      + others.map { ($0.token, (1 - score) * $0.probability / (1 - q[drawn])) }
  }

  /// Draws the tokens of siblings that have kept their places.
  /// - Parameter drawn: how many tokens of the level have been drawn.
  private func draw(
    _ family: Siblings, _ growth: inout TreeGrowth, _ drawn: inout Int, _ context: DraftContext
  ) {
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
