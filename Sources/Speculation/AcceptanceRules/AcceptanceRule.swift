/// What an acceptance rule promises about the output.
public enum Guarantee: String, Sendable, Codable {
  /// Token for token that of plain decoding, sampled with a seed or not.
  case identical
  /// The same distribution of texts as plain decoding.
  case sameDistribution
  /// Neither: the text may be one that the target alone would not write.
  case lossy
}

/// What a rule decided about a draft tree.
public struct Verdict: Sendable, Equatable {
  /// The accepted nodes, from the root's child down.
  public var path: [Int]
  /// The target's token after the path.
  public var next: Int32
  /// Whether `next` was drawn from the residual after a rejection (a recovered token).
  public var recovered: Bool

  public init(path: [Int], next: Int32, recovered: Bool = false) {
    self.path = path
    self.next = next
    self.recovered = recovered
  }
}

/// Decides which drafted tokens the target agrees with, and what follows them.
public protocol AcceptanceRule: Sendable {
  var name: String { get }
  var guarantee: Guarantee { get }
  /// How it wants proposals to be drawn.
  var style: ProposalStyle { get }
  /// Decides on a tree.
  /// - Parameter walk: stands at the root; the rule may move it.
  func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict
}

extension AcceptanceRule {
  public var isLossless: Bool { guarantee != .lossy }
}
