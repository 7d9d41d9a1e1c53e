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
