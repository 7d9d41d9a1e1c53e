/// How a model's weights are held in memory.
public struct LoadingOptions: Sendable, Equatable {
  /// Matrices that a file stores as floats are quantised to Q8_0: half the bytes of half precision
  /// and int8 products, at a small loss that a drafter does not mind.
  public var quantizesFloats: Bool
  /// The tokens that logits are computed for, ascending; nil for the whole vocabulary.
  public var headTokens: [Int32]?

  public init(quantizesFloats: Bool = false, headTokens: [Int32]? = nil) {
    self.quantizesFloats = quantizesFloats
    self.headTokens = headTokens
  }
}
