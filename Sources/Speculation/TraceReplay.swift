/// What a recorded generation would have come to with other drafters and budgets, answered from
/// its traces alone.
///
/// A trace holds what every drafter proposed at every step, and the tokens that followed. A
/// replayed setting walks the same tokens: where it stands, it takes the drafter's latest proposal
/// that the tokens since have followed, and keeps its likeliest nodes. A fresh proposal there
/// might have been longer, so replay understates settings that accept more than the recorded run
/// did. Times are those of `VerificationCosts` for the passes and the recorded ones for drafting,
/// for the recorded run as well, so that the machine's noise meets all alike.
public struct TraceReplay {
  /// A drafter with a fixed number of nodes.
  public struct Setting: Sendable, Equatable, Codable {
    /// nil decodes plainly.
    public var drafter: String?
    /// The most nodes of a draft; its likeliest are taken.
    public var nodes: Int

    public init(drafter: String?, nodes: Int) {
      self.drafter = drafter
      self.nodes = nodes
    }

    public static let plain = Setting(drafter: nil, nodes: 0)
  }

  /// What a setting comes to.
  public struct Outcome: Sendable, Equatable, Codable {
    public var setting: Setting
    public var rounds = 0
    public var drafted = 0
    public var accepted = 0
    public var seconds = 0.0

    /// τ = 1 + Σa/R
    public var acceptanceLength: Double {
      rounds == 0 ? 1 : 1 + Double(accepted) / Double(rounds)
    }
  }

  public let costs: VerificationCosts
  /// The rounds of each generation.
  private let generations: [[StepTrace]]

  /// - Parameter traces: of any number of generations, one after another; each begins with its
  ///   prompt's.
  public init(_ traces: [StepTrace], costs: VerificationCosts) {
    self.costs = costs
    generations = traces.split(omittingEmptySubsequences: true) { $0.phase == .prompt }
      .map(Array.init)
  }

  /// The drafters that proposed anything.
  public var drafters: [String] {
    var names: [String] = []
    for proposal in generations.joined().lazy.flatMap(\.proposals)
    where !names.contains(proposal.drafter) { names.append(proposal.drafter) }
    return names
  }

  /// The recorded run, its passes at the price of `costs`.
  public var recorded: Outcome {
    var outcome = Outcome(setting: Setting(drafter: drafters.joined(separator: ","), nodes: 0))
    for trace in generations.joined() {
      outcome.rounds += 1
      outcome.drafted += trace.drafted.count
      outcome.accepted += trace.accepted.count
      outcome.seconds += passSeconds(trace.drafted.count)
      for proposal in trace.proposals { outcome.seconds += proposal.seconds }
    }
    return outcome
  }

  /// What a setting would have come to.
  public func outcome(of setting: Setting) -> Outcome {
    generations.reduce(into: Outcome(setting: setting)) { replay($1, &$0) }
  }

  /// Plain decoding and all drafters with these numbers of nodes, the quickest first.
  public func outcomes(nodes: [Int] = [1, 2, 3, 4, 6, 8, 12, 16]) -> [Outcome] {
    let settings =
      [Setting.plain] + drafters.flatMap { name in nodes.map { Setting(drafter: name, nodes: $0) } }
    return settings.map(outcome).sorted { $0.seconds < $1.seconds }
  }

  /// By how much longer the recorded run takes than the best fixed setting: 0.05 is five percent,
  /// less than 0 is better than any of them.
  public func regret(nodes: [Int] = [1, 2, 3, 4, 6, 8, 12, 16]) -> Double {
    guard let best = outcomes(nodes: nodes).first, best.seconds > 0 else { return 0 }
    return recorded.seconds / best.seconds - 1
  }

  private func passSeconds(_ nodes: Int) -> Double {
    costs.ratio(rows: nodes + 1) * costs.rowSeconds
  }

  private func replay(_ rounds: [StepTrace], _ outcome: inout Outcome) {
    guard let start = rounds.first?.position else { return }
    let tokens = rounds.flatMap(\.tokens)
    var place = 0
    var round = 0
    while place < tokens.count {
      while round + 1 < rounds.count && rounds[round + 1].position <= start + place { round += 1 }
      outcome.rounds += 1
      let rest = tokens[place...]
      let proposal = rounds[round].proposals.first {
        $0.drafter == outcome.setting.drafter && $0.path == nil
      }
      let passed = tokens[(rounds[round].position - start)..<place]
      var accepted = 0
      var nodes = 0
      if let proposal {
        // The output's end is the target's own token.
        (nodes, accepted) = Self.accepted(
          proposal, passed: passed, rest: rest.dropLast(), limit: outcome.setting.nodes)
        outcome.seconds += proposal.seconds
      }
      outcome.drafted += nodes
      outcome.accepted += accepted
      outcome.seconds += passSeconds(nodes)
      place += accepted + 1
    }
  }

  /// How many nodes a proposal verifies once `passed` tokens have followed it, and how many of
  /// them the target accepts.
  private static func accepted(
    _ proposal: DrafterProposal, passed: ArraySlice<Int32>, rest: ArraySlice<Int32>, limit: Int
  ) -> (nodes: Int, accepted: Int) {
    var root = DraftTree.root
    for token in passed {
      let next = proposal.tokens.indices.first {
        proposal.parents[$0] == root && proposal.tokens[$0] == token
      }
      guard let next else { return (0, 0) }
      root = next
    }
    // Path scores of the nodes below; the likeliest are kept, parents before children.
    var scores = [Double](repeating: 0, count: proposal.tokens.count)
    for node in proposal.tokens.indices {
      let parent = proposal.parents[node]
      scores[node] =
        parent == root
        ? proposal.scores[node] : parent < 0 ? 0 : scores[parent] * proposal.scores[node]
    }
    let kept =
      proposal.tokens.indices.filter { scores[$0] > 0 }
      .sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }
      .prefix(max(0, limit))
    var node = root
    var accepted = 0
    for token in rest {
      let next = kept.first { proposal.parents[$0] == node && proposal.tokens[$0] == token }
      guard let next else { break }
      node = next
      accepted += 1
    }
    return (kept.count, accepted)
  }
}
