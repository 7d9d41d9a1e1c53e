import Sampling

/// Speculative sampling: accepts x ~ q with probability min(1, p(x)/q(x)), and after a rejection
/// goes on with norm(max(p − q, 0)) (Leviathan et al., 2211.17192; Chen et al., 2302.01318).
///
/// Several children are tried in order, each against what the ones before it left. The law is
/// exact as long as each child was drawn from the q recorded for it, given the children before
/// it; so one rule serves candidates drawn with replacement, all from the same q (SpecInfer,
/// 2305.09781), those without, each from a q that leaves out the ones before (RSD; Multi-Candidate
/// Speculative Decoding, 2401.06706), tokens found without chance, which have all the mass of
/// their q, and any mixture that several drafters make.
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
        let q = try tree.proposalProbability(of: child)
        if walk.chance.accepts(p[token] / q, position: walk.position, draw: tried) {
          walk.descend(to: child, in: tree)
          continue descent
        }
        p = p.residual(after: tree.proposals[child].distribution(of: token))
        tried += 1
      }
      let next = walk.chance.token(
        from: p, position: walk.position, stream: .target, draw: 0)
      return Verdict(path: walk.path, next: next, recovered: tried > 0)
    }
  }
}

extension DraftTree {
  /// q of a node's own token.
  /// - Throws: `SpeculationError.proposalOutsideSupport` where q has nothing for it.
  func proposalProbability(of node: Int) throws -> Double {
    let q = proposals[node].probability(of: tokens[node])
    guard q > 0 else {
      throw SpeculationError.proposalOutsideSupport(token: tokens[node], source: sources[node])
    }
    return q
  }
}

extension Proposal {
  /// q of a node that proposed `token`.
  func distribution(of token: Int32) -> Distribution {
    switch self {
    case .deterministic: Distribution(certain: token)
    case .sampled(let distribution): distribution
    }
  }
}
