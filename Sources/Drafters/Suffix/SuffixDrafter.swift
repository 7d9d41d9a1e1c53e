import LanguageModels
import Sampling
import Speculation

/// Continues the longest suffixes of the sequence that stood in it before, with a tree of what
/// followed them, the likeliest first: SAM decoding (arXiv 2411.10666) finds them in a suffix
/// automaton, SuffixDecoding (arXiv 2411.04975) weighs what followed by how often it did.
/// Needs no model. With a store it matches in past outputs as well.
public final class SuffixDrafter: ExtendingDrafter {
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
  private let store: SuffixStore?
  /// What the sequence has last read in the store, and in which state of it.
  private var storeMatch = SuffixMatch()
  private var storeGeneration = -1
  private var storeTokens = 0
  private static let empty = SuffixStore.Contents()

  /// A node that may join the tree.
  private struct Candidate {
    let token: Int32
    let parent: Int
    let score: Double
    let pathProbability: Double
    /// What the path up to the parent has read, in the sequence and in the store.
    let own: SuffixMatch
    let past: SuffixMatch
  }
  private var candidates: [Candidate] = []

  /// - Parameter store: past outputs to match in, beside the sequence itself.
  /// - Throws: `SpeculationError.invalidSetting` for lengths below one or no probability.
  public init(
    _ configuration: Configuration = Configuration(), store: SuffixStore? = nil
  ) throws {
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
    self.store = store
  }

  public func begin(prompt: [Int32]) throws {
    if !prompt.starts(with: tokens) {
      automaton = SuffixAutomaton()
      tokens.removeAll(keepingCapacity: true)
      storeGeneration = -1
    }
    extend(by: prompt[tokens.count...])
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws { extend(by: tokens[...]) }

  private func extend(by new: ArraySlice<Int32>) {
    tokens += new
    for token in new { automaton.append(token) }
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    try extend([], after: context, budget: budget)
  }

  public func extend(_ path: [Int32], after context: DraftContext, budget: DraftBudget) throws
    -> DraftTree
  {
    guard let store else { return draft(path, after: context, budget, past: Self.empty) }
    return store.read { contents in
      follow(contents)
      return draft(path, after: context, budget, past: contents)
    }
  }

  /// Reads on in the store. What stood there long ago is not worth reading again when the store
  /// was made anew: the last tokens are.
  private func follow(_ past: borrowing SuffixStore.Contents) {
    if storeGeneration != past.generation {
      storeMatch = SuffixMatch()
      storeGeneration = past.generation
      storeTokens = max(0, tokens.count - 64)
    }
    while storeTokens < tokens.count {
      storeMatch.advance(tokens[storeTokens], in: past.automaton)
      storeTokens += 1
    }
  }

  private func draft(
    _ path: [Int32], after context: DraftContext, _ budget: DraftBudget,
    past: borrowing SuffixStore.Contents
  ) -> DraftTree {
    let nodes = min(budget.nodes, configuration.nodes)
    let depth = min(budget.depth, configuration.depth)
    let floor = max(context.minimumPathProbability, configuration.minimumPathProbability)
    var tree = DraftTree()
    guard nodes > 0, depth > 0 else { return tree }
    candidates.removeAll(keepingCapacity: true)
    var (own, read) = (SuffixMatch.ofOwnSuffix(in: automaton), storeMatch)
    for token in path {
      own.advance(token, in: automaton)
      if store != nil { read.advance(token, in: past.automaton) }
    }
    var (parent, pathProbability) = (DraftTree.root, 1.0)
    while true {
      mixture.removeAll()
      mixture.add(own, in: automaton)
      if read.length > 0 { mixture.add(read, in: past.automaton) }
      mixture.mix()
      addCandidates(
        at: parent, own, read, pathProbability: pathProbability, floor: floor,
        vocabularySize: context.vocabularySize, room: nodes - tree.count)
      // The likeliest path first: a prefix of the tree is the best tree of its size. Nodes that
      // cannot have children are passed over.
      repeat {
        guard tree.count < nodes, let best = candidates.popLast() else { return tree }
        parent = tree.add(best.token, under: best.parent, score: best.score, source: name)
        (own, read, pathProbability) = (best.own, best.past, best.pathProbability)
      } while tree.depths[parent] >= depth
      own.advance(tree.tokens[parent], in: automaton)
      if store != nil { read.advance(tree.tokens[parent], in: past.automaton) }
    }
  }

  /// Adds the mixture's tokens to the candidates, which stay sorted, the best one last, and no
  /// more than there is room for in the tree. A store may have tokens that this target lacks.
  private func addCandidates(
    at parent: Int, _ own: SuffixMatch, _ past: SuffixMatch, pathProbability: Double,
    floor: Double, vocabularySize: Int, room: Int
  ) {
    guard room > 0 else { return }
    for (token, score) in zip(mixture.tokens, mixture.probabilities) where token < vocabularySize {
      let probability = pathProbability * score
      guard probability >= floor else { continue }
      if candidates.count >= room {
        guard probability > candidates[0].pathProbability else { continue }
        candidates.removeFirst(candidates.count - room + 1)
      }
      var place = candidates.count
      while place > 0 && candidates[place - 1].pathProbability >= probability { place -= 1 }
      candidates.insert(
        Candidate(
          token: token, parent: parent, score: min(score, 1), pathProbability: probability,
          own: own, past: past), at: place)
    }
  }
}

extension DrafterRegistry.Entry {
  static let suffix = Self(
    name: "suffix", summary: "a tree of what followed the longest repeated suffixes"
  ) {
    var configuration = $0.suffix
    if let length = $0.length { configuration.depth = min(configuration.depth, length) }
    return try SuffixDrafter(configuration, store: $0.suffixStore)
  }
}
