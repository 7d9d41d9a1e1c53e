import Foundation

/// Decides at every step who drafts, how much, and which of the proposals are worth verifying,
/// so that speculation is never slower than plain decoding.
///
/// It knows what rows of a forward pass cost on this machine (`VerificationCosts`, corrected by
/// every step that it sees), what each drafter's time is, and how often nodes of each drafter and
/// score are accepted. The last it learns from *all* proposals, verified or not, since the tokens
/// that follow tell what every drafter would have had accepted (full information, 2510.20064).
///
/// One controller serves any number of generations one after another, and remembers; several
/// sequences that decode together may share it. It serves one thread at a time.
public final class SpeedController {
  /// As measured beforehand.
  public let costs: VerificationCosts
  /// What is known of each drafter and of their agreement.
  var knowledge = DraftKnowledge()
  /// T(1) now, in seconds.
  private(set) var rowSeconds: Double
  /// V(k) now, for k = 1, 2, …
  private var ratios: [Double]
  /// Time of a step that belongs to no pass and no costly drafter, as a share of T(1).
  private(set) var overhead = 0.0

  /// The most nodes and the longest path that any drafter is asked for.
  static let mostNodes = 48
  static let longestDraft = 32
  /// A drafter whose call takes less than this share of T(1) is asked at every step.
  static let cheapShare = 0.01
  /// So many calls of a costly drafter are made before it is judged: a few unlucky ones would
  /// switch off a good drafter for long.
  static let trialCalls = 12
  /// What a probe of a drafter that is switched off may cost, as a share of all time.
  static let probeShare = 0.004
  /// The most steps between two probes: texts change.
  static let longestPause = 512

  public init(costs: VerificationCosts) {
    self.costs = costs
    rowSeconds = costs.rowSeconds
    ratios = (0...Self.mostNodes + 1).map { costs.ratio(rows: max(1, $0)) }
  }

  /// V(k) as last seen.
  func ratio(rows: Int) -> Double {
    rows < ratios.count
      ? ratios[rows]
      : ratios[ratios.count - 1] * costs.ratio(rows: rows)
        / costs.ratio(rows: ratios.count - 1)
  }

  /// `costs` as last seen, at the same numbers of rows.
  public var seenCosts: VerificationCosts {
    get throws {
      try VerificationCosts(
        points: costs.points.map {
          VerificationCosts.Point(rows: $0.rows, seconds: rowSeconds * ratio(rows: $0.rows))
        })
    }
  }

  /// What a step took.
  func observe(_ trace: StepTrace) {
    // Each sequence of a pass reports its share; a pass of several is seen as often as it has
    // sequences, which only makes the estimate follow faster.
    let share = Double(trace.drafted.count + 1) / Double(trace.rows)
    observe(rows: trace.rows, seconds: trace.verifySeconds / share)
    let costly = trace.proposals.lazy.map(\.seconds).filter {
      $0 >= Self.cheapShare * self.rowSeconds
    }.reduce(0, +)
    let rest = trace.draftSeconds + trace.acceptSeconds + trace.commitSeconds - costly
    overhead += 0.05 * (min(0.5, rest / rowSeconds) - overhead)
  }

  /// T(1) follows quickly: context grows, and other work comes and goes. The shape of V follows
  /// slowly, since only a lasting difference between row counts is its own.
  func observe(rows: Int, seconds: Double) {
    guard rows >= 1, rows < ratios.count, seconds > 0 else { return }
    let error = log(min(3, max(1 / 3, seconds / (rowSeconds * ratios[rows]))))
    rowSeconds *= exp(0.1 * error)
    guard rows > 1 else { return }
    for (distance, weight) in [0.03, 0.015, 0.007].enumerated() {
      for near in Set([rows - distance, rows + distance]) where near > 1 && near < ratios.count {
        ratios[near] = max(1, ratios[near] * exp(weight * error))
      }
    }
  }

  /// What each of the next rows costs at least, as a share of T(1): the least of (V(1 + n) − 1) / n. A
  /// node less probable is worth no row.
  var leastRowCost: Double {
    let costs = (1...8).map { (ratio(rows: 1 + $0) - 1) / Double($0) }
    return max(0.02, costs.min() ?? 0)
  }

  /// What a row costs at least in a longer draft: half of the mean of eight.
  var laterRowCost: Double {
    max(leastRowCost, (ratio(rows: 9) - 1) / 8 / 2)
  }
}

/// What is known of drafters: how their scores are to be read, how deep their trees hold, and
/// what their calls cost.
struct DraftKnowledge: Sendable {
  struct Member: Sendable {
    let name: String
    var calibration = Calibration()
    var survival = Survival()
    private(set) var calls = 0
    /// Seconds of a call, and of each level of its tree; nil before the second call.
    var callSeconds: Double?
    var levelSeconds = 0.0
    /// Rows that it wants verified to learn from.
    var probeRows = 0.0
    /// Steps until it is tried again, while it is switched off, and how often that failed.
    private(set) var pause = 0
    private var pauseLength = 0
    private static let doubtedTrials = 6.0
    var failures = 0

    init(name: String) {
      self.name = name
    }

    /// Switched off for so many steps; 0 switches it on.
    mutating func rest(_ steps: Int) {
      (pause, pauseLength) = (steps, steps)
    }

    /// One step less to wait for.
    mutating func wait() { pause -= 1 }

    /// Another text begins, of which what switched it off says little: after a quarter of its pause
    /// it is tried again.
    mutating func meetNewText() {
      if pause > 0, pauseLength - pause >= pauseLength / 4 { rest(0) }
    }

    /// The path was in its tree down to above `depth`: was it at `depth` as well?
    mutating func record(depth: Int, held: Bool) {
      if held, depth == 1, pause > 0 {
        // A trial that held has paid for itself: the next step is another, and what switched the
        // drafter off counts for less.
        survival.weaken(to: Self.doubtedTrials)
        rest(0)
      }
      survival.record(depth: depth, held: held)
    }

    mutating func recordCall(seconds: Double, tree: DraftTree) {
      let level = seconds / Double(max(1, tree.depth))
      let probes = Double(tree.probes.count { $0 })
      calls += 1
      // The first call finds cold memory, and says little of others.
      guard calls > 1 else {
        probeRows = probes
        return
      }
      guard let before = callSeconds else {
        (callSeconds, levelSeconds) = (seconds, level)
        return
      }
      callSeconds = Self.followed(before, seconds)
      levelSeconds = Self.followed(levelSeconds, level)
      probeRows += 0.1 * (probes - probeRows)
    }

    /// Other work only ever adds time: a quicker call is soon believed, a slower one slowly.
    private static func followed(_ known: Double, _ found: Double) -> Double {
      known + (found < known ? 0.5 : 0.1) * (min(found, 4 * known) - known)
    }
  }

  private(set) var names: [String] = []
  var members: [Member] = []
  /// How nodes fare where several drafters propose something.
  var consensus = ConsensusCalibrations()

  /// The place of a drafter in `members`.
  mutating func index(of name: String) -> Int {
    if let index = names.firstIndex(of: name) { return index }
    names.append(name)
    members.append(Member(name: name))
    return names.count - 1
  }
}
