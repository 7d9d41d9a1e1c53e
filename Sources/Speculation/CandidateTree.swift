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
    /// All who proposed it, a bit each.
    var supporters: UInt64
    /// The chance that it is accepted if its parent is, calibrated: that of the drafter which is
    /// surest. Drafters that agree have mostly seen the same, so they do not add up.
    var support: Double
    /// What the drafters' agreement says of that. Set by `settle`.
    var consensus = Consensus.single
    var isProbe: Bool
    /// Its children: the last one, and of a child the one before it.
    var lastChild = DraftTree.root
    var previousSibling = DraftTree.root
    /// The chance that it is accepted, and that the whole path to it is. Set by `settle`.
    var probability = 0.0
    var pathProbability = 0.0
    var isKept = false

    /// Whether it is verified whatever it brings. What was drawn by chance is never left out for
    /// what came after the draw: that would bias the output.
    var isRequired: Bool { isProbe || proposal != .deterministic }
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
  /// - Parameter root: the node that the tree goes on from.
  mutating func merge(
    _ tree: DraftTree, under root: Int = DraftTree.root, from source: Int,
    calibration: Calibration?, depth longest: Int
  ) {
    let above = root == DraftTree.root ? 0 : nodes[root].depth
    var places = [Int](repeating: DraftTree.root, count: tree.count)
    for node in 0..<tree.count {
      let parent =
        tree.parents[node] == DraftTree.root ? root : places[tree.parents[node]]
      guard above + tree.depths[node] <= longest else { continue }
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
          nodes[twin].support = max(nodes[twin].support, support)
          nodes[twin].supporters |= 1 << source
        }
        continue
      }
      places[node] = nodes.count
      var new = Node(
        token: tree.tokens[node], parent: parent, depth: above + tree.depths[node],
        proposal: tree.proposals[node], source: source, supporters: 1 << source, support: support,
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

  /// Computes the probabilities: drafters that agree or disagree are calibrated together, siblings
  /// share what there is.
  mutating func settle(_ calibrations: ConsensusCalibrations) {
    var sums = [Double](repeating: 0, count: nodes.count + 1)
    // Who proposed any child of a node.
    var proposers = [UInt64](repeating: 0, count: nodes.count + 1)
    for node in nodes { proposers[node.parent + 1] |= node.supporters }
    for index in nodes.indices {
      let supporters = nodes[index].supporters
      let parent = nodes[index].parent
      nodes[index].consensus =
        supporters & (supporters - 1) != 0
        ? .agreed : proposers[parent + 1] != supporters ? .contested : .single
      nodes[index].probability = calibrations.probability(
        nodes[index].consensus, support: nodes[index].support, depth: nodes[index].depth)
      sums[parent + 1] += nodes[index].probability
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

  /// The tokens from the root to a node.
  func path(to node: Int) -> [Int32] {
    var path: [Int32] = []
    var place = node
    while place != DraftTree.root {
      path.append(nodes[place].token)
      place = nodes[place].parent
    }
    return path.reversed()
  }

  /// The likeliest nodes without children that a drafter has not proposed itself.
  func ends(notOf source: Int, above floor: Double, count: Int) -> [Int] {
    let ends = likeliestFirst().lazy.filter { [nodes] in
      nodes[$0].lastChild == DraftTree.root && nodes[$0].supporters & (1 << source) == 0
        && nodes[$0].pathProbability >= floor
    }
    return Array(ends.prefix(count))
  }

  /// Marks a node with all its ancestors as kept, if they are no more than there is room for; says
  /// how many were not before.
  mutating func keep(_ node: Int, room: Int) -> Int {
    var path: [Int] = []
    var place = node
    while place != DraftTree.root, !nodes[place].isKept {
      path.append(place)
      place = nodes[place].parent
    }
    guard path.count <= room else { return 0 }
    for place in path { nodes[place].isKept = true }
    return path.count
  }

  mutating func dropAll() {
    for index in nodes.indices { nodes[index].isKept = false }
  }

  /// The kept nodes as a draft tree. Those drawn by chance come before those that are not: which
  /// of the latter are there may depend on the draws, so they are judged after them.
  func kept(names: [String]) -> DraftTree {
    var tree = DraftTree()
    var places = [Int](repeating: DraftTree.root, count: nodes.count)
    let kept = nodes.indices.filter { nodes[$0].isKept }
    // A node below a drawn one goes with it, and so does what a drawn one hangs from.
    var isFirst = [Bool](repeating: false, count: nodes.count)
    for index in kept where nodes[index].proposal != .deterministic {
      var place = index
      while place != DraftTree.root, !isFirst[place] {
        isFirst[place] = true
        place = nodes[place].parent
      }
    }
    for index in kept.filter({ isFirst[$0] }) + kept.filter({ !isFirst[$0] }) {
      let node = nodes[index]
      places[index] = tree.add(
        node.token, under: node.parent == DraftTree.root ? DraftTree.root : places[node.parent],
        proposal: node.proposal, score: node.probability, isProbe: node.isProbe,
        source: names[node.source])
    }
    return tree
  }
}
