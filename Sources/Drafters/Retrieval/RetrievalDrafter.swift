import LanguageModels
import Sampling
import Speculation

/// REST (arXiv 2311.08252): looks up the longest suffix of the sequence in a datastore, and drafts
/// a tree of what followed it there, the likeliest first. Needs no model.
public final class RetrievalDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The longest suffix to look up.
    public var span: Int
    /// The most nodes of a tree, and the longest path.
    public var nodes: Int
    public var depth: Int
    /// The most places of the suffix to look at, spread evenly over all.
    public var samples: Int
    /// Paths less probable than this are not drafted.
    public var minimumPathProbability: Double

    public init(
      span: Int = 16, nodes: Int = 64, depth: Int = 16, samples: Int = 64,
      minimumPathProbability: Double = 0.05
    ) {
      self.span = span
      self.nodes = nodes
      self.depth = depth
      self.samples = samples
      self.minimumPathProbability = minimumPathProbability
    }
  }

  public let name = "rest"
  public let configuration: Configuration
  private let datastore: Datastore

  /// The trie of what followed; children come after their parents.
  private struct Node {
    let token: Int32
    let parent: Int
    let depth: Int
    var count: Double
    /// Different tokens that follow.
    var children = 0.0
    var score = 0.0
    var pathProbability = 1.0
  }
  private var trie: [Node] = []

  /// - Throws: `SpeculationError.invalidSetting` for lengths below one or no probability.
  public init(datastore: Datastore, configuration: Configuration = Configuration()) throws {
    for (name, value, limit) in [
      ("retrieval span", configuration.span, Datastore.sortedDepth),
      ("retrieval nodes", configuration.nodes, .max),
      ("retrieval depth", configuration.depth, .max),
      ("retrieval samples", configuration.samples, .max),
    ] where value < 1 || value > limit {
      let expected = limit == .max ? "1 or more" : "1 to \(limit)"
      throw SpeculationError.invalidSetting(name: name, expected: expected, found: "\(value)")
    }
    guard (0...1).contains(configuration.minimumPathProbability) else {
      throw SpeculationError.invalidSetting(
        name: "retrieval path probability", expected: "0 to 1",
        found: "\(configuration.minimumPathProbability)")
    }
    self.datastore = datastore
    self.configuration = configuration
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    let nodes = min(budget.nodes, configuration.nodes)
    let depth = min(budget.depth, configuration.depth)
    guard nodes > 0, depth > 0 else { return tree }
    let (length, ranks) = longestMatch(context.tokens)
    guard length > 0 else { return tree }
    collect(ranks, after: length, depth: depth, vocabularySize: context.vocabularySize)
    let floor = max(context.minimumPathProbability, configuration.minimumPathProbability)
    let likely = score(after: length, floor: floor)
    var places = [Int](repeating: DraftTree.root, count: trie.count)
    for node in likely.prefix(nodes) {
      places[node] = tree.add(
        trie[node].token, under: places[trie[node].parent], score: trie[node].score, source: name)
    }
    return tree
  }

  /// The longest suffix that stands in the datastore, and where. When one does, all shorter ones
  /// do: the length is found by bisection.
  private func longestMatch(_ tokens: [Int32]) -> (length: Int, ranks: Range<Int>) {
    var found = (length: 0, ranks: 0..<0)
    var longest = min(configuration.span, tokens.count)
    while found.length < longest {
      let length = (found.length + longest + 1) / 2
      let ranks = datastore.ranks(of: tokens.suffix(length))
      if ranks.isEmpty { longest = length - 1 } else { found = (length, ranks) }
    }
    return found
  }

  /// Makes the trie of what follows at the ranks. They are sorted, so equal beginnings are
  /// neighbours, and each sample parts from the one before it at one place.
  private func collect(_ ranks: Range<Int>, after length: Int, depth: Int, vocabularySize: Int) {
    trie.removeAll(keepingCapacity: true)
    trie.append(Node(token: -1, parent: -1, depth: 0, count: 0))
    var path = [0]
    let samples = min(ranks.count, configuration.samples)
    for sample in 0..<samples {
      let place = datastore.place(ofRank: ranks.lowerBound + sample * ranks.count / samples)
      var isSame = true
      var step = 0
      while step < depth {
        let token = datastore.token(at: place + length + step)
        // A document ends, or the file is damaged.
        guard token < vocabularySize else { break }
        step += 1
        if isSame, step < path.count, trie[path[step]].token == Int32(token) {
          trie[path[step]].count += 1
          continue
        }
        if isSame { path.removeSubrange(step...) }
        isSame = false
        trie[path[step - 1]].children += 1
        trie.append(Node(token: Int32(token), parent: path[step - 1], depth: step, count: 1))
        path.append(trie.count - 1)
      }
      if step > 0 { trie[0].count += 1 }
      if isSame { path.removeSubrange((step + 1)...) }
    }
  }

  /// Scores the nodes, and gives those likely enough, the likeliest path first.
  private func score(after length: Int, floor: Double) -> [Int] {
    var likely: [Int] = []
    for node in trie.indices.dropFirst() {
      let parent = trie[trie[node].parent]
      guard parent.pathProbability >= floor else {
        trie[node].pathProbability = 0
        continue
      }
      let novelty = ContinuationMixture.novelty(after: length + parent.depth)
      trie[node].score = trie[node].count / (parent.count + novelty * parent.children)
      trie[node].pathProbability = parent.pathProbability * trie[node].score
      if trie[node].pathProbability >= floor { likely.append(node) }
    }
    // Parents come before children: their paths are likelier, or they were met earlier.
    likely.sort {
      let (a, b) = (trie[$0].pathProbability, trie[$1].pathProbability)
      return a == b ? $0 < $1 : a > b
    }
    return likely
  }
}

extension DrafterRegistry.Entry {
  static let rest = Self(
    name: "rest", summary: "a tree of what followed the same tokens in a datastore"
  ) {
    guard let datastore = $0.datastore else {
      throw SpeculationError.invalidSetting(
        name: "datastore", expected: "one, which this drafter needs", found: "none")
    }
    var configuration = $0.retrieval
    if let length = $0.length { configuration.depth = min(configuration.depth, length) }
    return try RetrievalDrafter(datastore: datastore, configuration: configuration)
  }
}
