import Speculation

/// How often the first drafted token of a pass is accepted, of the passes that verified one.
public struct FirstAcceptance: Sendable, Equatable {
  public private(set) var drafted = 0
  public private(set) var accepted = 0

  public init(_ steps: some Sequence<StepTrace>) {
    for step in steps where step.phase == .round && !step.drafted.isEmpty {
      drafted += 1
      accepted += step.accepted.isEmpty ? 0 : 1
    }
  }

  /// nil where nothing was drafted.
  public var rate: Double? { drafted > 0 ? Double(accepted) / Double(drafted) : nil }
}
