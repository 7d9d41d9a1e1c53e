import Speculation

/// The acceptance rules that the suites go through.
public enum TestedRules {
  /// A new rule is one more line, and is then held to its guarantee.
  public static let all: [any AcceptanceRule] = [
    GreedyRule(), SampleAndMatch(), RejectionSampling(), BlockVerification(),
    TypicalAcceptance(),
  ]

  /// Rules that promise plain decoding's own tokens.
  public static var identical: [any AcceptanceRule] { all.filter { $0.guarantee == .identical } }
}
