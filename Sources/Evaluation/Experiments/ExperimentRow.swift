import Foundation
import Nunchi

/// One way of decoding in one cell of an experiment, for all its questions or those of one group.
public struct ExperimentRow: Sendable, Equatable, Codable {
  public var experiment: String
  public var target: String
  /// nil: the questions as they are.
  public var promptLength: Int?
  public var maxTokens: Int
  public var temperature: Double
  /// Tokens drafted a step; 0 in plain decoding, nil where the controller decides.
  public var n: Int?
  /// `plain` or `speculative`.
  public var method: String
  public var drafter: String
  public var draftModel: String?
  public var draftTree: String?
  /// The language or category; nil for all.
  public var group: String?
  /// Seconds of an answer with its prompt: the mean, and the standard deviation over repetitions.
  public var time: Double
  public var timeDeviation: Double
  /// Σa/Σk
  public var acceptanceRate: Double
  /// P₁: the share of passes that accepted a token or more.
  public var firstAcceptance: Double
  public var acceptanceLength: Double
  /// Tokens of an answer, the mean; `maxTokens` is the most that it may have.
  public var generatedTokens: Double
  public var tokensPerSecond: Double
  public var charactersPerSecond: Double
  public var fertility: Double
  public var draftShare: Double
  /// Seconds of a drafted token by those of one of plain decoding.
  public var draftCost: Double
  public var speedup: Double
  public var speedupInterval: ConfidenceInterval?
  public var isIdentical: Bool

  init(
    experiment: String, cell: ExperimentCell, arm: ExperimentArm?, group: String?,
    records: [QuestionRecord], plain: [QuestionRecord]
  ) {
    let figures = MethodFigures(records, plain: plain)
    let statistics = records.reduce(into: SpeculationStatistics([])) { $0.merge($1.statistics) }
    self.experiment = experiment
    target = cell.target
    promptLength = cell.promptLength
    maxTokens = cell.maxTokens
    temperature = cell.temperature
    n = arm == nil ? 0 : arm?.draftLength
    method = arm == nil ? "plain" : "speculative"
    drafter = arm?.drafter ?? "none"
    draftModel = arm?.draftModel
    draftTree = arm?.draftTree
    self.group = group
    let answers = Dictionary(grouping: records, by: \.repetition).values.map { records in
      records.reduce(0) { $0 + $1.secondsWithPrompt }
        / Double(max(1, records.reduce(0) { $0 + $1.turns.count }))
    }
    time = answers.reduce(0, +) / Double(max(1, answers.count))
    timeDeviation = MethodFigures.deviation(answers) ?? 0
    acceptanceRate = figures.draftAcceptanceRate
    firstAcceptance = figures.perPositionRates.first ?? 0
    acceptanceLength = figures.acceptanceLength
    generatedTokens =
      Double(figures.tokens) / Double(max(1, records.reduce(0) { $0 + $1.turns.count }))
    tokensPerSecond = figures.tokensPerSecond
    charactersPerSecond = figures.charactersPerSecond
    fertility = figures.fertility
    draftShare = figures.draftShare
    draftCost =
      statistics.drafted > 0
      ? statistics.draftSeconds / Double(statistics.drafted) * figures.plainTokensPerSecond : 0
    speedup = figures.speedup
    speedupInterval = figures.speedupInterval
    isIdentical = figures.isIdentical
  }

  /// The columns of the table; those of the draft/target kit come first.
  static let columns = [
    "experiment", "prompt_length", "max_tokens", "n", "method", "time", "time_std",
    "acceptance_rate", "generated_tokens", "target", "drafter", "draft_model", "draft_tree",
    "temperature", "group", "speedup", "speedup_low", "speedup_high", "acceptance_length",
    "first_acceptance", "tokens_per_second", "characters_per_second", "tokens_per_character",
    "draft_share", "draft_cost", "identical",
  ]

  /// The kit's name of an experiment: `prompt_length`, `max_tokens`, `n_value`; any other is written
  /// as it writes them.
  private var kitName: String {
    experiment == "draft-length"
      ? "n_value" : experiment.replacingOccurrences(of: "-", with: "_")
  }

  /// The values of the columns, the kit's as the kit has them: `Normal` drafts nothing, so its `n`
  /// and `acceptance_rate` are empty.
  var cells: [String] {
    func number(_ value: Double) -> String { "\((value * 1e6).rounded() / 1e6)" }
    let isPlain = method == "plain"
    return [
      kitName, promptLength.map(String.init) ?? "", "\(maxTokens)",
      isPlain ? "" : n.map(String.init) ?? "", isPlain ? "Normal" : "Speculative", number(time),
      number(timeDeviation), isPlain ? "" : number(acceptanceRate), number(generatedTokens), target,
      drafter, draftModel ?? "", draftTree ?? "", "\(temperature)", group ?? "", number(speedup),
      number(speedupInterval?.low ?? speedup), number(speedupInterval?.high ?? speedup),
      number(acceptanceLength), number(firstAcceptance), number(tokensPerSecond),
      number(charactersPerSecond), number(fertility), number(draftShare), number(draftCost),
      "\(isIdentical)",
    ]
  }

  /// Its place on an axis.
  func value(_ axis: ExperimentDefinition.Axis) -> String {
    switch axis {
    case .promptLength: promptLength.map(String.init) ?? "as they are"
    case .maxTokens: "\(maxTokens)"
    case .draftLength: n.map(String.init) ?? "controlled"
    case .temperature: "\(temperature)"
    case .target: target
    case .drafter: drafter
    case .draftModel: draftModel ?? "none"
    case .draftTree: draftTree ?? "own"
    case .language, .category: group ?? "all"
    }
  }

  /// Whether it is plain decoding.
  var isPlain: Bool { drafter == "none" }

  /// What it is called beside the axis, with all that differs from row to row.
  func label(
    without axis: ExperimentDefinition.Axis, among rows: [ExperimentRow],
    language: ReportLanguage = .en
  ) -> String {
    if isPlain, axis == .draftLength { return language(.plain) }
    var words = isPlain ? [language(.plain)] : axis == .drafter ? [] : [drafter]
    let parts: [(ExperimentDefinition.Axis, String, String)] = [
      (.target, "", target), (.draftModel, "", draftModel ?? ""),
      (.draftTree, "", draftTree ?? ""), (.draftLength, "n=", n.map(String.init) ?? ""),
      (.promptLength, language(.promptPrefix), promptLength.map(String.init) ?? ""),
      (.maxTokens, language(.tokensPrefix), "\(maxTokens)"), (.temperature, "T=", "\(temperature)"),
      (.language, "", group ?? ""),
    ]
    for (part, prefix, value) in parts where part != axis && !value.isEmpty {
      if part == .language, axis == .category { continue }
      if isPlain, [.draftModel, .draftTree, .draftLength].contains(part) { continue }
      let others = Set(rows.filter { $0.isPlain == isPlain }.map { $0.value(part) })
      if others.count > 1 { words.append("\(prefix)\(value)") }
    }
    return words.isEmpty ? language(.speculative) : words.joined(separator: " ")
  }
}
