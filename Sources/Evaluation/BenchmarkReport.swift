/// A benchmark's figures, with what they depend on and what they are computed from.
public struct BenchmarkReport: Sendable, Equatable, Encodable {
  public var conditions: BenchmarkConditions
  /// The questions that were to be asked, and those that were.
  public var questions: Int
  public var asked: Int
  /// Questions left out because their prompts are longer than the model's context.
  public var tooLong: [String]
  /// Figures of each category, and overall.
  public var categories: [GroupFigures]
  public var records: [QuestionRecord]
  /// Of each drafter whose steps this run has seen.
  public var regrets: [RegretFigures] = []

  /// - Parameter records: those of whole questions.
  public init(
    conditions: BenchmarkConditions, questions: Int, tooLong: [String], records: [QuestionRecord]
  ) {
    self.conditions = conditions
    self.questions = questions
    self.tooLong = tooLong
    self.records = records
    asked = records.count { $0.configuration == BenchmarkConfiguration.plain.name }
    categories = GroupFigures.all(records, drafters: conditions.drafters)
  }

  /// Whether all outputs are those of plain decoding.
  public var isIdentical: Bool {
    categories.allSatisfy { $0.methods.allSatisfy(\.isIdentical) }
  }
}
