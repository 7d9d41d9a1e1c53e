import LanguageModels
import Sampling
import Speculation

/// Matching with mistakes.
public struct BrokenMatching: AcceptanceRule {
  /// What is wrong with the rule.
  public enum Bug: String, CaseIterable, Sendable {
    /// Judges a node by the row before it, which is not always its parent's.
    case wrongParent
    /// Keeps the first token that does not match.
    case lateRejection
    /// Follows the first child when none matches.
    case acceptsAnyChild
    /// Gives the token after the last drafted node, not after the accepted path.
    case bonusFromLastRow
  }

  public let bug: Bug
  public let name = "broken"
  public let guarantee = Guarantee.lossy
  public let style = ProposalStyle.matching

  /// The rule with one mistake.
  public init(bug: Bug) { self.bug = bug }

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    while true {
      var row = walk.node + 1
      if bug == .wrongParent && row > 1 { row -= 1 }
      if bug == .bonusFromLastRow && walk.node >= 0 && tree.children(of: walk.node).isEmpty {
        row = tree.count
      }
      let token = try walk.sampler.token(
        logits: walk.logits[row], context: walk.context, chance: walk.chance)
      if let child = tree.child(of: walk.node, token: token) {
        walk.descend(to: child, in: tree)
        continue
      }
      if let first = tree.children(of: walk.node).first {
        if bug == .acceptsAnyChild {
          walk.descend(to: first, in: tree)
          continue
        }
        if bug == .lateRejection {
          walk.descend(to: first, in: tree)
          return Verdict(path: walk.path, next: try walk.targetToken())
        }
      }
      return Verdict(path: walk.path, next: token)
    }
  }
}
