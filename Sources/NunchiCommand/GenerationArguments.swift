import ArgumentParser
import Drafters
import Evaluation
import Nunchi
import Sampling
import Speculation

/// How `generate` and `chat` draft and sample.
struct GenerationArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Who drafts: \(Self.drafterNames.joined(separator: ", ")).",
      discussion: """
        Several, divided by commas, draft together. auto is \
        \(DrafterRegistry.automatic.joined(separator: ",")) and a drafter trained for the model \
        where there is one, as far as they pay; it is the default, with draft-model if \
        --draft-model is given.
        """))
  var drafter: String?

  @OptionGroup var drafting: DraftingArguments

  @Option(help: "Tokens to draft at each step; what pays on this machine if not given.")
  var draftLength: Int?

  @Option(
    help: ArgumentHelp(
      "What decides which drafted tokens are kept; sample-and-match if not given.",
      discussion: AcceptanceRules.entries.map { "\($0.name): \($0.summary)." }
        .joined(separator: "\n")))
  var rule: String?

  @Option(help: "0 takes the most probable token, always; 1 samples from the model as it is.")
  var temperature: Double = 0

  @Option(help: "Sample among the K most probable tokens; 0 means all.")
  var topK: Int = 0

  @Option(help: "Sample among the most probable tokens that together reach this probability.")
  var topP: Double = 1

  @Option(help: "Drop tokens less probable than this share of the most probable one.")
  var minP: Double = 0

  @Option(help: "Above 1, makes tokens of the recent text less probable.")
  var repetitionPenalty: Double = 1

  @Option(help: "The same seed gives the same text, with or without a drafter.")
  var seed: UInt64?

  @Option(help: "The most tokens to generate.")
  var maxTokens: Int = 256

  @Option(help: "A text that ends the output; may be given several times.")
  var stop: [String] = []

  /// Drafters that a user may want; the reference ones are for tests.
  static var drafterNames: [String] {
    ["auto"] + DrafterRegistry.entries.filter { !$0.isReference }.map(\.name)
  }

  /// Drafters that draft with --draft-model.
  static let draftModelDrafters = ["draft-model", "cross-vocabulary", "affine-tree"]

  static var ruleNames: [String] { AcceptanceRules.entries.map(\.name) }

  func validate() throws {
    try drafting.check(with: drafter.map { [$0] } ?? [])
    if let draftLength, !(0...128).contains(draftLength) {
      throw ValidationError("--draft-length: expected 0 to 128, found \(draftLength)")
    }
    if let rule {
      if !Self.ruleNames.contains(rule) {
        throw ValidationError(
          "--rule: expected one of \(Self.ruleNames.joined(separator: ", ")), found \(rule)")
      }
      if rule == GreedyRule().name, temperature != 0 {
        throw ValidationError("--rule \(rule): expected --temperature 0, found \(temperature)")
      }
    }
    if maxTokens < 1 {
      throw ValidationError("--max-tokens: expected 1 or more, found \(maxTokens)")
    }
    if stop.contains("") { throw ValidationError("--stop: expected text, found an empty one") }
    do {
      _ = try sampling()
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// Refuses names that there are not, drafters without what they need, and a folder that is none's.
  static func validate(
    _ drafter: NamedDrafter, hasDraftModel: Bool, hasTrained: Bool = false,
    hasDatastore: Bool = false
  ) throws {
    try validate(
      drafter: drafter.names, hasDraftModel: hasDraftModel, hasTrained: hasTrained,
      hasDatastore: hasDatastore)
    let trained = ["auto"] + DrafterRegistry.trained
    for (name, path) in drafter.folders where !trained.contains(name) {
      throw ValidationError(
        "--drafter \(name)=\(path): expected one of \(trained.joined(separator: ", ")) before =, "
          + "found \(name)")
    }
  }

  /// Refuses the folder of a trained drafter where none of the names is one.
  static func validate(trained: String, drafter: String) throws {
    guard !usesTrained(drafter) else { return }
    let names = (["auto", "affine-tree"] + DrafterRegistry.trained).joined(separator: ", ")
    throw ValidationError(
      "--trained \(trained): expected --drafter with one of \(names), found \(drafter)")
  }

  static func usesTrained(_ drafter: String) -> Bool {
    drafter.split(separator: ",").contains {
      $0 == "auto" || $0 == "affine-tree" || DrafterRegistry.trained.contains(String($0))
    }
  }

  /// Refuses names that there are not, and drafters without what they need.
  static func validate(
    drafter: String, hasDraftModel: Bool, hasTrained: Bool = false, hasDatastore: Bool
  ) throws {
    let names = drafter.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for name in names where !drafterNames.contains(name) {
      throw ValidationError(
        "--drafter: expected one of \(drafterNames.joined(separator: ", ")), found \(name)")
    }
    if names.contains("none"), names.count > 1 {
      throw ValidationError("--drafter \(drafter): expected none alone, found it among others")
    }
    let usesModel = names.contains(where: draftModelDrafters.contains)
    if usesModel, !hasDraftModel, !(hasTrained && names.contains("affine-tree")) {
      throw ValidationError("--drafter \(drafter): expected --draft-model MODEL, found none")
    }
    if names.contains("rest"), !hasDatastore {
      throw ValidationError("--drafter \(drafter): expected --datastore FILE, found none")
    }
  }

  func sampling() throws -> SamplingParameters {
    try SamplingParameters(
      temperature: temperature, topK: topK, topP: topP, minP: minP,
      repetitionPenalty: repetitionPenalty, seed: seed)
  }

  /// The options for a target; loads the draft model if there is one.
  func options(for target: Model) throws -> GenerationOptions {
    let choice = try drafting.choice(
      named: drafter ?? (drafting.draftModel == nil ? "auto" : "auto,draft-model"), for: target)
    var options = GenerationOptions(
      drafter: choice, draftLength: draftLength, sampling: try sampling(), maxTokens: maxTokens,
      stop: stop)
    if let rule { options.rule = try AcceptanceRules.named(rule) }
    if !options.rule.isLossless {
      writeError("Warning: --rule \(options.rule.name) is lossy: drafts change the output")
    }
    return options
  }
}

/// Figures of a generation, as `--json` prints them.
struct StatisticsReport: Encodable {
  var rounds: Int
  var drafted: Int
  var accepted: Int
  /// τ = 1 + Σa/R
  var acceptanceLength: Double
  var draftAcceptanceRate: Double
  var perPositionRates: [Double]
  var wastedRows: Double
  var draftSeconds: Double
  var verifySeconds: Double
  var acceptSeconds: Double
  var commitSeconds: Double

  init(_ statistics: SpeculationStatistics) {
    rounds = statistics.rounds
    drafted = statistics.drafted
    accepted = statistics.accepted
    acceptanceLength = statistics.acceptanceLength
    draftAcceptanceRate = statistics.draftAcceptanceRate
    perPositionRates = statistics.perPositionRates
    wastedRows = statistics.wastedRows
    draftSeconds = statistics.draftSeconds
    verifySeconds = statistics.verifySeconds
    acceptSeconds = statistics.acceptSeconds
    commitSeconds = statistics.commitSeconds
  }
}

/// Statistics for a person, two columns.
func statisticsTable(_ result: GenerationResult) -> [[String]] {
  let s = result.statistics
  func milliseconds(_ seconds: Double) -> String {
    formatDecimal(seconds * 1000 / Double(max(1, s.rounds)), places: 2)
  }
  let promptSpeed =
    s.promptSeconds > 0
    ? Double(s.promptTokens - s.cachedPromptTokens) / s.promptSeconds : 0
  var rows = [
    [
      "prompt",
      "\(s.promptTokens) tokens (\(s.cachedPromptTokens) cached), "
        + "\(formatDecimal(s.promptSeconds, places: 3)) s, "
        + "\(formatDecimal(promptSpeed, places: 1)) tokens/s",
    ],
    [
      "output",
      "\(s.tokens) tokens, \(formatDecimal(s.generationSeconds, places: 3)) s, "
        + "\(formatDecimal(s.tokensPerSecond, places: 1)) tokens/s after the first",
    ],
  ]
  guard s.drafted > 0 else { return rows }
  rows += [
    ["acceptance length τ", formatDecimal(s.acceptanceLength, places: 2)],
    [
      "accepted",
      "\(s.accepted) of \(s.drafted) drafted tokens "
        + "(\(formatDecimal(s.draftAcceptanceRate * 100, places: 1)) %) in \(s.rounds) rounds",
    ],
    [
      "milliseconds a round",
      "draft \(milliseconds(s.draftSeconds)), verify \(milliseconds(s.verifySeconds)), "
        + "accept \(milliseconds(s.acceptSeconds)), commit \(milliseconds(s.commitSeconds))",
    ],
  ]
  return rows
}
