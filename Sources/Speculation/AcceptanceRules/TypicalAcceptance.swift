import Foundation
import Sampling

/// **Lossy.** Accepts every drafted token that the target finds typical: where
/// p(x) > min(ε, δ·exp(−H(p))), H being the entropy of p (Medusa, 2401.10774). Among the paths
/// accepted whole, the longest is taken, the first of equals.
///
/// The output is neither plain decoding's nor of its distribution: what the drafter proposes is
/// favoured. With temperature 0 the target is certain of one token, and the rule is the greedy one.
public struct TypicalAcceptance: AcceptanceRule {
  public let name = "typical-lossy"
  public let guarantee = Guarantee.lossy
  public let style = ProposalStyle.matching
  /// ε: a token at least this probable is always accepted.
  public let threshold: Double
  /// δ: lowers the threshold where the target is uncertain.
  public let entropyFactor: Double

  /// The paper's settings.
  public init() {
    threshold = 0.09
    entropyFactor = 0.3
  }

  /// - Throws: `SpeculationError.invalidSetting` for settings that are not above 0, up to 1.
  public init(threshold: Double, entropyFactor: Double) throws {
    for (name, value) in [("ε", threshold), ("δ", entropyFactor)] where !(value > 0 && value <= 1) {
      throw SpeculationError.invalidSetting(
        name: "typical acceptance, \(name)", expected: "a number above 0, up to 1",
        found: "\(value)")
    }
    self.threshold = threshold
    self.entropyFactor = entropyFactor
  }

  public func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    var longest: [Int] = []
    try visit(tree, &walk, &longest)
    for child in longest { walk.descend(to: child, in: tree) }
    return Verdict(path: longest, next: try walk.targetToken())
  }

  /// Follows all typical children of the node where the walk stands, and comes back.
  private func visit(
    _ tree: DraftTree, _ walk: inout TargetWalk, _ longest: inout [Int]
  ) throws {
    if walk.path.count > longest.count { longest = walk.path }
    let children = tree.children(of: walk.node)
    guard !children.isEmpty else { return }
    let p = try walk.distribution()
    let limit = min(threshold, entropyFactor * exp(-p.entropy))
    for child in children where p[tree.tokens[child]] > limit {
      walk.descend(to: child, in: tree)
      try visit(tree, &walk, &longest)
      walk.ascend()
    }
  }
}
