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
