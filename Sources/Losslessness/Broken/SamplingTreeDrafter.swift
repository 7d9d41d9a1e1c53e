import LanguageModels
import Sampling
import Speculation

/// Draws trees from a model's distribution, siblings with or without replacement.
public final class SamplingTreeDrafter: Drafter {
  /// What is wrong with the drafter.
  public enum Bug: String, CaseIterable, Sendable {
    /// Proposes the most probable token, and says it was sampled.
    case greedyAsSampled
    /// Records q before the sibling was taken out of it.
    case replacementRecorded
    /// Draws with the target's own numbers.
    case targetNumbers
  }

  public let name = "sampling-tree"
  public let model: TableModel
  /// Children of a node.
  public let width: Int
  /// Whether siblings may have drawn the same token.
  public let hasReplacement: Bool
  public let bug: Bug?

  /// - Parameter bug: nil draws and records as it should.
  public init(model: TableModel, width: Int, hasReplacement: Bool = false, bug: Bug? = nil) {
    self.model = model
    self.width = width
    self.hasReplacement = hasReplacement
    self.bug = bug
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
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
        let siblings = hasReplacement ? [] : tree.children(of: parent).map { tree.tokens[$0] }
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
