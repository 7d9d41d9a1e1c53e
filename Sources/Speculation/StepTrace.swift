/// What one forward pass of the target brought. All statistics are computed from these.
public struct StepTrace: Sendable, Equatable, Codable {
  public enum Phase: String, Sendable, Codable {
    /// The prompt, and the first token after it. Not a round: nothing is drafted.
    case prompt
    /// A round: draft, verify, accept, commit.
    case round
  }

  public var phase: Phase
  /// The index in the sequence of the first of `tokens`.
  public var position: Int
  /// Prompt tokens that the pass computed, and those found in the cache. 0 in a round.
  public var promptTokens = 0
  public var cachedTokens = 0
  /// What the step was allowed to draft.
  public var budget = DraftBudget.nothing
  /// The draft tree: tokens, parents (-1 = the pending token), names of the drafters.
  public var drafted: [Int32] = []
  public var parents: [Int] = []
  public var sources: [String] = []
  /// The accepted nodes whose tokens count: a path from the root down. When it ends the output
  /// (stop token), the last token of the step takes the bonus token's place and is not in here.
  public var accepted: [Int] = []
  /// New tokens of the sequence: accepted ones, then the target's own.
  public var tokens: [Int32] = []
  /// Whether the last token is a recovered one.
  public var recovered = false
  public var draftSeconds = 0.0
  public var verifySeconds = 0.0
  public var acceptSeconds = 0.0
  public var commitSeconds = 0.0

  public init(phase: Phase, position: Int) {
    self.phase = phase
    self.position = position
  }

  public var seconds: Double { draftSeconds + verifySeconds + acceptSeconds + commitSeconds }
}
