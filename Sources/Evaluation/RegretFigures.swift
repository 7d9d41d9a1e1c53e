import Nunchi

/// How a run compares with the best fixed setting, found by replaying its own traces.
public struct RegretFigures: Sendable, Equatable, Encodable {
  public var drafter: String
  /// The best of plain decoding and all drafters of the run with fixed numbers of nodes.
  public var best: TraceReplay.Setting
  /// By how much longer the run takes than that: 0.05 is five percent.
  public var regret: Double

  /// - Returns: nil when nothing was drafted or generated.
  public init?(drafter: String, traces: [StepTrace], costs: VerificationCosts) {
    let replay = TraceReplay(traces, costs: costs)
    let recorded = replay.recorded.seconds
    guard !replay.drafters.isEmpty, let best = replay.outcomes().first, best.seconds > 0 else {
      return nil
    }
    self.drafter = drafter
    self.best = best.setting
    regret = recorded / best.seconds - 1
  }
}

extension TraceReplay.Setting: CustomStringConvertible {
  public var description: String {
    drafter.map { "\($0), \(nodes) node\(nodes == 1 ? "" : "s")" } ?? "plain decoding"
  }
}
