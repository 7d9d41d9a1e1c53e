import Nunchi
import Speculation

/// A benchmark's figures, with what they depend on and what they are computed from.
public struct BenchmarkReport: Sendable, Equatable, Encodable {
  public var conditions: BenchmarkConditions
  /// What the drafters knew, and the order of the questions, in words; nil where nobody drafts.
  public var drafterMemory: String?
  /// Where drafters began anew; empty where they did so at each question.
  public var starts: [AskedQuestion]
  /// The questions that were to be asked, and those that were.
  public var questions: Int
  public var asked: Int
  /// Questions left out because their prompts are longer than the model's context.
  public var tooLong: [String]
  /// Figures of each category and language, and overall.
  public var groups: [GroupFigures]
  public var records: [QuestionRecord]
  /// Of each drafter whose steps are known.
  public var regrets: [RegretFigures]
  /// Where the drafts of each drafter are right, by its name.
  public var analyses: [String: AcceptanceAnalysis]
  /// How well the scores of the drafters that each configuration asked fit, by its name.
  public var calibrations: [String: [ScoreCalibration]]

  /// Computes the figures of a run.
  public init(_ run: StoredRun, in database: RunDatabase) throws {
    let (all, tooLong) = try database.questions(of: run)
    conditions = run.conditions
    drafterMemory = run.drafterMemory
    starts = run.starts
    questions = all.count
    self.tooLong = tooLong
    records = try database.records(of: run)
    asked = Set(records.map(\.question)).count
    groups = GroupFigures.all(records, drafters: conditions.drafters)
    (regrets, analyses, calibrations) = ([], [:], [:])
    let bytes = try database.tokens(of: run)
    let costs = try? VerificationCosts(points: run.costs)
    for drafter in conditions.drafters {
      let steps = try database.steps(of: drafter, run: run)
      guard !steps.isEmpty else { continue }
      if let costs, let regret = RegretFigures(drafter: drafter, traces: steps, costs: costs) {
        regrets.append(regret)
      }
      analyses[drafter] = AcceptanceAnalysis(steps, bytes: bytes)
      calibrations[drafter] = ScoreCalibration.all(steps)
    }
  }

  /// Whether all outputs are those of plain decoding.
  public var isIdentical: Bool {
    groups.allSatisfy { $0.methods.allSatisfy(\.isIdentical) }
  }
}
