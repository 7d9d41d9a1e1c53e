import Speculation

/// How well a drafter's own estimates of acceptance fit: its candidates for the next token, verified
/// or not, against the token that came.
public struct ScoreCalibration: Sendable, Equatable, Codable {
  public struct Bin: Sendable, Equatable, Codable {
    public var count = 0
    /// The mean score, and the share of candidates that were the next token.
    public var score = 0.0
    public var accepted = 0.0
  }

  public var drafter: String
  /// Ten of equal width.
  public var bins: [Bin]
  /// The expected calibration error: Σ count/all · |score − accepted| (Guo and others, 1706.04599).
  public var error: Double

  /// - Returns: one for each drafter that proposed, by name.
  public static func all(_ traces: [StepTrace]) -> [ScoreCalibration] {
    var sums: [String: [(count: Int, score: Double, accepted: Int)]] = [:]
    for trace in traces where trace.phase == .round {
      for proposal in trace.proposals where proposal.path == nil {
        for node in proposal.tokens.indices where proposal.parents[node] == -1 {
          let score = min(max(proposal.scores[node], 0), 1)
          let bin = min(9, Int(score * 10))
          var bins = sums[proposal.drafter] ?? Array(repeating: (0, 0, 0), count: 10)
          bins[bin].count += 1
          bins[bin].score += score
          bins[bin].accepted += proposal.tokens[node] == trace.tokens.first ? 1 : 0
          sums[proposal.drafter] = bins
        }
      }
    }
    return sums.sorted { $0.key < $1.key }.map { drafter, bins in
      let all = Double(max(1, bins.reduce(0) { $0 + $1.count }))
      let means = bins.map { bin in
        Bin(
          count: bin.count, score: bin.score / Double(max(1, bin.count)),
          accepted: Double(bin.accepted) / Double(max(1, bin.count)))
      }
      return ScoreCalibration(
        drafter: drafter, bins: means,
        error: means.reduce(0) { $0 + Double($1.count) / all * abs($1.score - $1.accepted) })
    }
  }
}
