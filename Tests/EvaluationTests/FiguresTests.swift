import Foundation
import Nunchi
import Testing

@testable import Evaluation

@Suite struct FiguresTests {
  /// A long question that gains much, and a short one that loses.
  private static let twoQuestions =
    records(
      "1", "writing",
      plain: [promptStep(verify: 10)]
        + Array(repeating: round(drafted: 0, accepted: 0, verify: 1), count: 8),
      drafter: [promptStep(verify: 1, draft: 0.5)]
        + Array(repeating: round(drafted: 4, accepted: 3, verify: 1.5, draft: 0.5), count: 2))
    + records(
      "2", "qa",
      plain: [promptStep(verify: 1)] + [round(drafted: 0, accepted: 0, verify: 1)],
      drafter: [promptStep(verify: 10)] + [round(drafted: 2, accepted: 0, verify: 1.5, draft: 0.5)])

  private func figures(_ records: [QuestionRecord]) -> MethodFigures {
    MethodFigures(
      records.filter { $0.configuration == "d" },
      plain: records.filter { $0.configuration == "plain" })
  }

  @Test("figures are those computed by hand")
  func byHand() {
    let figures = figures(Self.twoQuestions)
    #expect(figures.questions == 2)
    #expect(figures.tokens == 11)  // 1 + 8, 1 + 1
    #expect(figures.plainTokensPerSecond == 1)  // 9 tokens in 9 s
    #expect(figures.tokensPerSecond == 1.5)  // 9 tokens in 4 s + 2 s
    #expect(figures.speedup == 1.5)  // 9 s / 6 s: sums, not the mean of 2 and 1/2
    #expect(figures.acceptanceLength == 3)  // 1 + 6 / 3
    #expect(figures.draftAcceptanceRate == 0.6)  // 6 of 10
    #expect(figures.draftShare == 0.25)  // 1.5 s of 6 s
    let wasted: Double = 4.0 / 13  // 9 tokens of 13 rows
    #expect(abs(figures.wastedRows - wasted) < 1e-12)
    #expect(figures.isIdentical)
  }

  @Test("the prompt's one computation counts for all, whoever came first")
  func withPrompt() {
    // Prompts: 10 s each, whatever the steps say; the drafter's own 0.5 s only for it.
    #expect(figures(Self.twoQuestions).speedupWithPrompt == 29 / 26.5)
  }

  @Test("an output that is another, or only shorter, is no identical one")
  func mismatches() {
    let plain = [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 1)]
    var other = plain
    other[1].tokens = [8]
    let wrong = records("1", plain: plain, drafter: other)
    #expect(wrong[1].turns[0].mismatch == .init(index: 1, expected: 7, found: 8))
    #expect(figures(wrong).mismatches == 1)
    #expect(!figures(wrong).isIdentical)
    let short = records("1", plain: plain, drafter: [plain[0]])
    #expect(short[1].turns[0].mismatch == .init(index: 1, expected: 7, found: nil))
    #expect(wrong[0].turns[0].mismatch == nil)
  }

  @Test("answers of one token, which have no time, give no speedup and no interval")
  func oneToken() {
    let nothing = [promptStep(verify: 1)]
    let figures = figures(
      records("1", plain: nothing, drafter: nothing)
        + records("2", plain: nothing, drafter: nothing))
    #expect(figures.speedup == 1)
    #expect(figures.speedupInterval == nil)
    #expect(figures.tokensPerSecond == 0)
  }

  @Test("groups have the figures of their categories' questions, and overall those of all")
  func groups() {
    let groups = GroupFigures.all(Self.twoQuestions, drafters: ["d"])
    #expect(groups.map(\.name) == ["writing", "mt-bench", "qa", "overall"])
    #expect(groups.map { $0.methods.map(\.drafter) } == Array(repeating: ["d"], count: 4))
    #expect(groups.map { $0.methods[0].speedup } == [2, 2, 0.5, 1.5])
    #expect(groups[3].methods[0] == figures(Self.twoQuestions))
  }

  @Test("a suite that tells languages has a group for each")
  func languages() {
    let plain = [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 1)]
    let fast = [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 0.5)]
    let groups = GroupFigures.all(
      records("1", language: "ko", plain: plain, drafter: fast)
        + records("2", language: "de", plain: plain, drafter: plain), drafters: ["d"])
    #expect(groups.map(\.kind) == [.category, .language, .language, .overall])
    #expect(groups.map(\.name) == ["qa", "ko", "de", "overall"])
    let mean: Double = 4.0 / 3
    let expected: [Double] = [mean, 2, 1, mean]
    #expect(groups.map { $0.methods[0].speedup } == expected)
  }

  @Test("characters, as readers count them, by tokens and by time")
  func characters() {
    let figures = figures(Self.twoQuestions)
    // 11 tokens for two texts of 5 characters; 9 tokens in 6 s.
    let fertility: Double = 11.0 / 10
    let speed: Double = 1.5 * 10.0 / 11
    #expect(figures.fertility == fertility)
    #expect(abs(figures.charactersPerSecond - speed) < 1e-12)
    // Rounds that accepted one token or more, two or more, three: two of three.
    let rate: Double = 2.0 / 3
    #expect(figures.perPositionRates == [rate, rate, rate])
  }

  @Test("repetitions of a question deviate; the interval is over questions, not over them")
  func repetitions() {
    let plain = [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 2)]
    let fast = [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 1)]
    let figures = figures(
      records("1", plain: plain, drafter: fast)
        + records("1", repetition: 1, plain: plain, drafter: plain))
    #expect(figures.questions == 1)
    let (speedup, deviation): (Double, Double) = (4.0 / 3, 0.5.squareRoot())
    #expect(figures.speedup == speedup)
    // Speedups of 2 and 1: mean 1.5, deviation √0.5.
    #expect(figures.speedupDeviation == deviation)
    #expect(figures.speedupInterval == nil)
  }

  @Test("a report of nothing is empty, not an error")
  func empty() throws {
    let session = try RunSession(
      RunDatabase(path: nil), conditions: conditions(), command: [], questions: [])
    let report = try BenchmarkReport(session.run, in: session.database)
    #expect(report.asked == 0)
    #expect(report.groups.map(\.name) == ["overall"])
    #expect(report.isIdentical)
  }

  @Test("merged statistics are those of all traces together")
  func merge() {
    let a = [promptStep(verify: 1), round(drafted: 3, accepted: 2, verify: 1, draft: 0.25)]
    let b = [
      promptStep(verify: 2), round(drafted: 1, accepted: 1, verify: 2),
      round(drafted: 0, accepted: 0, verify: 4),
    ]
    var merged = SpeculationStatistics(a)
    merged.merge(SpeculationStatistics(b))
    #expect(merged == SpeculationStatistics(a + b))
    var empty = SpeculationStatistics([])
    empty.merge(SpeculationStatistics([]))
    #expect(empty == SpeculationStatistics([]))
  }
}

@Suite struct BootstrapTests {
  @Test("questions that are all alike leave no doubt")
  func alike() throws {
    let interval = try #require(
      RatioBootstrap().interval(Array(repeating: (numerator: 3, denominator: 2), count: 10)))
    #expect(interval == ConfidenceInterval(low: 1.5, high: 1.5))
  }

  @Test("the interval of a mean is the normal one, as far as theory says")
  func normal() throws {
    // 0 and 2 in equal parts: mean 1, standard error 1/√400 = 0.05.
    let pairs = (0..<400).map { (numerator: Double($0 % 2 * 2), denominator: 1.0) }
    var bootstrap = RatioBootstrap()
    bootstrap.resamples = 4000
    let interval = try #require(bootstrap.interval(pairs))
    let (low, high, quartile): (Double, Double, Double) = (0.902, 1.098, 1.0337)
    #expect(abs(interval.low - low) < 0.01)
    #expect(abs(interval.high - high) < 0.01)
    bootstrap.confidence = 0.5
    let half = try #require(bootstrap.interval(pairs))
    #expect(abs(half.high - quartile) < 0.01)
  }

  @Test("two questions can be drawn in three ways, whose extremes are the interval")
  func two() throws {
    let interval = try #require(
      RatioBootstrap().interval([(numerator: 4, denominator: 2), (numerator: 1, denominator: 2)]))
    #expect(interval == ConfidenceInterval(low: 0.5, high: 2))
  }

  @Test("the same seed gives the same interval, another seed another one")
  func seed() {
    let pairs = (1...9).map { (numerator: Double($0 * $0), denominator: Double($0)) }
    var other = RatioBootstrap()
    other.seed = 1
    #expect(RatioBootstrap().interval(pairs) == RatioBootstrap().interval(pairs))
    #expect(RatioBootstrap().interval(pairs) != other.interval(pairs))
  }

  @Test("one question, none, or one without time give no interval")
  func few() {
    #expect(RatioBootstrap().interval([]) == nil)
    #expect(RatioBootstrap().interval([(numerator: 1, denominator: 1)]) == nil)
    #expect(
      RatioBootstrap().interval([(numerator: 1, denominator: 1), (numerator: 1, denominator: 0)])
        == nil)
  }
}
