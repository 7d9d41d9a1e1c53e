import Foundation

/// What judgements come to.
public struct JudgeFigures: Sendable, Equatable, Codable {
  /// The ratings of a player by a judge, for one turn.
  public struct Rating: Sendable, Equatable, Codable {
    public var judge: String
    public var player: String
    public var turn: Int
    public var count: Int
    /// nil where no text has a rating.
    public var mean: Double?
    public var interval: ConfidenceInterval?
    /// Texts without a verdict; they are in no mean.
    public var failures: Int
  }

  /// A pair of players, over all questions that were judged in both orders.
  public struct Pair: Sendable, Equatable, Codable {
    public var judge: String
    public var player: String
    public var other: String
    public var turn: Int
    public var wins = 0
    public var losses = 0
    public var ties = 0
    /// Ties because the verdict followed the place: another one in the other order.
    public var inconsistent = 0
    /// Questions of which one order or both have no verdict; they are in no rate.
    public var failures = 0
    /// Wins and half of the ties, by all of the three; nil where there is none of them.
    public var winRate: Double?
    public var interval: ConfidenceInterval?
  }

  /// How often two judges say the same of the same thing.
  public struct Agreement: Sendable, Equatable, Codable {
    public var judge: String
    public var other: String
    public var count: Int
    public var share: Double
    /// Cohen's κ: agreement beyond chance.
    public var kappa: Double
  }

  /// A text without a verdict.
  public struct Failure: Sendable, Equatable, Codable {
    public var judge: String
    public var question: String
    public var turn: Int
    public var player: String
    public var other: String?
    public var text: String
  }

  public var ratings: [Rating] = []
  public var pairs: [Pair] = []
  /// Of verdicts on pairs, and of ratings put in three classes (1–4, 5–7, 8–10).
  public var agreements: [Agreement] = []
  public var failed: [Failure] = []

  public init(_ judgements: [Judgement]) {
    let single = judgements.filter { $0.second == nil }
    for key in single.map({ [$0.judge, $0.first, "\($0.turn)"] }).uniqued() {
      let mine = single.filter { [$0.judge, $0.first, "\($0.turn)"] == key }
      let values = mine.compactMap { $0.rating.map(Double.init) }
      ratings.append(
        Rating(
          judge: key[0], player: key[1], turn: Int(key[2]) ?? 1, count: values.count,
          mean: values.isEmpty ? nil : values.reduce(0, +) / Double(values.count),
          interval: RatioBootstrap().interval(values.map { ($0, 1) }),
          failures: mine.count - values.count))
    }
    failed = judgements.filter(\.isFailure).map {
      Failure(
        judge: $0.judge, question: $0.question, turn: $0.turn, player: $0.first, other: $0.second,
        text: $0.text)
    }
    let double = judgements.filter { $0.second != nil }
    // Each pair once, by the player that comes first.
    let keys = double.map { judgement in
      [judgement.judge, "\(judgement.turn)"]
        + [judgement.first, judgement.second ?? ""].sorted()
    }.uniqued()
    for key in keys {
      pairs.append(Self.pair(key, double))
    }
    for (index, judge) in judgements.map(\.judge).uniqued().enumerated() {
      for other in judgements.map(\.judge).uniqued().dropFirst(index + 1) {
        if let agreement = Self.agreement(judge, other, judgements) { agreements.append(agreement) }
      }
    }
  }

  private static func pair(_ key: [String], _ judgements: [Judgement]) -> Pair {
    var pair = Pair(judge: key[0], player: key[2], other: key[3], turn: Int(key[1]) ?? 1)
    let mine = judgements.filter {
      $0.judge == pair.judge && $0.turn == pair.turn
        && [$0.first, $0.second ?? ""].sorted() == [pair.player, pair.other]
    }
    var scores: [Double] = []
    for question in mine.map(\.question).uniqued() {
      let here = mine.filter { $0.question == question }
      let forward = here.first { $0.first == pair.player }
      let backward = here.first { $0.first == pair.other }
      guard let one = forward?.winner, let two = backward?.winner else {
        pair.failures += 1
        continue
      }
      switch (one, two) {
      case ("A", "B"):
        pair.wins += 1
        scores.append(1)
      case ("B", "A"):
        pair.losses += 1
        scores.append(0)
      default:
        pair.ties += 1
        pair.inconsistent += (one, two) == ("C", "C") ? 0 : 1
        scores.append(0.5)
      }
    }
    if !scores.isEmpty { pair.winRate = scores.reduce(0, +) / Double(scores.count) }
    pair.interval = RatioBootstrap().interval(scores.map { ($0, 1) })
    return pair
  }

  private static func agreement(
    _ judge: String, _ other: String, _ judgements: [Judgement]
  ) -> Agreement? {
    func verdicts(_ name: String) -> [[String]: String] {
      var verdicts: [[String]: String] = [:]
      for judgement in judgements where judgement.judge == name && !judgement.isFailure {
        let key = [
          judgement.question, "\(judgement.turn)", judgement.first, judgement.second ?? "",
        ]
        verdicts[key] =
          judgement.winner ?? judgement.rating.map { $0 < 5 ? "low" : $0 < 8 ? "middle" : "high" }
      }
      return verdicts
    }
    let (mine, theirs) = (verdicts(judge), verdicts(other))
    let common = mine.compactMap { key, verdict in theirs[key].map { (verdict, $0) } }
    guard !common.isEmpty else { return nil }
    let count = Double(common.count)
    let share = Double(common.count { $0.0 == $0.1 }) / count
    let chance = Set(common.map(\.0)).reduce(0.0) { sum, verdict in
      sum + Double(common.count { $0.0 == verdict }) / count
        * Double(common.count { $0.1 == verdict }) / count
    }
    return Agreement(
      judge: judge, other: other, count: common.count, share: share,
      kappa: chance < 1 ? (share - chance) / (1 - chance) : 1)
  }
}
