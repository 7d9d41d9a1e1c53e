import Foundation
import GRDB
import Nunchi
import Speculation

/// A run that is being written. While it lives no other process writes to the same run.
public final class RunSession {
  public let database: RunDatabase
  public private(set) var run: StoredRun
  private let lock: FileLock?
  private var known: Set<Int32> = []

  /// Begins a run, or goes on with the one that has the same conditions. A question that not every
  /// configuration has answered to its end begins anew.
  /// - Throws: `EvaluationError` when another process writes to the run.
  public init(
    _ database: RunDatabase, conditions: BenchmarkConditions, command: [String],
    questions: [(number: Int, question: Question)]
  ) throws {
    self.database = database
    let key = conditions.key
    let id = try database.write { connection in
      try connection.execute(
        sql: """
          INSERT INTO run (key, conditions, command, costs) VALUES (?, ?, ?, '[]')
          ON CONFLICT (key) DO NOTHING
          """, arguments: [key, try StoredJSON.text(conditions), try StoredJSON.text(command)])
      return try Int64.fetchOne(
        connection, sql: "SELECT id FROM run WHERE key = ?", arguments: [key])
    }
    lock = try database.path.map { path in
      guard let lock = try FileLock(path: "\(path).run-\(id ?? 0).lock") else {
        throw EvaluationError.file(path: path, reason: "another process writes to this run")
      }
      return lock
    }
    try database.write { connection in
      for (number, question) in questions {
        try connection.execute(
          sql: """
            INSERT INTO question (run, number, id, category, language, turns)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
          arguments: [
            id, number, question.id, question.category, question.language,
            try StoredJSON.text(question.turns),
          ])
      }
      try connection.execute(
        sql: """
          DELETE FROM answer WHERE run = ? AND (question, repetition) IN (
            SELECT question, repetition FROM answer
            JOIN question ON question.run = answer.run AND question.id = answer.question
            WHERE answer.run = ? GROUP BY question, repetition
            HAVING count(*) < ? * json_array_length(question.turns))
          """, arguments: [id, id, 1 + conditions.drafters.count])
    }
    guard let run = try database.run(key: key) else {
      throw EvaluationError.file(path: database.path ?? "memory", reason: "the run is not there")
    }
    self.run = run
  }

  /// The questions that are answered.
  public func answered() throws -> Set<AskedQuestion> {
    let rows = try database.read { connection in
      try Row.fetchAll(
        connection, sql: "SELECT DISTINCT question, repetition FROM answer WHERE run = ?",
        arguments: [run.id])
    }
    return Set(
      rows.map { AskedQuestion(question: $0["question"], repetition: $0["repetition"]) })
  }

  /// Notes that drafters begin anew at a question.
  public func begin(_ question: AskedQuestion) throws {
    try database.write { try $0.begin(question, run: run.id) }
  }

  /// Adds an answer with its steps, whole or not at all.
  /// - Parameter bytes: what a token stands for.
  public func add(_ answer: Answer, bytes: (Int32) -> [UInt8]?) throws {
    let tokens = Set(
      answer.tokens + answer.steps.flatMap { $0.drafted + $0.proposals.flatMap(\.tokens) }
    ).subtracting(known)
    try database.write { connection in
      try connection.insert(answer, run: run.id)
      for token in tokens {
        guard let bytes = bytes(token) else { continue }
        try connection.execute(
          sql: "INSERT INTO token (run, id, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
          arguments: [run.id, token, Data(bytes)])
      }
    }
    known.formUnion(tokens)
  }

  /// Notes that a question's prompt is longer than the model's context; its answers go.
  public func leaveOut(_ question: Question) throws {
    try database.write { connection in
      try connection.execute(
        sql: "UPDATE question SET too_long = 1 WHERE run = ? AND id = ?",
        arguments: [run.id, question.id])
      try connection.execute(
        sql: "DELETE FROM answer WHERE run = ? AND question = ?",
        arguments: [run.id, question.id])
    }
  }

  /// Notes what is known when the answers are there.
  /// - Parameter peakMemory: bytes.
  public func note(costs: VerificationCosts?, peakMemory: Int?) throws {
    try database.write { connection in
      if let costs {
        try connection.execute(
          sql: "UPDATE run SET costs = ? WHERE id = ?",
          arguments: [try StoredJSON.text(costs.points), run.id])
      }
      if let peakMemory {
        try connection.execute(
          sql: "UPDATE run SET peak_memory = max(ifnull(peak_memory, 0), ?) WHERE id = ?",
          arguments: [peakMemory, run.id])
      }
    }
    run = try database.run(key: run.key) ?? run
  }
}

extension Database {
  func begin(_ question: AskedQuestion, run: Int64) throws {
    try execute(
      sql: """
        INSERT INTO start (run, repetition, question) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
        """, arguments: [run, question.repetition, question.question])
  }

  /// Adds an answer and its steps.
  func insert(_ answer: Answer, run: Int64) throws {
    let key = answer.key
    try execute(
      sql: """
        INSERT INTO answer (run, question, turn, repetition, configuration, place, prompt, tokens,
          text, finish, shared_prompt_seconds, own_prompt_seconds, joules, statistics)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run, key.question, key.turn, key.repetition, key.configuration, answer.place,
        try StoredJSON.text(answer.prompt), try StoredJSON.text(answer.tokens), answer.text,
        answer.finish, answer.sharedPromptSeconds, answer.ownPromptSeconds, answer.joules,
        try StoredJSON.text(answer.statistics),
      ])
    let id = lastInsertedRowID
    for (number, step) in answer.steps.enumerated() {
      try execute(
        sql: "INSERT INTO step (answer, number, trace) VALUES (?, ?, ?)",
        arguments: [id, number, try StoredJSON.text(step)])
    }
  }
}

/// A file that one process holds at a time; it is gone when nobody does.
final class FileLock {
  private let path: String
  private let descriptor: Int32

  /// - Returns: nil when another process holds it.
  /// - Throws: `EvaluationError.file`.
  init?(path: String) throws {
    self.path = path
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else {
        throw EvaluationError.file(path: path, reason: String(cString: strerror(errno)))
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        return nil
      }
      // The one who held it before may have removed the file since it was opened here.
      var (mine, there) = (stat(), stat())
      if fstat(descriptor, &mine) == 0, stat(path, &there) == 0, mine.st_ino == there.st_ino {
        self.descriptor = descriptor
        return
      }
      close(descriptor)
    }
  }

  deinit {
    unlink(path)
    close(descriptor)
  }
}
