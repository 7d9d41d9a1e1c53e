import Sampling

/// How a drafted token was found.
public enum Proposal: Sendable, Equatable {
  /// Not by chance: it has all the mass of q.
  case deterministic
  /// Drawn from q. For a sibling drawn without replacement, q already leaves out the ones before.
  case sampled(Distribution)

  /// q(token) of a node that proposed `token`.
  public func probability(of token: Int32) -> Double {
    switch self {
    case .deterministic: 1
    case .sampled(let distribution): distribution[token]
    }
  }
}

/// Tokens that may follow, as a tree: the target checks all of them in one forward pass.
///
/// Nodes are numbered in the order of insertion, parents before their children. The tree hangs
/// from the pending token (`root`), the last one of the sequence, which is not a node. A chain is
/// a tree of width one.
///
///     var tree = DraftTree()
///     let first = tree.add(17, source: "example")
///     tree.add(4, under: first, source: "example")
public struct DraftTree: Sendable, Equatable {
  /// The parent of the first drafted tokens: the pending token.
  public static let root = -1

  public private(set) var tokens: [Int32] = []
  /// For each node the number of its parent, or `root`.
  public private(set) var parents: [Int] = []
  /// For each node its distance from the root: 1 for the root's children.
  public private(set) var depths: [Int] = []
  public private(set) var proposals: [Proposal] = []
  /// For each node the name of the drafter that proposed it.
  public private(set) var sources: [String] = []
  /// For each node the drafter's own estimate, from 0 to 1, that the target accepts it given that
  /// it accepted the parent. Estimates order nodes and are calibrated by what is accepted; they
  /// need not be exact. That of a sampled node may depend on q, never on the token drawn: choosing
  /// nodes by it would bias the output.
  public private(set) var scores: [Double] = []
  /// For each node whether its drafter wants it verified in order to learn from the target's
  /// logits there, however unlikely it is to be accepted.
  public private(set) var probes: [Bool] = []
  /// Whether the scores know what the target's own numbers say of the tokens
  /// (`DraftContext.race(at:)`). Those of a drafter that does not look at them need not.
  public var foreseesDraws = false

  public init() {}

  /// A chain of tokens found without chance.
  public init(chain tokens: some Sequence<Int32>, score: Double = 0.5, source: String) {
    var parent = Self.root
    for token in tokens { parent = add(token, under: parent, score: score, source: source) }
  }

  public var count: Int { tokens.count }
  public var isEmpty: Bool { tokens.isEmpty }
  /// The length of the longest path.
  public var depth: Int { depths.max() ?? 0 }

  /// The children of a node, in the order in which they were proposed.
  public func children(of parent: Int) -> [Int] {
    ((parent + 1)..<max(parent + 1, count)).filter { parents[$0] == parent }
  }

  /// The child of `parent` with this token.
  public func child(of parent: Int, token: Int32) -> Int? {
    ((parent + 1)..<max(parent + 1, count)).first {
      parents[$0] == parent && tokens[$0] == token
    }
  }

  /// Adds a child, and returns its number.
  ///
  /// A token found without chance that is already a child is merged with it. A *sampled* one that
  /// its siblings have drawn before (with replacement) stays a node of its own: each draw counts
  /// in the law of the output.
  @discardableResult
  public mutating func add(
    _ token: Int32, under parent: Int = root, proposal: Proposal = .deterministic,
    score: Double = 0.5, isProbe: Bool = false, source: String
  ) -> Int {
    precondition(parent >= Self.root && parent < count, "parent \(parent) of \(count) nodes")
    if proposal == .deterministic, let twin = child(of: parent, token: token) {
      // What was drawn by chance keeps its score: that another agrees tells of the draw.
      if proposals[twin] == .deterministic {
        scores[twin] = max(scores[twin], score)
        probes[twin] = probes[twin] || isProbe
      }
      return twin
    }
    tokens.append(token)
    parents.append(parent)
    depths.append(parent == Self.root ? 1 : depths[parent] + 1)
    proposals.append(proposal)
    sources.append(source)
    scores.append(score)
    probes.append(isProbe)
    return count - 1
  }

  /// The rows of the target's forward pass: the pending token, then the nodes. Node i is row i+1.
  public func rows(after pending: Int32) -> (tokens: [Int32], parents: [Int32]) {
    ([pending] + tokens, [-1] + parents.map { Int32($0 + 1) })
  }

  /// The part within a budget: nodes too many or too deep are left out. Which ones depends on
  /// their places only, never on their tokens, so that sampled proposals stay unbiased.
  func limited(to budget: DraftBudget) -> DraftTree {
    if count <= budget.nodes && depth <= budget.depth { return self }
    var room = budget.nodes
    return keeping(
      depths.map { depth in
        guard depth <= budget.depth, room > 0 else { return false }
        room -= 1
        return true
      })
  }

  /// The part whose nodes are wanted; one whose parent is not is left out too.
  /// - Parameter wanted: for each node whether it is.
  public func keeping(_ wanted: [Bool]) -> DraftTree {
    guard wanted.contains(false) else { return self }
    var part = DraftTree()
    part.foreseesDraws = foreseesDraws
    var places = [Int?](repeating: nil, count: count)
    for node in tokens.indices where wanted[node] {
      let parent = parents[node] == Self.root ? Self.root : places[parents[node]]
      guard let parent else { continue }
      places[node] = part.add(
        tokens[node], under: parent, proposal: proposals[node], score: scores[node],
        isProbe: probes[node], source: sources[node])
    }
    return part
  }

  /// With scores that know what the target's own numbers say of the tokens, and without what is less
  /// probable by them than the context asks for.
  /// - Parameter above: tokens between the sequence and the tree.
  func foreseeing(_ context: DraftContext, above: Int = 0) -> DraftTree {
    guard context.foreseesDraws, !isEmpty else { return self }
    var tree = self
    if !foreseesDraws {
      tree.foreseesDraws = true
      let races = (0..<depth).map { context.race(at: context.tokens.count + above + $0) }
      for node in tokens.indices {
        guard let race = races[depths[node] - 1] else { continue }
        tree.scores[node] = race.chance(of: tokens[node], probability: scores[node])
      }
    }
    var paths = tree.scores
    for node in tokens.indices where parents[node] != Self.root {
      paths[node] *= paths[parents[node]]
    }
    return tree.keeping(
      tokens.indices.map { paths[$0] >= context.minimumPathProbability || probes[$0] })
  }

  /// What does not hold of the structure; nil when all does.
  public func _checkInvariants() -> String? {
    let counts = Set([
      tokens.count, parents.count, depths.count, proposals.count, sources.count, scores.count,
      probes.count,
    ])
    guard counts.count == 1 else { return "arrays of different lengths: \(counts.sorted())" }
    var seen: Set<[Int]> = []
    for node in tokens.indices {
      let parent = parents[node]
      guard parent >= Self.root && parent < node else { return "node \(node) precedes its parent" }
      guard depths[node] == (parent == Self.root ? 1 : depths[parent] + 1) else {
        return "node \(node) has depth \(depths[node])"
      }
      let isNew = seen.insert([parent, Int(tokens[node])]).inserted
      guard isNew || proposals[node] != .deterministic else {
        return "token \(tokens[node]) stands twice under \(parent)"
      }
      guard scores[node] >= 0 && scores[node] <= 1 else {
        return "node \(node) has the score \(scores[node])"
      }
      guard proposals[node].probability(of: tokens[node]) > 0 else {
        return "token \(tokens[node]) is outside the distribution recorded for it"
      }
    }
    return nil
  }
}
