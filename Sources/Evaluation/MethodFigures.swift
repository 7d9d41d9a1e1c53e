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
  /// The standard deviation of the speedup over repetitions; nil when there is one only.
  public var speedupDeviation: Double?
  /// The same with the prompts, whose one computation counts for both.
  public var speedupWithPrompt: Double
  /// τ = 1 + Σa/R
  public var acceptanceLength: Double
  /// Σa/Σk
  public var draftAcceptanceRate: Double
  /// P_i: the share of rounds that accepted at least i tokens, for i = 1, 2, …
  public var perPositionRates: [Double]
  /// Characters of the answers by the time that all of their tokens took, prompts left out.
  public var charactersPerSecond: Double
  /// Tokens of an answer by its characters: how dear the language is to this tokenizer.
  public var fertility: Double
  /// The share of generation time that drafting took.
  public var draftShare: Double
  /// The share of verified rows that gave no token.
  public var wastedRows: Double
  /// Energy by that of plain decoding, and joules a token; nil where the machine does not tell.
  public var energyRatio: Double?
  public var joulesPerToken: Double?
  /// Answers that are not, token for token, those of plain decoding.
  public var mismatches: Int

  /// Whether the outputs are those of plain decoding.
  public var isIdentical: Bool { mismatches == 0 }

  /// - Parameters:
  ///   - records: those of one configuration.
  ///   - plain: those of plain decoding for the same questions, in the same order.
  public init(_ records: [QuestionRecord], plain: [QuestionRecord]) {
    precondition(
      records.map(\.question) == plain.map(\.question)
        && records.map(\.repetition) == plain.map(\.repetition), "both have the same questions")
    func sum(_ records: [QuestionRecord]) -> SpeculationStatistics {
      records.reduce(into: SpeculationStatistics([])) { $0.merge($1.statistics) }
    }
    func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 1 }
    let (mine, theirs) = (sum(records), sum(plain))
    drafter = records.first?.configuration ?? ""
    questions = Set(records.map(\.question)).count
    tokens = mine.tokens
    plainTokensPerSecond = theirs.tokensPerSecond
    tokensPerSecond = mine.tokensPerSecond
    speedup = ratio(theirs.generationSeconds, mine.generationSeconds)
    let times = zip(plain, records).map {
      (record: $1, plain: $0.statistics.generationSeconds, own: $1.statistics.generationSeconds)
    }
    func sums<Key: Hashable>(by key: (QuestionRecord) -> Key) -> [(Double, Double)] {
      var order: [Key] = []
      var sums: [Key: (Double, Double)] = [:]
      for time in times {
        let key = key(time.record)
        if sums[key] == nil { order.append(key) }
        let sum = sums[key] ?? (0, 0)
        sums[key] = (sum.0 + time.plain, sum.1 + time.own)
      }
      // Answers of one token have no time after the first: they say nothing about speed.
      return order.compactMap { sums[$0] }.filter { $0.1 > 0 }
    }
    speedupInterval = RatioBootstrap().interval(sums(by: \.question))
    speedupDeviation = Self.deviation(sums(by: \.repetition).map { $0.0 / $0.1 })
    speedupWithPrompt = ratio(
      plain.reduce(0) { $0 + $1.secondsWithPrompt },
      records.reduce(0) { $0 + $1.secondsWithPrompt })
    acceptanceLength = mine.acceptanceLength
    draftAcceptanceRate = mine.draftAcceptanceRate
    perPositionRates = mine.perPositionRates
    let characters = records.reduce(0) { $0 + $1.turns.reduce(0) { $0 + $1.characters } }
    charactersPerSecond =
      mine.tokens > 0 ? tokensPerSecond * Double(characters) / Double(mine.tokens) : 0
    fertility = characters > 0 ? Double(mine.tokens) / Double(characters) : 0
    func joules(_ records: [QuestionRecord]) -> Double? {
      let known = records.flatMap(\.turns).compactMap(\.joules)
      return known.count == records.reduce(0) { $0 + $1.turns.count } && !known.isEmpty
        ? known.reduce(0, +) : nil
    }
    joulesPerToken = joules(records).map { $0 / Double(max(1, mine.tokens)) }
    energyRatio = joules(plain).flatMap { plain in joules(records).map { ratio($0, plain) } }
    draftShare = mine.generationSeconds > 0 ? mine.draftSeconds / mine.generationSeconds : 0
    wastedRows = mine.wastedRows
    mismatches = records.reduce(0) { $0 + $1.turns.count { $0.mismatch != nil } }
  }

  /// Of a sample; nil of fewer than two.
  static func deviation(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }
}

/// The figures of all configurations for one group of questions.
public struct GroupFigures: Sendable, Equatable, Codable {
  /// What the questions of a group have in common.
  public enum Kind: String, Sendable, Codable {
    case category, language, overall
  }

  public var kind: Kind
  public var name: String
  public var methods: [MethodFigures]
  /// Plain decoding, or the server that was asked; nil where nothing was answered.
  public var plain: MethodFigures?

  /// Figures of every category, of every language where the suite tells them, and overall.
  /// - Parameter records: those of whole questions: for each one, plain decoding and all drafters.
  public static func all(_ records: [QuestionRecord], drafters: [String]) -> [GroupFigures] {
    var languages: [String] = []
    for case let language? in records.map(\.language) where !languages.contains(language) {
      languages.append(language)
    }
    let categories = CategoryGroup.groups(of: records.map(\.category))
    return categories.map { group in
      figures(.category, group.name, records, drafters) { group.categories.contains($0.category) }
    }
      + languages.map { language in
        figures(.language, language, records, drafters) { $0.language == language }
      } + [figures(.overall, "overall", records, drafters) { _ in true }]
  }

  private static func figures(
    _ kind: Kind, _ name: String, _ records: [QuestionRecord], _ drafters: [String],
    where isIn: (QuestionRecord) -> Bool
  ) -> GroupFigures {
    let mine = records.filter(isIn)
    let plain = mine.filter { $0.configuration == BenchmarkConfiguration.plain.name }
    return GroupFigures(
      kind: kind, name: name,
      methods: drafters.map { drafter in
        MethodFigures(mine.filter { $0.configuration == drafter }, plain: plain)
      }, plain: plain.isEmpty ? nil : MethodFigures(plain, plain: plain))
  }
}
