import LanguageModels
import Sampling
import Speculation

/// The target drafts for itself with layers left out, on its own cache: an early exit
/// (LayerSkip, 2404.16710), or a set found on the text itself (SWIFT, 2410.06916).
///
/// Drafted tokens are committed to the target's cache while a chain grows, and cut off again
/// whatever happens: the cache is left as it was.
public final class LayerSkipDrafter<Model: LanguageModel>: Drafter {
  public let name: String
  public let configuration: LayerSkipConfiguration
  /// The layers that are left out; empty until they are known, and then nothing is drafted.
  public private(set) var skippedLayers: Set<Int>
  private let target: Model

  /// - Throws: `SpeculationError.invalidSetting` for layers that the target lacks.
  public init(target: Model, name: String, configuration: LayerSkipConfiguration) throws {
    let layers = configuration.skippedLayers ?? []
    guard layers.allSatisfy({ (0..<target.layerCount).contains($0) }) else {
      throw SpeculationError.invalidSetting(
        name: "skipped layers", expected: "layers from 0 to \(target.layerCount - 1)",
        found: "\(layers.sorted())")
    }
    self.target = target
    self.name = name
    self.configuration = configuration
    skippedLayers = layers
  }

  public func begin(prompt: [Int32]) throws {
    guard configuration.skippedLayers == nil, skippedLayers.isEmpty, prompt.count >= 16 else {
      return
    }
    var search = try LayerSearch(target: target, tokens: prompt.suffix(48))
    skippedLayers = try search.run(passes: configuration.searchPasses)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    guard let cache = context.targetCache as? Model.Cache, !skippedLayers.isEmpty,
      let pending = context.tokens.last, context.tokens.count == cache.count + 1
    else { return tree }
    let count = cache.count
    defer { cache.truncate(to: count) }
    let length = min(configuration.length, budget.depth, budget.nodes, cache.capacity - count)
    let options = ForwardOptions(logits: .last, skippedLayers: skippedLayers)
    var (tokens, token, parent, path) = (context.tokens, pending, DraftTree.root, 1.0)
    for distance in 0..<max(0, length) {
      let logits = try target.forward(
        [SequenceRows(cache: cache, tokens: [token], parents: [-1])], options: options
      )[0].logits[0]
      // Judged before the draw, so that ending a draft tells nothing about the token.
      let confidence = try confidence(logits, tokens, context)
      path *= confidence
      guard confidence >= configuration.minimumConfidence, path >= context.minimumPathProbability
      else { break }
      let proposal: Proposal
      (token, proposal) = try propose(logits, tokens, distance, context)
      parent = tree.add(
        token, under: parent, proposal: proposal, score: confidence, source: name)
      tokens.append(token)
      guard path >= context.minimumLevelProbability else { break }
      cache.commit(path: [0])
    }
    return tree
  }

  private func confidence(
    _ logits: UnsafeMutableBufferPointer<Float>, _ tokens: [Int32], _ context: DraftContext
  ) throws -> Double {
    // A greedy distribution is certain of anything: judge by temperature 1.
    let sampler =
      context.sampler.parameters.isGreedy
      ? Sampler(try SamplingParameters(temperature: 1)) : context.sampler
    return min(1, try sampler.distribution(logits: logits, context: tokens).maximum)
  }

  private func propose(
    _ logits: UnsafeMutableBufferPointer<Float>, _ tokens: [Int32], _ distance: Int,
    _ context: DraftContext
  ) throws -> (Int32, Proposal) {
    if context.sampler.parameters.isGreedy {
      return (
        try context.sampler.mostProbableToken(logits: logits, context: tokens), .deterministic
      )
    }
    let q = try context.sampler.distribution(logits: logits, context: tokens)
    let isMatching = context.style == .matching
    let token = context.chance.token(
      from: q, position: tokens.count, stream: isMatching ? .target : .drafter,
      draw: isMatching ? 0 : distance)
    return (token, isMatching ? .deterministic : .sampled(q))
  }
}

/// What a layer-skip drafter leaves out, and when it stops.
public struct LayerSkipConfiguration: Sendable, Equatable, Codable {
  /// The most tokens of a draft.
  public var length: Int
  /// Layers to leave out; nil searches for them on the first prompt.
  public var skippedLayers: Set<Int>?
  /// Ends a draft where the largest probability is lower than this.
  public var minimumConfidence: Double
  /// Passes over some of the prompt's last tokens that the search may take.
  public var searchPasses: Int

  public init(
    length: Int = 4, skippedLayers: Set<Int>? = nil, minimumConfidence: Double = 0.4,
    searchPasses: Int = 24
  ) {
    self.length = length
    self.skippedLayers = skippedLayers
    self.minimumConfidence = minimumConfidence
    self.searchPasses = searchPasses
  }

  /// Leaves out all layers from `layer` on.
  public static func earlyExit(after layer: Int, of layerCount: Int) -> Self {
    Self(skippedLayers: Set(max(1, min(layer, layerCount))..<max(1, layerCount)))
  }
}
