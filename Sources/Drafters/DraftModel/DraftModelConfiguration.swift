/// How a draft model drafts.
public struct DraftModelConfiguration: Sendable, Equatable {
  public var shape: DraftShape
  /// The longest path of a draft; a static shape has its own.
  public var length: Int
  /// Ends a path where the draft model's largest probability, after temperature, top-k and top-p
  /// (by temperature 1 when greedy), is lower than this. nil never does.
  public var minimumConfidence: Double?
  /// For rules that want sampled proposals: whether siblings may draw the same token. Without
  /// replacement more is accepted; with it, siblings share one distribution in memory.
  public var drawsWithReplacement: Bool

  public init(
    shape: DraftShape = .chain, length: Int = 8, minimumConfidence: Double? = nil,
    drawsWithReplacement: Bool = false
  ) {
    self.shape = shape
    self.length = length
    self.minimumConfidence = minimumConfidence
    self.drawsWithReplacement = drawsWithReplacement
  }
}
