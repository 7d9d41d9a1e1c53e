import Sampling
import Speculation

/// A draft tree while it grows, level by level: of all places for nodes so far, the best by path
/// probability are kept.
///
/// A place has its score before it has a token, and places are kept or given up by their scores
/// alone. So where tokens are drawn, the places kept do not depend on the tokens drawn for them
/// or for anything that comes after them, which is what keeps the law of the output exact.
struct TreeGrowth {
  struct Node {
    /// Meaningless until drawn.
    var token: Int32
    var proposal = Proposal.deterministic
    /// A node, or `DraftTree.root`.
    var parent: Int
    var depth: Int
    /// Among its siblings.
    var rank: Int
    /// Its place in a static tree.
    var place: Int
    var score: Double
    /// The product of the scores from the root down.
    var probability: Double
    /// Its row among the draft model's pending ones; -1 where it has none.
    var row: Int32 = -1
    var isKept = true
  }

  /// The most nodes to keep.
  let limit: Int
  /// Nodes below are not worth their place.
  let minimumProbability: Double
  private(set) var nodes: [Node] = []
  /// The lowest probability kept, once as many nodes as allowed are.
  private var floor = 0.0

  init(limit: Int, minimumProbability: Double) {
    self.limit = limit
    self.minimumProbability = minimumProbability
  }

  subscript(node: Int) -> Node {
    get { nodes[node] }
    set { nodes[node] = newValue }
  }

  /// The expected number of accepted tokens, as far as scores can tell.
  var expected: Double {
    var sum = 0.0
    for node in nodes where node.isKept { sum += node.probability }
    return sum
  }

  /// Adds a place, unless it is hopeless.
  mutating func add(
    _ token: Int32 = 0, score: Double, rank: Int, place: Int, under parent: Int
  ) {
    let score = min(1, score)
    let above = parent == DraftTree.root ? 1 : nodes[parent].probability
    let probability = above * score
    // One as good as the worst of those kept loses to it, having come later.
    guard score > 0, probability >= minimumProbability, probability > floor else { return }
    nodes.append(
      Node(
        token: token, parent: parent, depth: parent == DraftTree.root ? 1 : nodes[parent].depth + 1,
        rank: rank, place: place, score: score, probability: probability))
  }

  /// Gives up all but the best; the earlier of equals are better, so that no node loses its parent
  /// or a sibling before it.
  mutating func prune() {
    var kept = nodes.indices.filter { nodes[$0].isKept }
    guard kept.count >= limit else { return }
    kept.sort {
      nodes[$0].probability > nodes[$1].probability
        || (nodes[$0].probability == nodes[$1].probability && $0 < $1)
    }
    for node in kept[limit...] { nodes[node].isKept = false }
    floor = limit > 0 ? nodes[kept[limit - 1]].probability : .infinity
  }

  /// Gives up those of a level that are not among `chosen`.
  mutating func keep(only chosen: [Int], of level: Range<Int>) {
    let chosen = Set(chosen)
    for node in level where !chosen.contains(node) { nodes[node].isKept = false }
  }

  /// The tokens from the root to a node.
  func path(to node: Int) -> [Int32] {
    var path: [Int32] = []
    var node = node
    while node != DraftTree.root {
      path.append(nodes[node].token)
      node = nodes[node].parent
    }
    return path.reversed()
  }

  /// Whether an earlier sibling has drawn the same token: it was rejected then, and what p has
  /// left of it is nothing.
  func isRepeated(_ node: Int) -> Bool {
    var other = node - 1
    while other >= 0 && nodes[other].parent == nodes[node].parent {
      if nodes[other].isKept && nodes[other].token == nodes[node].token { return true }
      other -= 1
    }
    return false
  }

  /// The nodes kept, as a tree.
  func tree(source: String) -> DraftTree {
    var tree = DraftTree()
    var numbers = [Int](repeating: DraftTree.root, count: nodes.count)
    for (index, node) in nodes.enumerated() where node.isKept {
      numbers[index] = tree.add(
        node.token, under: node.parent == DraftTree.root ? DraftTree.root : numbers[node.parent],
        proposal: node.proposal, score: node.score, source: source)
    }
    return tree
  }
}
