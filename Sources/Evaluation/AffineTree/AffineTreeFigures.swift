import Nunchi

/// What a variant of the draft tree came to, computed from its traces.
public struct AffineTreeFigures: Sendable, Equatable, Codable {
  public var variant: String
  public var group: AffineTreeVariant.Group
  public var rounds = 0
  /// Nodes a round, before and after pruning, and accepted ones.
  public var proposed = 0.0
  public var verified = 0.0
  public var accepted = 0.0
  /// Accepted nodes by verified ones, and by proposed ones.
  public var acceptanceRate = 0.0
  public var effectiveAcceptance = 0.0
  /// τ = 1 + Σa/R
  public var acceptanceLength = 1.0
  /// The share of proposed nodes that was not verified.
  public var prunedShare = 0.0
  /// The share of tokens that the whole proposal would have had accepted and the pruned one did
  /// not.
  public var lostAcceptance = 0.0
  /// Milliseconds of a round.
  public var draftMilliseconds = 0.0
  public var alignMilliseconds = 0.0
  public var predictMilliseconds = 0.0
  public var pruneMilliseconds = 0.0
  public var verifyMilliseconds = 0.0
  public var commitMilliseconds = 0.0
  /// The share of a round that alignment and predictor take.
  public var overheadShare = 0.0
  /// Bytes of the weights of alignment and predictor, and their share of both models' weights.
  public var overheadBytes = 0
  public var memoryOverhead = 0.0
  /// Plain time by this one's, with its 95 % interval over questions.
  public var speedup = 1.0
  public var speedupInterval: ConfidenceInterval?
  /// Whether all outputs were plain decoding's.
  public var isIdentical = true

  /// Bytes of weights.
  struct Memory {
    var overhead = 0
    var models = 0
  }

  /// - Parameter answers: the traces of each answer.
  init(
    variant: String, group: AffineTreeVariant.Group, answers: [[StepTrace]],
    method: MethodFigures, memory: Memory
  ) {
    self.variant = variant
    self.group = group
    speedup = method.speedup
    speedupInterval = method.speedupInterval
    isIdentical = method.isIdentical
    overheadBytes = memory.overhead
    memoryOverhead = Double(memory.overhead) / Double(max(1, memory.models))
    var (proposedNodes, verifiedNodes, acceptedNodes, possible) = (0, 0, 0, 0)
    var (draft, align, predict, prune, verify, commit) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for traces in answers {
      let tokens = traces.flatMap(\.tokens)
      var place = 0
      for trace in traces {
        defer { place += trace.tokens.count }
        guard trace.phase == .round else { continue }
        rounds += 1
        verifiedNodes += trace.drafted.count
        acceptedNodes += trace.accepted.count
        draft += trace.draftSeconds
        verify += trace.verifySeconds + trace.acceptSeconds
        commit += trace.commitSeconds
        for proposal in trace.proposals {
          proposedNodes += proposal.tokens.count
          // The output's last token is the target's own.
          possible += max(
            trace.accepted.count, Self.held(proposal, by: tokens[place...].dropLast()))
          align += proposal.figures?["align seconds"] ?? 0
          predict += proposal.figures?["predict seconds"] ?? 0
          prune += proposal.figures?["prune seconds"] ?? 0
        }
      }
    }
    func a(_ count: Int) -> Double { Double(count) / Double(max(1, rounds)) }
    func share(_ part: Int, _ all: Int) -> Double { Double(part) / Double(max(1, all)) }
    (proposed, verified, accepted) = (a(proposedNodes), a(verifiedNodes), a(acceptedNodes))
    acceptanceRate = share(acceptedNodes, verifiedNodes)
    effectiveAcceptance = share(acceptedNodes, proposedNodes)
    acceptanceLength = 1 + accepted
    prunedShare = proposedNodes > 0 ? 1 - share(verifiedNodes, proposedNodes) : 0
    lostAcceptance = possible > 0 ? 1 - share(acceptedNodes, possible) : 0
    let all = draft + verify + commit
    overheadShare = all > 0 ? (align + predict) / all : 0
    func milliseconds(_ seconds: Double) -> Double { 1000 * seconds / Double(max(1, rounds)) }
    draftMilliseconds = milliseconds(draft - align - predict - prune)
    alignMilliseconds = milliseconds(align)
    predictMilliseconds = milliseconds(predict)
    pruneMilliseconds = milliseconds(prune)
    verifyMilliseconds = milliseconds(verify)
    commitMilliseconds = milliseconds(commit)
  }

  /// How many of the tokens that came the proposal held, from the root down.
  static func held(_ proposal: DrafterProposal, by tokens: some Sequence<Int32>) -> Int {
    guard proposal.path == nil else { return 0 }
    var (node, count) = (-1, 0)
    for token in tokens {
      let next = proposal.tokens.indices.first {
        proposal.parents[$0] == node && proposal.tokens[$0] == token
      }
      guard let next else { break }
      node = next
      count += 1
    }
    return count
  }

  /// The columns of the table.
  public static let columns = [
    "variant", "group", "rounds", "proposed", "verified", "accepted", "acceptance_rate",
    "effective_acceptance", "acceptance_length", "pruned_share", "lost_acceptance", "draft_ms",
    "align_ms", "predict_ms", "prune_ms", "verify_ms", "commit_ms", "overhead_share",
    "memory_overhead", "overhead_bytes", "speedup", "speedup_low", "speedup_high", "identical",
  ]

  /// A line of the table.
  public var cells: [String] {
    let numbers: [Double] = [
      proposed, verified, accepted, acceptanceRate, effectiveAcceptance, acceptanceLength,
      prunedShare, lostAcceptance, draftMilliseconds, alignMilliseconds, predictMilliseconds,
      pruneMilliseconds, verifyMilliseconds, commitMilliseconds, overheadShare,
      memoryOverhead, Double(overheadBytes), speedup, speedupInterval?.low ?? speedup,
      speedupInterval?.high ?? speedup,
    ]
    return [variant, group.rawValue, "\(rounds)"]
      + numbers.map { "\(($0 * 1e4).rounded() / 1e4)" } + ["\(isIdentical)"]
  }
}
