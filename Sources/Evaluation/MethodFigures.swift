import Nunchi

/// How a configuration did on some questions, against plain decoding of the same ones. Times and
/// tokens are summed before they are divided, so that a question counts by its length.
public struct MethodFigures: Sendable, Equatable, Codable {
  /// The configuration's name.
  public var drafter: String
  public var questions: Int
  /// Generated tokens, the first of each answer included.
  public var tokens: Int
  /// Tokens after the first of each answer by the time that they took.
  public var plainTokensPerSecond: Double
  public var tokensPerSecond: Double
  /// Plain generation time by that of the configuration, without the prompts.
  public var speedup: Double
  /// The 95 % interval of `speedup` over questions; nil when there are too few.
  public var speedupInterval: ConfidenceInterval?
  /// The same with the prompts, whose one computation counts for both.
  public var speedupWithPrompt: Double
  /// τ = 1 + Σa/R
  public var acceptanceLength: Double
  /// Σa/Σk
  public var draftAcceptanceRate: Double
  /// The share of generation time that drafting took.
  public var draftShare: Double
  /// The share of verified rows that gave no token.
  public var wastedRows: Double
  /// Answers that are not, token for token, those of plain decoding.
  public var mismatches: Int

  /// Whether the outputs are those of plain decoding.
  public var isIdentical: Bool { mismatches == 0 }

  /// - Parameters:
  ///   - records: those of one configuration.
  ///   - plain: those of plain decoding for the same questions, in the same order.
  public init(_ records: [QuestionRecord], plain: [QuestionRecord]) {
    precondition(
      records.map(\.question) == plain.map(\.question), "both have the same questions")
    func sum(_ records: [QuestionRecord]) -> SpeculationStatistics {
      records.reduce(into: SpeculationStatistics([])) { $0.merge($1.statistics) }
    }
    func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 1 }
    let (mine, theirs) = (sum(records), sum(plain))
    drafter = records.first?.configuration ?? ""
    questions = records.count
    tokens = mine.tokens
    plainTokensPerSecond = theirs.tokensPerSecond
    tokensPerSecond = mine.tokensPerSecond
    speedup = ratio(theirs.generationSeconds, mine.generationSeconds)
    // Answers of one token have no time after the first: they say nothing about speed.
    speedupInterval = RatioBootstrap().interval(
      zip(plain, records).map {
        ($0.statistics.generationSeconds, $1.statistics.generationSeconds)
      }.filter { $0.1 > 0 })
    speedupWithPrompt = ratio(
      plain.reduce(0) { $0 + $1.secondsWithPrompt },
      records.reduce(0) { $0 + $1.secondsWithPrompt })
    acceptanceLength = mine.acceptanceLength
    draftAcceptanceRate = mine.draftAcceptanceRate
    draftShare = mine.generationSeconds > 0 ? mine.draftSeconds / mine.generationSeconds : 0
    wastedRows = mine.wastedRows
    mismatches = records.reduce(0) { $0 + $1.turns.count { $0.mismatch != nil } }
  }
}

/// The figures of all configurations for one group of questions.
public struct GroupFigures: Sendable, Equatable, Codable {
  public var category: String
  public var methods: [MethodFigures]

  /// Figures of every category, and overall.
  /// - Parameter records: those of whole questions: for each one, plain decoding and all drafters.
  public static func all(_ records: [QuestionRecord], drafters: [String]) -> [GroupFigures] {
    let plainName = BenchmarkConfiguration.plain.name
    return CategoryGroup.groups(of: records.map(\.category)).map { group in
      let mine = records.filter { group.categories.contains($0.category) }
      let plain = mine.filter { $0.configuration == plainName }
      return GroupFigures(
        category: group.name,
        methods: drafters.map { name in
          MethodFigures(mine.filter { $0.configuration == name }, plain: plain)
        })
    }
  }
}
