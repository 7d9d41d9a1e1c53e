import LanguageModels
import Sampling

/// A walk through a draft tree from the root, with the target's logits at hand. Rows are processed
/// when the walk stands on them, so rows that no rule looks at cost nothing.
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

  /// Steps back to the parent.
  public mutating func ascend() {
    path.removeLast()
    context.removeLast()
  }
}
