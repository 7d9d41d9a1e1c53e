import LanguageModels
import Sampling

/// What an acceptance rule promises about the output.
public enum Guarantee: String, Sendable, Codable {
  /// Token for token that of plain decoding, sampled with a seed or not.
  case identical
  /// The same distribution of texts as plain decoding.
  case sameDistribution
  /// Neither.
  case lossy
}

/// What a rule decided about a draft tree.
public struct Verdict: Sendable, Equatable {
  /// The accepted nodes, from the root's child down.
  public var path: [Int]
  /// The target's token after the path.
  public var next: Int32
  /// Whether `next` was drawn from the residual after a rejection (a recovered token).
  public var recovered: Bool

  public init(path: [Int], next: Int32, recovered: Bool = false) {
    self.path = path
    self.next = next
    self.recovered = recovered
  }
}

/// A walk down a draft tree from the root, with the target's logits at hand. Rows are processed
/// when the walk stands on them, so rows off the accepted path cost nothing.
public struct TargetWalk {
  /// Row 0 is the pending token's, row i+1 node i's. (1 + nodes, vocabularySize)
  public let logits: FloatRows
  public let sampler: Sampler
  public let chance: any Chance
  /// The sequence up to where the walk stands.
  public private(set) var context: [Int32]
  /// The nodes passed, the last one being where the walk stands.
  public private(set) var path: [Int] = []

  public init(logits: FloatRows, sampler: Sampler, chance: any Chance, context: [Int32]) {
    self.logits = logits
    self.sampler = sampler
    self.chance = chance
    self.context = context
  }

  /// Where the walk stands: a node, or `DraftTree.root`.
  public var node: Int { path.last ?? DraftTree.root }
  /// The index in the sequence of the token to decide here.
  public var position: Int { context.count }

  /// The target's own token here, exactly as plain decoding would take it.
  public func targetToken() throws -> Int32 {
    try sampler.token(logits: logits[node + 1], context: context, chance: chance)
  }

  /// The target's most probable token here.
  public func mostProbableToken() throws -> Int32 {
    try sampler.mostProbableToken(logits: logits[node + 1], context: context)
  }

  /// p: the target's distribution here, after all processing.
  public func distribution() throws -> Distribution {
    try sampler.distribution(logits: logits[node + 1], context: context)
  }

  /// Steps down to a child.
  public mutating func descend(to child: Int, in tree: DraftTree) {
    path.append(child)
    context.append(tree.tokens[child])
  }
}

/// Decides which drafted tokens the target agrees with, and what follows them.
public protocol AcceptanceRule: Sendable {
  var name: String { get }
  var guarantee: Guarantee { get }
  var style: ProposalStyle { get }
  /// - Parameter walk: stands at the root; the rule may move it.
  func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict
}

extension AcceptanceRule {
  public var isLossless: Bool { guarantee != .lossy }
}

/// Accepts a drafted token when it is the target's most probable one. Needs temperature 0.
public struct GreedyRule: AcceptanceRule {
  public let name = "greedy"
  public let guarantee = Guarantee.identical
  public let style = ProposalStyle.matching

  public init() {}

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    while true {
      let token = try walk.mostProbableToken()
      guard let child = tree.child(of: walk.node, token: token) else {
        return Verdict(path: walk.path, next: token)
      }
      walk.descend(to: child, in: tree)
    }
  }
}

/// Draws the target's own token at each node, with the number keyed by its position, and follows
/// the child that equals it. The output is that of plain decoding, token for token; a set of
/// children is accepted with probability Σ p(child).
public struct SampleAndMatch: AcceptanceRule {
  public let name = "sample-and-match"
  public let guarantee = Guarantee.identical
  public let style = ProposalStyle.matching

  public init() {}

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    while true {
      let token = try walk.targetToken()
      guard let child = tree.child(of: walk.node, token: token) else {
        return Verdict(path: walk.path, next: token)
      }
      walk.descend(to: child, in: tree)
    }
  }
}

/// Speculative sampling: accepts x ~ q with probability min(1, p(x)/q(x)), and after a rejection
/// goes on with norm(max(p − q, 0)) (Leviathan et al., 2211.17192; Chen et al., 2302.01318).
/// Several children are tried in order, each against what the ones before it left
/// (Miao et al., SpecInfer, 2305.09781). A deterministic proposal has all the mass of its q.
public struct RejectionSampling: AcceptanceRule {
  public let name = "rejection-sampling"
  public let guarantee = Guarantee.sameDistribution
  public let style = ProposalStyle.sampled

  public init() {}

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    descent: while true {
      var p = try walk.distribution()
      var tried = 0
      for child in tree.children(of: walk.node) {
        let token = tree.tokens[child]
        let q = tree.proposals[child].probability(of: token)
        guard q > 0 else {
          throw SpeculationError.proposalOutsideSupport(
            token: token, source: tree.sources[child])
        }
        if walk.chance.accepts(p[token] / q, position: walk.position, draw: tried) {
          walk.descend(to: child, in: tree)
          continue descent
        }
        switch tree.proposals[child] {
        case .deterministic: p = p.residual(after: Distribution(certain: token))
        case .sampled(let distribution): p = p.residual(after: distribution)
        }
        tried += 1
      }
      let next = walk.chance.token(
        from: p, position: walk.position, stream: .target, draw: 0)
      return Verdict(path: walk.path, next: next, recovered: tried > 0)
    }
  }
}
