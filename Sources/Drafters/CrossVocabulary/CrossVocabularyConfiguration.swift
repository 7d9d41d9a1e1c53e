/// How a draft model of another vocabulary drafts.
public struct CrossVocabularyConfiguration: Sendable {
  /// How drafted tokens become the target's (Timor et al., 2502.05202).
  public enum Method: String, Sendable, CaseIterable, Codable {
    /// By the text and the acceptance rule: see `CrossVocabularyDrafter`.
    case auto
    /// String-level exact match: the model drafts in its own tokens, and the drafted text is
    /// encoded in the target's.
    case slem
    /// Token-level intersection: the model drafts only tokens that both vocabularies have.
    case tli
  }

  public var method: Method
  /// The most target tokens of a draft.
  public var length: Int
  /// Ends a draft where the draft model's largest probability, after temperature, top-k and
  /// top-p, is lower than this. nil leaves it to the length and to the path's probability.
  public var minimumConfidence: Double?
  /// Both vocabularies; nil when they are the same.
  public var bridge: VocabularyBridge?

  public init(
    method: Method = .auto, length: Int = 8, minimumConfidence: Double? = nil,
    bridge: VocabularyBridge? = nil
  ) {
    self.method = method
    self.length = length
    self.minimumConfidence = minimumConfidence
    self.bridge = bridge
  }
}
