import LanguageModels
import Sampling
import Speculation

// Token-level intersection (TLI).
extension CrossVocabularyDrafter {
  /// A chain drawn from the draft model's q, renormalised on the tokens of both vocabularies.
  func draftTokens(after context: DraftContext, length: Int) throws -> DraftTree {
    var tree = DraftTree()
    var tokens = context.tokens
    var draft = translation.tokens
    // What the target's model lacks of its vocabulary is never proposed.
    let shared = bridge.shared.prefix { Int($0) < context.vocabularySize }
    guard !shared.isEmpty else { return tree }
    var parent = DraftTree.root
    var path = 1.0
    while tree.count < length {
      guard let row = try sequence.logits(after: draft) else { break }
      let choice = try choose(row, shared, tokens, tree.count, context)
      path *= choice.score
      guard path >= context.minimumPathProbability,
        choice.confidence >= configuration.minimumConfidence ?? 0
      else { break }
      parent = tree.add(
        choice.token, under: parent, proposal: choice.proposal, score: choice.score, source: name)
      guard path >= context.minimumLevelProbability else { break }
      tokens.append(choice.token)
      draft.append(bridge.draftTokens[Int(choice.token)])
    }
    return tree
  }

  private struct Choice {
    var token: Int32
    var proposal = Proposal.deterministic
    var score: Double
    var confidence: Double
  }

  /// One token of the chain. Where it is drawn by chance, neither score nor confidence depends on
  /// the draw.
  private func choose(
    _ row: UnsafeMutableBufferPointer<Float>, _ shared: ArraySlice<Int32>, _ tokens: [Int32],
    _ distance: Int, _ context: DraftContext
  ) throws -> Choice {
    // A greedy distribution is certain of anything: judge by temperature 1.
    let isGreedy = context.sampler.parameters.isGreedy
    let sampler = isGreedy ? try Self.warm() : context.sampler
    // The row of the intersection, in the order of the target's ids: a number of the target's
    // stream then falls on the token on which it would fall there.
    return try withUnsafeTemporaryAllocation(of: Float.self, capacity: shared.count) { logits in
      for place in shared.indices { logits[place] = row[Int(bridge.sharedDraft[place])] }
      let places =
        sampler.parameters.repetitionPenalty == 1
        ? []
        : tokens.suffix(sampler.parameters.repetitionWindow)
          .map { bridge.places.indices.contains(Int($0)) ? bridge.places[Int($0)] : -1 }
      let onPlaces = try sampler.distribution(logits: logits, context: places)
      let q = Distribution(
        tokens: onPlaces.tokens?.map { shared[Int($0)] } ?? Array(shared),
        weights: onPlaces.probabilities)
      let largest = q.maximum
      if isGreedy {
        let best = try context.sampler.mostProbableToken(logits: logits, context: places)
        let token = shared[Int(best)]
        return Choice(token: token, score: min(1, q[token]), confidence: largest)
      }
      switch context.style {
      case .matching:
        let token = context.chance.token(
          from: q, position: tokens.count, stream: .target, draw: 0)
        return Choice(token: token, score: min(1, q[token]), confidence: largest)
      case .sampled:
        let token = context.chance.token(
          from: q, position: tokens.count, stream: .drafter, draw: distance)
        return Choice(
          token: token, proposal: .sampled(q), score: min(1, largest), confidence: largest)
      }
    }
  }

  static func warm() throws -> Sampler { Sampler(try SamplingParameters(temperature: 1)) }
}
