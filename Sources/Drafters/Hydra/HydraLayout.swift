/// What files call the tensors of Hydra heads, as zankner/Hydra's `mlp` heads do. h is the target's
/// hidden size.
public struct HydraLayout: Sendable, Equatable {
  /// Before every name.
  public var prefix: String

  public init(prefix: String = "") { self.prefix = prefix }

  /// The layout of a file; nil when it is no known one.
  init?(of tensors: some Collection<String>) {
    let wanted = HydraLayout().block(head: 0, layer: 0) + ".weight"
    guard let prefix = ["", "hydra_head."].first(where: { tensors.contains($0 + wanted) }) else {
      return nil
    }
    self.init(prefix: prefix)
  }

  /// A residual block's linear layer, without `.weight` or `.bias` (h). The weight is (h, h), in
  /// the first block of head i (h, (i + 2) · h): it sees the state, the pending token's embedding
  /// and those of i drafted tokens, side by side.
  public func block(head: Int, layer: Int) -> String {
    "\(prefix)hydra_mlp.\(head).\(layer).linear"
  }

  /// What a head's first block adds to, shaped as its linear layer.
  public func residual(head: Int) -> String { "\(prefix)hydra_mlp.\(head).0.res_connection" }

  /// A head's own output layer, without `.weight` (vocabulary, h) or `.bias` (vocabulary).
  public func output(head: Int) -> String { "\(prefix)hydra_lm_head.\(head)" }
}
