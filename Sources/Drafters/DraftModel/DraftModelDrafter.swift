import LanguageModels
import Sampling
import Speculation

/// Speculative decoding with a smaller language model of the same vocabulary
/// (Leviathan et al., 2211.17192; Chen et al., 2302.01318). It drafts a chain.
///
/// It keeps a cache of its own. Before drafting, the cache is cut back to what it has in common
/// with the sequence, and the tokens it has not seen are computed in one pass.
public final class DraftModelDrafter<Model: LanguageModel>: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The most tokens of a draft.
    public var length: Int
    /// Ends a draft where the draft model's largest probability, after temperature, top-k and
    /// top-p, is lower than this. nil always drafts to full length.
    public var minimumConfidence: Double?

    public init(length: Int = 8, minimumConfidence: Double? = nil) {
      self.length = length
      self.minimumConfidence = minimumConfidence
    }
  }

  public let name = "draft-model"
  public let model: Model
  public let configuration: Configuration
  private let cache: Model.Cache
  private let capacity: Int
  /// The tokens in `cache`.
  private var cached: [Int32] = []

  /// Rows of one pass over tokens not yet seen, as the generator's own.
  private let chunk = 512

  /// - Parameter capacity: the most tokens of a sequence; at most the model's context is used.
  public init(
    model: Model, capacity: Int, configuration: Configuration = Configuration()
  ) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "1 or more", found: "\(configuration.length)")
    }
    self.model = model
    self.configuration = configuration
    self.capacity = min(capacity, model.contextLength)
    cache = try model.makeCache(capacity: self.capacity)
  }

  public func begin(prompt: [Int32]) throws {
    // The last token waits for the first draft, whose pass computes it with the pending one.
    guard prompt.count <= capacity else { return }
    _ = try catchUp(with: prompt.dropLast(), logits: .none)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    var tokens = context.tokens
    let length = min(
      configuration.length, budget.depth, budget.nodes, capacity - tokens.count + 1)
    // The target's vocabulary may be padded to another size: what it lacks is never proposed.
    let vocabularySize = min(model.vocabularySize, context.vocabularySize)
    var parent = DraftTree.root
    for _ in 0..<max(0, length) {
      guard let row = try catchUp(with: tokens[...], logits: .last) else { break }
      let logits = UnsafeMutableBufferPointer(rebasing: row[..<vocabularySize])
      guard let (token, proposal) = try propose(logits, tokens, tree.count, context) else {
        break
      }
      parent = tree.add(token, under: parent, proposal: proposal, source: name)
      tokens.append(token)
    }
    return tree
  }

  /// The next token of the chain; nil where confidence ends it. Confidence is judged before the
  /// draw, so that ending a draft tells nothing about the token.
  private func propose(
    _ logits: UnsafeMutableBufferPointer<Float>, _ tokens: [Int32], _ distance: Int,
    _ context: DraftContext
  ) throws -> (Int32, Proposal)? {
    if let threshold = configuration.minimumConfidence {
      guard try confidence(logits, tokens, context) >= threshold else { return nil }
    }
    if context.sampler.parameters.isGreedy {
      return (
        try context.sampler.mostProbableToken(logits: logits, context: tokens), .deterministic
      )
    }
    let q = try context.sampler.distribution(logits: logits, context: tokens)
    switch context.style {
    case .matching:
      let token = context.chance.token(
        from: q, position: tokens.count, stream: .target, draw: 0)
      return (token, .deterministic)
    case .sampled:
      // A position is drafted again after a rejection before it. Its distance from the root is
      // then another, so each draw has a fresh number.
      let token = context.chance.token(
        from: q, position: tokens.count, stream: .drafter, draw: distance)
      return (token, .sampled(q))
    }
  }

  private func confidence(
    _ logits: UnsafeMutableBufferPointer<Float>, _ tokens: [Int32], _ context: DraftContext
  ) throws -> Double {
    // A greedy distribution is certain of anything: judge by temperature 1.
    let sampler =
      context.sampler.parameters.isGreedy
      ? Sampler(try SamplingParameters(temperature: 1)) : context.sampler
    return try sampler.distribution(logits: logits, context: tokens).maximum
  }

  /// Brings the cache to exactly `tokens`; returns the last row's logits if asked for and there
  /// was a row to compute.
  private func catchUp(
    with tokens: ArraySlice<Int32>, logits: LogitRows
  ) throws -> UnsafeMutableBufferPointer<Float>? {
    let limit = logits == .none ? tokens.count : tokens.count - 1
    var start = zip(cached, tokens.prefix(limit)).prefix { $0 == $1 }.count
    cache.truncate(to: start)
    cached.removeSubrange(start...)
    var last: UnsafeMutableBufferPointer<Float>?
    while start < tokens.count {
      let end = min(start + chunk, tokens.count)
      let rows = Array(tokens[start..<end])
      let output = try model.forward(
        chain: rows, cache: cache, logits: end == tokens.count ? logits : .none)
      cache.commit(path: Array(rows.indices))
      cached.append(contentsOf: rows)
      if end == tokens.count && logits == .last { last = output.logits[0] }
      start = end
    }
    return last
  }
}
