/// Figures of a generation, computed from its traces.
///
/// The token after the prompt comes with the prompt's pass, so it belongs to no round: with R
/// rounds and Σa accepted tokens, `tokens` = 1 + R + Σa, and plain decoding has τ = 1.
public struct SpeculationStatistics: Sendable, Equatable, Codable {
  /// Prompt tokens, computed and cached.
  public private(set) var promptTokens = 0
  public private(set) var cachedPromptTokens = 0
  /// Generated tokens: the one counter for every method. A stop token counts, nothing after it.
  public private(set) var tokens = 0
  /// Rounds R: forward passes of the target after the prompt.
  public private(set) var rounds = 0
  /// Drafted nodes Σk.
  public private(set) var drafted = 0
  /// Accepted tokens Σa.
  public private(set) var accepted = 0
  /// P_i: the share of rounds that accepted at least i tokens, for i = 1, 2, …
  public private(set) var perPositionRates: [Double] = []
  /// Time of the prompt's pass, first token included, and of the rounds' parts.
  public private(set) var promptSeconds = 0.0
  public private(set) var draftSeconds = 0.0
  public private(set) var verifySeconds = 0.0
  public private(set) var acceptSeconds = 0.0
  public private(set) var commitSeconds = 0.0

  public init(_ traces: some Sequence<StepTrace>) {
    var reached: [Int] = []
    for trace in traces {
      tokens += trace.tokens.count
      switch trace.phase {
      case .prompt:
        promptTokens += trace.promptTokens + trace.cachedTokens
        cachedPromptTokens += trace.cachedTokens
        promptSeconds += trace.seconds
      case .round:
        rounds += 1
        drafted += trace.drafted.count
        accepted += trace.accepted.count
        while reached.count < trace.accepted.count { reached.append(0) }
        for index in trace.accepted.indices { reached[index] += 1 }
        draftSeconds += trace.draftSeconds
        verifySeconds += trace.verifySeconds
        acceptSeconds += trace.acceptSeconds
        commitSeconds += trace.commitSeconds
      }
    }
    perPositionRates = reached.map { Double($0) / Double(rounds) }
  }

  /// Figures of another engine, which tells no steps.
  /// - Parameters:
  ///   - rounds: passes after the prompt's; as many as tokens but one where it does not tell.
  ///   - generationSeconds: from the first token to the last.
  public init(
    promptTokens: Int, tokens: Int, rounds: Int? = nil, drafted: Int = 0, accepted: Int = 0,
    promptSeconds: Double, generationSeconds: Double
  ) {
    self.promptTokens = promptTokens
    self.tokens = tokens
    self.rounds = rounds ?? max(0, tokens - 1 - accepted)
    self.drafted = drafted
    self.accepted = accepted
    self.promptSeconds = promptSeconds
    verifySeconds = generationSeconds
  }

  /// Adds the figures of another generation, as if the traces of both had been counted.
  public mutating func merge(_ other: SpeculationStatistics) {
    let all = max(1, rounds + other.rounds)
    let count = max(perPositionRates.count, other.perPositionRates.count)
    perPositionRates = (0..<count).map { index in
      let mine = index < perPositionRates.count ? perPositionRates[index] : 0
      let others = index < other.perPositionRates.count ? other.perPositionRates[index] : 0
      return (mine * Double(rounds) + others * Double(other.rounds)) / Double(all)
    }
    promptTokens += other.promptTokens
    cachedPromptTokens += other.cachedPromptTokens
    tokens += other.tokens
    rounds += other.rounds
    drafted += other.drafted
    accepted += other.accepted
    promptSeconds += other.promptSeconds
    draftSeconds += other.draftSeconds
    verifySeconds += other.verifySeconds
    acceptSeconds += other.acceptSeconds
    commitSeconds += other.commitSeconds
  }

  /// τ = 1 + Σa/R: tokens that a forward pass of the target brings.
  public var acceptanceLength: Double {
    rounds == 0 ? 1 : 1 + Double(accepted) / Double(rounds)
  }

  /// Σa/Σk; 0 when nothing was drafted.
  public var draftAcceptanceRate: Double {
    drafted == 0 ? 0 : Double(accepted) / Double(drafted)
  }

  /// 1 − (Σa + R)/Σ(k + 1): the share of verified rows that gave no token.
  public var wastedRows: Double {
    rounds == 0 ? 0 : 1 - Double(accepted + rounds) / Double(drafted + rounds)
  }

  /// Time of the rounds: everything after the first token.
  public var generationSeconds: Double {
    draftSeconds + verifySeconds + acceptSeconds + commitSeconds
  }

  /// Tokens of the rounds by their time; 0 without a round.
  public var tokensPerSecond: Double {
    generationSeconds > 0 ? Double(accepted + rounds) / generationSeconds : 0
  }
}
