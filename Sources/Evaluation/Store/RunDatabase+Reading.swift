import Foundation
import GRDB
import Nunchi
import Speculation

/// A run as it is stored.
public struct StoredRun: Sendable, Equatable {
  let id: Int64
  /// Tells it from runs of other conditions.
  public let key: String
  public let conditions: BenchmarkConditions
  /// The arguments of the command that began it.
  public let command: [String]
  /// What the target's passes cost; empty where nobody measured it.
  public let costs: [VerificationCosts.Point]
  /// Bytes.
  public let peakMemory: Int?
  /// Where drafters began anew, repetition by repetition, in the suite's order; empty where they do
  /// so at each question.
  public let starts: [AskedQuestion]

  /// Plain decoding, then what it is compared with.
  public var configurations: [String] {
    [BenchmarkConfiguration.plain.name] + conditions.drafters
  }
}

/// A row of a table. Decoding it throws where the file holds something else than the table wants.
private protocol StoredRow: Decodable, FetchableRecord {}

extension StoredRow {
  static var databaseColumnDecodingStrategy: DatabaseColumnDecodingStrategy {
    .convertFromSnakeCase
  }
}

private struct RunRow: StoredRow {
  var id: Int64
  var key: String
  var conditions: String
  var command: String
  var costs: String
  var peakMemory: Int?
}

private struct QuestionRow: StoredRow {
  var id: String
  var category: String
  var language: String?
  var turns: String
  var tooLong: Bool
}

private struct AnswerRow: StoredRow {
  var question: String
  var turn: Int
  var repetition: Int
  var configuration: String
  var place: Int
  var prompt: String
  var tokens: String
  var text: String
  var finish: String?
  var sharedPromptSeconds: Double
  var ownPromptSeconds: Double
  var joules: Double?
  var statistics: String
}

private struct TokenRow: StoredRow {
  var id: Int32
  var bytes: Data
}

extension RunDatabase {
  /// All runs, the oldest first.
  public func runs() throws -> [StoredRun] {
    try read { try RunRow.fetchAll($0, sql: "SELECT * FROM run ORDER BY id") }.map(run)
  }

  func run(key: String) throws -> StoredRun? {
    try read { try RunRow.fetchOne($0, sql: "SELECT * FROM run WHERE key = ?", arguments: [key]) }
      .map(run)
  }

  private func run(_ row: RunRow) throws -> StoredRun {
    let starts = try read {
      try Row.fetchAll(
        $0,
        sql: """
          SELECT start.question, start.repetition FROM start
          JOIN question ON question.run = start.run AND question.id = start.question
          WHERE start.run = ? ORDER BY start.repetition, question.number
          """, arguments: [row.id])
    }
    return StoredRun(
      id: row.id, key: row.key, conditions: try json(row.conditions, "run.conditions"),
      command: try json(row.command, "run.command"), costs: try json(row.costs, "run.costs"),
      peakMemory: row.peakMemory,
      starts: starts.map {
        AskedQuestion(question: $0["question"], repetition: $0["repetition"])
      })
  }

  private func json<Value: Decodable>(_ text: String, _ field: String) throws -> Value {
    try StoredJSON.value(text, field: field, path: path)
  }

  /// The questions of a run, in the suite's order, and the ids of those that were left out because
  /// their prompts are longer than the model's context.
  public func questions(of run: StoredRun) throws -> (questions: [Question], tooLong: [String]) {
    let rows = try read {
      try QuestionRow.fetchAll(
        $0, sql: "SELECT * FROM question WHERE run = ? ORDER BY number, id", arguments: [run.id])
    }
    return (
      try rows.map {
        Question(
          id: $0.id, category: $0.category, language: $0.language,
          turns: try json($0.turns, "question.turns"))
      },
      rows.filter(\.tooLong).map(\.id)
    )
  }

  /// The records of all questions that every configuration has answered, repetition by repetition,
  /// in the suite's order.
  public func records(of run: StoredRun) throws -> [QuestionRecord] {
    let questions = try questions(of: run).questions
    var answers: [AnswerKey: Answer] = [:]
    for answer in try self.answers(of: run) { answers[answer.key] = answer }
    let repetitions = 1 + (answers.keys.map(\.repetition).max() ?? 0)
    var records: [QuestionRecord] = []
    for repetition in 0..<repetitions {
      for question in questions {
        let turns = run.configurations.map { configuration in
          question.turns.indices.compactMap {
            answers[
              AnswerKey(
                question: question.id, turn: $0, repetition: repetition,
                configuration: configuration)]
          }
        }
        guard turns.allSatisfy({ $0.count == question.turns.count }) else { continue }
        for (configuration, mine) in zip(run.configurations, turns) {
          records.append(
            QuestionRecord(
              question: question.id, category: question.category, language: question.language,
              repetition: repetition, configuration: configuration,
              turns: zip(mine, turns[0]).map { TurnRecord($0, plain: $1.tokens) }))
        }
      }
    }
    return records
  }

  /// Answers of a run, without their steps, in the order in which they were written.
  public func answers(of run: StoredRun, configuration: String? = nil) throws -> [Answer] {
    try read { database in
      try AnswerRow.fetchAll(
        database,
        sql: """
          SELECT * FROM answer WHERE run = ? AND configuration = ifnull(?, configuration)
          ORDER BY id
          """, arguments: [run.id, configuration])
    }.map(answer)
  }

  private func answer(_ row: AnswerRow) throws -> Answer {
    Answer(
      key: AnswerKey(
        question: row.question, turn: row.turn, repetition: row.repetition,
        configuration: row.configuration),
      place: row.place, prompt: try json(row.prompt, "answer.prompt"),
      tokens: try json(row.tokens, "answer.tokens"), text: row.text, finish: row.finish,
      sharedPromptSeconds: row.sharedPromptSeconds, ownPromptSeconds: row.ownPromptSeconds,
      joules: row.joules, statistics: try json(row.statistics, "answer.statistics"), steps: [])
  }

  /// The steps of one answer; none where it is not there.
  public func steps(of key: AnswerKey, run: StoredRun) throws -> [StepTrace] {
    try read { database in
      try String.fetchAll(
        database,
        sql: """
          SELECT trace FROM step JOIN answer ON answer.id = step.answer
          WHERE run = ? AND question = ? AND turn = ? AND repetition = ? AND configuration = ?
          ORDER BY number
          """,
        arguments: [run.id, key.question, key.turn, key.repetition, key.configuration])
    }.map { try json($0, "step.trace") }
  }

  /// The steps of all answers of a configuration, one answer after another.
  public func steps(of configuration: String, run: StoredRun) throws -> [StepTrace] {
    try read { database in
      try String.fetchAll(
        database,
        sql: """
          SELECT trace FROM step JOIN answer ON answer.id = step.answer
          WHERE run = ? AND configuration = ? ORDER BY answer, number
          """, arguments: [run.id, configuration])
    }.map { try json($0, "step.trace") }
  }

  /// What the tokens of a run stand for.
  public func tokens(of run: StoredRun) throws -> [Int32: [UInt8]] {
    let rows = try read {
      try TokenRow.fetchAll(
        $0, sql: "SELECT id, bytes FROM token WHERE run = ?", arguments: [run.id])
    }
    return Dictionary(rows.map { ($0.id, Array($0.bytes)) }, uniquingKeysWith: { $1 })
  }
}
