import LanguageModels
import Sampling
import Speculation

/// Speculative sampling with switches for its classic mistakes.
public struct BrokenRejection: AcceptanceRule {
  /// What is wrong with the rule.
  public enum Bug: String, CaseIterable, Sendable {
    /// Accepts with q/p in place of p/q.
    case ratioSwapped
    /// Draws the recovered token from p.
    case residualMissing
    /// Draws it from q less p.
    case residualReversed
    /// Keeps the rejected token, and rejects what follows it.
    case lateRejection
    /// Judges by the row before the parent's.
    case wrongParent
    case alwaysAccepts
  }

  public let bug: Bug
  public let name = "broken"
  public let guarantee = Guarantee.lossy
  public let style = ProposalStyle.sampled

  /// The rule with one mistake.
  public init(bug: Bug) { self.bug = bug }

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    descent: while true {
      var p = try walk.distribution()
      if bug == .wrongParent && walk.node > 0 {
        p = try walk.sampler.distribution(
          logits: walk.logits[walk.node], context: walk.context)
      }
      var tried = 0
      for child in tree.children(of: walk.node) {
        let token = tree.tokens[child]
        let q = tree.proposals[child].probability(of: token)
        let ratio = bug == .ratioSwapped ? (p[token] > 0 ? q / p[token] : 0) : p[token] / q
        if bug == .alwaysAccepts
          || walk.chance.accepts(ratio, position: walk.position, draw: tried)
        {
          walk.descend(to: child, in: tree)
          continue descent
        }
        let proposed =
          if case .sampled(let distribution) = tree.proposals[child] { distribution } else {
            Distribution(certain: token)
          }
        switch bug {
        case .residualMissing: break
        case .residualReversed: p = proposed.residual(after: p)
        case .lateRejection:
          walk.descend(to: child, in: tree)
          p = try walk.distribution()
          let next = walk.chance.token(
            from: p, position: walk.position, stream: .target, draw: 0)
          return Verdict(path: walk.path, next: next)
        default: p = p.residual(after: proposed)
        }
        tried += 1
      }
      let next = walk.chance.token(from: p, position: walk.position, stream: .target, draw: 0)
      return Verdict(path: walk.path, next: next, recovered: tried > 0)
    }
  }
}
