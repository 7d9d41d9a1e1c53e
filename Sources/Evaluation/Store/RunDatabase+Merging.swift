import Foundation
import GRDB

extension RunDatabase {
  /// How many answers came, and how many were there already.
  public struct Merge: Sendable, Equatable {
    public var added = 0
    public var known = 0
  }

  /// Adds the runs of other databases. Runs of the same conditions become one; all of them come,
  /// or none.
  /// - Throws: `EvaluationError` where two have an answer and its tokens differ.
  public func merge(_ others: [RunDatabase]) throws -> Merge {
    var merge = Merge()
    try write { connection in
      for other in others { try self.merge(other, into: connection, &merge) }
    }
    return merge
  }

  private func merge(
    _ other: RunDatabase, into connection: Database, _ merge: inout Merge
  ) throws {
    for run in try other.runs() {
      try connection.execute(
        sql: """
          INSERT INTO run (key, conditions, command, costs, peak_memory) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (key) DO UPDATE SET
            peak_memory = max(ifnull(peak_memory, 0), ifnull(excluded.peak_memory, 0)),
            costs = CASE costs WHEN '[]' THEN excluded.costs ELSE costs END
          """,
        arguments: [
          run.key, try StoredJSON.text(run.conditions), try StoredJSON.text(run.command),
          try StoredJSON.text(run.costs), run.peakMemory,
        ])
      guard
        let id = try Int64.fetchOne(
          connection, sql: "SELECT id FROM run WHERE key = ?", arguments: [run.key])
      else { continue }
      let numbers = try other.read {
        try Row.fetchAll(
          $0, sql: "SELECT * FROM question WHERE run = ?", arguments: [run.id])
      }
      for row in numbers {
        try connection.execute(
          sql: """
            INSERT INTO question (run, number, id, category, language, turns, too_long)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET too_long = max(too_long, excluded.too_long)
            """,
          arguments: [
            id, row["number"], row["id"], row["category"], row["language"], row["turns"],
            row["too_long"],
          ])
      }
      for start in run.starts {
        try connection.begin(start, run: id)
      }
      for (token, bytes) in try other.tokens(of: run) {
        try connection.execute(
          sql: "INSERT INTO token (run, id, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
          arguments: [id, token, Data(bytes)])
      }
      for var answer in try other.answers(of: run) {
        let key = answer.key
        let known = try String.fetchOne(
          connection,
          sql: """
            SELECT tokens FROM answer WHERE run = ? AND question = ? AND turn = ?
              AND repetition = ? AND configuration = ?
            """,
          arguments: [id, key.question, key.turn, key.repetition, key.configuration])
        guard let known else {
          answer.steps = try other.steps(of: key, run: run)
          try connection.insert(answer, run: id)
          merge.added += 1
          continue
        }
        let tokens = try StoredJSON.text(answer.tokens)
        guard known == tokens else {
          throw EvaluationError.field(
            path: other.path ?? "memory",
            field: "question \(key.question), turn \(key.turn + 1), \(key.configuration)",
            expected: "the answer that \(path ?? "memory") has", found: "another")
        }
        merge.known += 1
      }
    }
  }
}
