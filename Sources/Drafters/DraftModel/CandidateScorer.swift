import LanguageModels

/// Judges the candidates of a growing tree by more than the draft model's probability.
protocol CandidateScorer: AnyObject {
  /// For each family the chance of each candidate that the target accepts it, given that it accepts
  /// the parent.
  /// - Parameter states: the draft model's, a row for each family. (families, hidden)
  func scores(of families: [CandidateFamily], states: FloatRows) throws -> [[Double]]
}

/// The candidates for the children of one node.
public struct CandidateFamily: Sendable {
  /// Their distance from the root.
  public var depth: Int
  /// ln q of each, at temperature 1.
  public var logProbabilities: [Double]
  /// Of q at temperature 1, in nats.
  public var entropy: Double

  public init(depth: Int, logProbabilities: [Double], entropy: Double) {
    self.depth = depth
    self.logProbabilities = logProbabilities
    self.entropy = entropy
  }
}
