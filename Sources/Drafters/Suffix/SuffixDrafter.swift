import LanguageModels
import Sampling
import Speculation

/// Continues the longest suffixes of the sequence that stood in it before, with a tree of what
/// followed them, the likeliest first: SAM decoding (arXiv 2411.10666) finds them in a suffix
/// automaton, SuffixDecoding (arXiv 2411.04975) weighs what followed by how often it did.
/// Needs no model.
public final class SuffixDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The most nodes of a tree, and the longest path.
    public var nodes: Int
    public var depth: Int
    /// Paths less probable than this are not drafted.
    public var minimumPathProbability: Double

    public init(nodes: Int = 64, depth: Int = 64, minimumPathProbability: Double = 0.05) {
      self.nodes = nodes
      self.depth = depth
      self.minimumPathProbability = minimumPathProbability
    }
  }

  public let name = "suffix"
  public let configuration: Configuration
  private var tokens: [Int32] = []
  private var automaton = SuffixAutomaton()
  private var mixture = ContinuationMixture()

  /// A node that may join the tree.
  private struct Candidate {
    let token: Int32
    let parent: Int
    let score: Double
    let pathProbability: Double
    /// What the path up to the parent has read.
    let match: SuffixMatch
  }
  private var candidates: [Candidate] = []

  /// - Throws: `SpeculationError.invalidSetting` for lengths below one or no probability.
  public init(_ configuration: Configuration = Configuration()) throws {
    for (name, value) in [
      ("suffix drafter's nodes", configuration.nodes),
      ("suffix drafter's depth", configuration.depth),
    ] where value < 1 {
      throw SpeculationError.invalidSetting(name: name, expected: "1 or more", found: "\(value)")
    }
    guard (0...1).contains(configuration.minimumPathProbability) else {
      throw SpeculationError.invalidSetting(
        name: "suffix drafter's path probability", expected: "0 to 1",
        found: "\(configuration.minimumPathProbability)")
    }
    self.configuration = configuration
  }

  public func begin(prompt: [Int32]) throws {
    if !prompt.starts(with: tokens) {
      automaton = SuffixAutomaton()
      tokens.removeAll(keepingCapacity: true)
    }
    extend(by: prompt[tokens.count...])
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws { extend(by: tokens[...]) }

  private func extend(by new: ArraySlice<Int32>) {
    tokens += new
    for token in new { automaton.append(token) }
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let nodes = min(budget.nodes, configuration.nodes)
    let depth = min(budget.depth, configuration.depth)
    let floor = max(context.minimumPathProbability, configuration.minimumPathProbability)
    var tree = DraftTree()
    guard nodes > 0, depth > 0 else { return tree }
    candidates.removeAll(keepingCapacity: true)
    expand(
      SuffixMatch.ofOwnSuffix(in: automaton), at: DraftTree.root, pathProbability: 1,
      floor: floor, room: nodes)
    // The likeliest path first: a prefix of the tree is the best tree of its size.
    while tree.count < nodes, let best = candidates.popLast() {
      let node = tree.add(best.token, under: best.parent, score: best.score, source: name)
      guard tree.depths[node] < depth, tree.count < nodes else { continue }
      var match = best.match
      match.advance(best.token, in: automaton)
      expand(
        match, at: node, pathProbability: best.pathProbability, floor: floor,
        room: nodes - tree.count)
    }
    return tree
  }

  /// Adds the children of a node to the candidates, which stay sorted, the best one last, and no
  /// more than there is room for in the tree.
  private func expand(
    _ match: SuffixMatch, at parent: Int, pathProbability: Double, floor: Double, room: Int
  ) {
    mixture.removeAll()
    mixture.add(match, in: automaton)
    mixture.mix()
    for (token, score) in zip(mixture.tokens, mixture.probabilities) {
      let probability = pathProbability * score
      guard probability >= floor else { continue }
      if candidates.count >= room {
        guard probability > candidates[0].pathProbability else { continue }
        candidates.removeFirst(candidates.count - room + 1)
      }
      var place = candidates.count
      while place > 0 && candidates[place - 1].pathProbability > probability { place -= 1 }
      candidates.insert(
        Candidate(
          token: token, parent: parent, score: min(score, 1), pathProbability: probability,
          match: match), at: place)
    }
  }
}

extension DrafterRegistry.Entry {
  static let suffix = Self(
    name: "suffix", summary: "a tree of what followed the longest repeated suffixes"
  ) {
    var configuration = $0.suffix
    if let length = $0.length { configuration.depth = min(configuration.depth, length) }
    return try SuffixDrafter(configuration)
  }
}
