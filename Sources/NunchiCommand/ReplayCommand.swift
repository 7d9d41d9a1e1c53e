import ArgumentParser
import Nunchi

/// `nunchi replay`: what other settings would have come to.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Tell from a trace what other drafters and budgets would have accepted.",
    discussion: """
      TRACE is a file written by 'nunchi generate --trace', or one of the folder that 'nunchi bench \
      export --form traces' writes. Each drafter that was asked, with each number of nodes, walks \
      the recorded tokens with the recorded proposals; passes cost what was measured on the machine \
      of the trace. A setting that would have accepted more than the recorded run stands where \
      nobody was asked, and is understated.
      """)

  @Argument(help: "The trace.")
  var trace: String

  @Option(help: "Numbers of nodes to replay.")
  var nodes = NumberList([1, 2, 3, 4, 6, 8, 12, 16])

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let file = try TraceFile(path: trace)
    guard !file.header.costs.isEmpty else {
      throw NunchiError.malformedTrace(
        path: trace, line: 1, expected: "what passes cost (a run without --draft-length)",
        found: "none")
    }
    let replay = TraceReplay(
      file.traces, costs: try VerificationCosts(points: file.header.costs))
    let outcomes = replay.outcomes(nodes: nodes.values)
    let plain = replay.outcome(of: .plain).seconds
    let report = ReplayReport(
      model: file.header.model, drafter: file.header.drafter,
      recorded: ReplayReport.Row(replay.recorded, name: "recorded", plain: plain),
      settings: outcomes.map { ReplayReport.Row($0, name: "\($0.setting)", plain: plain) },
      regret: replay.regret(nodes: nodes.values))
    if json { try printJSON(report) } else { show(report) }
  }

  private func show(_ report: ReplayReport) {
    print("\(report.model), drafter \(report.drafter)")
    var rows = [["setting", "rounds", "drafted", "accepted", "τ", "speedup"]]
    for row in [report.recorded] + report.settings {
      rows.append([
        row.setting, "\(row.rounds)", "\(row.drafted)", "\(row.accepted)",
        formatDecimal(row.acceptanceLength, places: 2), formatDecimal(row.speedup, places: 2),
      ])
    }
    printTable(rows)
    print(
      "regret to the best fixed setting: \(formatDecimal(report.regret * 100, places: 1)) %")
  }
}

/// What `replay --json` prints.
private struct ReplayReport: Encodable {
  struct Row: Encodable {
    var setting: String
    var rounds: Int
    var drafted: Int
    var accepted: Int
    var acceptanceLength: Double
    /// Plain time by this setting's, both computed.
    var speedup: Double

    init(_ outcome: TraceReplay.Outcome, name: String, plain: Double) {
      setting = name
      rounds = outcome.rounds
      drafted = outcome.drafted
      accepted = outcome.accepted
      acceptanceLength = outcome.acceptanceLength
      speedup = outcome.seconds > 0 ? plain / outcome.seconds : 1
    }
  }

  var model: String
  var drafter: String
  var recorded: Row
  /// The quickest first.
  var settings: [Row]
  var regret: Double
}
