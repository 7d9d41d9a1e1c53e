/// What one drafter proposed in a step, before anything was left out, and how long it took.
public struct DrafterProposal: Sendable, Equatable, Codable {
  public var drafter: String
  /// What others drafted, when it went on from that; nil when it went on from the sequence.
  public var path: [Int32]?
  /// Parents before children; -1 is the pending token, or the last one of the path.
  public var tokens: [Int32]
  public var parents: [Int]
  /// The drafter's own estimates of acceptance.
  public var scores: [Double]
  public var seconds: Double
  /// What the drafter has to say of the draft; nil for nothing.
  public var figures: [String: Double]?

  public init(
    drafter: String, path: [Int32]? = nil, tree: DraftTree, seconds: Double,
    figures: [String: Double] = [:]
  ) {
    self.drafter = drafter
    self.path = path
    tokens = tree.tokens
    parents = tree.parents
    scores = tree.scores
    self.seconds = seconds
    self.figures = figures.isEmpty ? nil : figures
  }
}

/// What one forward pass of the target brought. All statistics are computed from these.
public struct StepTrace: Sendable, Equatable, Codable {
  public enum Phase: String, Sendable, Codable {
    /// The prompt, and the first token after it. Not a round: nothing is drafted.
    case prompt
    /// A round: draft, verify, accept, commit.
    case round
  }

  public var phase: Phase
  /// Why a step drafted as much as it did.
  public enum Reason: String, Sendable, Codable {
    /// Nobody drafts, or there is no room for a draft.
    case off
    /// The draft length was given.
    case fixed
    /// No drafter had anything to propose, or was worth asking.
    case nothingProposed
    /// The proposals were not worth their rows.
    case notWorth
    /// The tree is the one with the most expected tokens for its time.
    case worth
  }

  /// The index in the sequence of the first of `tokens`.
  public var position: Int
  /// Prompt tokens that the pass computed, and those found in the cache. 0 in a round.
  public var promptTokens = 0
  public var cachedTokens = 0
  /// What the step was allowed to draft.
  public var budget = DraftBudget.nothing
  public var reason = Reason.off
  /// Tokens that the step was expected to bring; 1 is plain decoding.
  public var expectedTokens = 1.0
  /// What each drafter proposed, verified or not.
  public var proposals: [DrafterProposal] = []
  /// Sequences in the pass, and the rows of all of them.
  public var sequences = 1
  public var rows = 1
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
  /// Its share by rows, when several sequences are in the pass.
  public var verifySeconds = 0.0
  public var acceptSeconds = 0.0
  public var commitSeconds = 0.0

  public init(phase: Phase, position: Int) {
    self.phase = phase
    self.position = position
  }

  public var seconds: Double { draftSeconds + verifySeconds + acceptSeconds + commitSeconds }
}
