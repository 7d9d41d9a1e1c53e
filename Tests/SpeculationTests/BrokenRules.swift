import LanguageModels
import Sampling
import Speculation

// Rules and drafters with known bugs: the checks must find every one of them.

/// Speculative sampling with switches for its classic mistakes.
struct BrokenRejection: AcceptanceRule {
  enum Bug: CaseIterable {
    case ratioSwapped, residualMissing, residualReversed, lateRejection, wrongParent, alwaysAccepts
  }

  let bug: Bug
  let name = "broken"
  let guarantee = Guarantee.lossy
  let style = ProposalStyle.sampled

  func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
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
          // Keeps the rejected token, and rejects what follows it.
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

/// Matching with mistakes.
struct BrokenMatching: AcceptanceRule {
  enum Bug: CaseIterable {
    /// Judges a node by the row before it, which is not always its parent's.
    case wrongParent
    /// Keeps the first token that does not match.
    case lateRejection
    /// Follows the first child when none matches.
    case acceptsAnyChild
    /// Gives the token after the last drafted node, not after the accepted path.
    case bonusFromLastRow
  }

  let bug: Bug
  let name = "broken"
  let guarantee = Guarantee.lossy
  let style = ProposalStyle.matching

  func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
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

/// Draws trees from a model's distribution, siblings without replacement.
final class SamplingTreeDrafter: Drafter {
  enum Bug {
    /// Proposes the most probable token, and says it was sampled.
    case greedyAsSampled
    /// Records q before the sibling was taken out of it.
    case replacementRecorded
    /// Draws with the target's own numbers.
    case targetNumbers
  }

  let name = "sampling-tree"
  let model: TableModel
  let width: Int
  let bug: Bug?

  init(model: TableModel, width: Int, bug: Bug? = nil) {
    self.model = model
    self.width = width
    self.bug = bug
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    var frontier = [(node: DraftTree.root, tokens: context.tokens)]
    while let (parent, tokens) = frontier.first, tree.count < budget.nodes {
      frontier.removeFirst()
      guard tokens.count - context.tokens.count < budget.depth else { continue }
      var logits = model.logits(after: tokens)
      let q = try logits.withUnsafeMutableBufferPointer {
        try context.sampler.distribution(logits: $0, context: tokens)
      }
      for _ in 0..<width where tree.count < budget.nodes {
        let siblings = tree.children(of: parent).map { tree.tokens[$0] }
        guard let left = q.without(siblings) else { break }
        let token =
          if bug == .greedyAsSampled {
            (0..<Int32(model.vocabularySize)).max { left[$0] < left[$1] }!
          } else {
            context.chance.token(
              from: left, position: tokens.count,
              stream: bug == .targetNumbers ? .target : .drafter,
              draw: bug == .targetNumbers ? 0 : context.tokens.count * 100 + tree.count)
          }
        let recorded = bug == .replacementRecorded ? q : left
        let node = tree.add(token, under: parent, proposal: .sampled(recorded), source: name)
        frontier.append((node, tokens + [token]))
      }
    }
    return tree
  }
}
