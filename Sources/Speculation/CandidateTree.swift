import Sampling

/// The proposals of several drafters, merged: what the final draft tree is chosen from.
struct CandidateTree {
  struct Node {
    var token: Int32
    /// Its parent's place, or `DraftTree.root`.
    var parent: Int
    var depth: Int
    var proposal: Proposal
    /// Who proposed it first.
    var source: Int
    /// How many drafters proposed it.
    var supporters: Int
    /// The chance that it is accepted if its parent is: of one drafter calibrated, of several
    /// as if they were independent.
    var support: Double
    var isProbe: Bool
    /// Its children: the last one, and of a child the one before it.
    var lastChild = DraftTree.root
    var previousSibling = DraftTree.root
    /// The chance that it is accepted, and that the whole path to it is. Set by `settle`.
    var probability = 0.0
    var pathProbability = 0.0
    var isKept = false
  }

  private(set) var nodes: [Node] = []
  private var lastRoot = DraftTree.root

  init() { nodes.reserveCapacity(2 * SpeedController.mostNodes) }

  func child(of parent: Int, token: Int32) -> Int? {
    var child = parent == DraftTree.root ? lastRoot : nodes[parent].lastChild
    while child != DraftTree.root {
      if nodes[child].token == token { return child }
      child = nodes[child].previousSibling
    }
    return nil
  }

  /// Merges a drafter's tree, as far as it is not too deep.
  mutating func merge(
    _ tree: DraftTree, from source: Int, calibration: Calibration?, depth longest: Int
  ) {
    var places = [Int](repeating: DraftTree.root, count: tree.count)
    for node in 0..<tree.count {
      let parent =
        tree.parents[node] == DraftTree.root
        ? DraftTree.root : places[tree.parents[node]]
      guard tree.depths[node] <= longest else { continue }
      let support =
        calibration?.probability(score: tree.scores[node], depth: tree.depths[node])
        ?? tree.scores[node]
      if tree.proposals[node] == .deterministic,
        let twin = child(of: parent, token: tree.tokens[node])
      {
        places[node] = twin
        nodes[twin].isProbe = nodes[twin].isProbe || tree.probes[node]
        // What was drawn by chance keeps its own estimate: that two agree tells of the draw.
        if nodes[twin].proposal == .deterministic {
          nodes[twin].support = 1 - (1 - nodes[twin].support) * (1 - support)
          nodes[twin].supporters += 1
        }
        continue
      }
      places[node] = nodes.count
      var new = Node(
        token: tree.tokens[node], parent: parent, depth: tree.depths[node],
        proposal: tree.proposals[node], source: source, supporters: 1, support: support,
        isProbe: tree.probes[node])
      if parent == DraftTree.root {
        new.previousSibling = lastRoot
        lastRoot = nodes.count
      } else {
        new.previousSibling = nodes[parent].lastChild
        nodes[parent].lastChild = nodes.count
      }
      nodes.append(new)
    }
  }

  /// Computes the probabilities: supporters that agree are calibrated together, siblings share
  /// what there is.
  mutating func settle(agreement: Calibration) {
    var sums = [Double](repeating: 0, count: nodes.count + 1)
    for index in nodes.indices {
      let node = nodes[index]
      nodes[index].probability =
        node.supporters > 1
        ? agreement.probability(score: node.support, depth: node.depth) : node.support
      sums[node.parent + 1] += nodes[index].probability
    }
    for index in nodes.indices {
      let parent = nodes[index].parent
      let sum = sums[parent + 1]
      if sum > 0.99 { nodes[index].probability *= 0.99 / sum }
      nodes[index].pathProbability =
        nodes[index].probability
        * (parent == DraftTree.root ? 1 : nodes[parent].pathProbability)
    }
  }

  /// The places of all nodes, the likeliest first, parents before children.
  func likeliestFirst() -> [Int] {
    nodes.indices.sorted {
      nodes[$0].pathProbability > nodes[$1].pathProbability
        || (nodes[$0].pathProbability == nodes[$1].pathProbability && $0 < $1)
    }
  }

  /// Marks a node with all its ancestors as kept; says how many were not before.
  mutating func keep(_ node: Int) -> Int {
    var added = 0
    var node = node
    while node != DraftTree.root, !nodes[node].isKept {
      nodes[node].isKept = true
      added += 1
      node = nodes[node].parent
    }
    return added
  }

  mutating func dropAll() {
    for index in nodes.indices { nodes[index].isKept = false }
  }

  /// The kept nodes as a draft tree.
  func kept(names: [String]) -> DraftTree {
    var tree = DraftTree()
    var places = [Int](repeating: DraftTree.root, count: nodes.count)
    for index in nodes.indices where nodes[index].isKept {
      let node = nodes[index]
      places[index] = tree.add(
        node.token, under: node.parent == DraftTree.root ? DraftTree.root : places[node.parent],
        proposal: node.proposal, score: node.probability, isProbe: node.isProbe,
        source: names[node.source])
    }
    return tree
  }
}
