import Sampling

/// Judges a draft as a whole, from its leaves up: never accepts less than token by token in a
/// chain (Block Verification, 2403.10444), and does the same with trees (Traversal Verification,
/// 2505.12398).
///
/// A node is reached with a weight w: the probability with which it, or something below it, must
/// be accepted for the law to be p's. What it must give on, w·p, is more than token by token
/// allows where tokens above were likelier under p than under q. With its children in order:
///
/// - a child x ~ q is reached with the weight min(1, w·p(x)/q(x)), and decided first;
/// - if nothing below it was accepted, w·p − q is left where it is positive, of mass R: p becomes
///   its norm, and w becomes R/(R + 1 − w), the same mass given that we came here.
///
/// Then the node itself is accepted with probability w, and p gives the token after it. The root
/// has w = 1. Siblings may have been drawn with replacement, without, or not by chance, as in
/// `RejectionSampling`.
public struct BlockVerification: AcceptanceRule {
  public let name = "block-verification"
  public let guarantee = Guarantee.sameDistribution
  public let style = ProposalStyle.sampled

  public init() {}

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    try visit(tree, &walk, weight: 1) ?? Verdict(path: [], next: try walk.targetToken())
  }

  /// What is accepted at or below the node where the walk stands; nil when nothing is, and the
  /// walk then stands there again.
  private func visit(
    _ tree: DraftTree, _ walk: inout TargetWalk, weight: Double
  ) throws -> Verdict? {
    let node = walk.node
    var weight = weight
    var p = try walk.distribution()
    var tried = 0
    for child in tree.children(of: node) {
      let token = tree.tokens[child]
      let ratio = weight * p[token] / (try tree.proposalProbability(of: child))
      if ratio > 0 {
        walk.descend(to: child, in: tree)
        if let verdict = try visit(tree, &walk, weight: min(1, ratio)) { return verdict }
        walk.ascend()
      }
      let proposed = tree.proposals[child].distribution(of: token)
      let (mass, residual) = p.residual(of: weight, after: proposed)
      p = residual
      if weight < 1 { weight = mass / (mass + 1 - weight) }
      tried += 1
    }
    // A position may be judged again in the next step, at another depth: the number is keyed by
    // the node and its depth too, so that it is never used twice.
    if node != DraftTree.root {
      let draw = tree.depths[node] << 16 | node
      guard walk.chance.accepts(weight, position: walk.position - 1, draw: draw) else {
        return nil
      }
    }
    let next = walk.chance.token(from: p, position: walk.position, stream: .target, draw: 0)
    return Verdict(path: walk.path, next: next, recovered: tried > 0)
  }
}
