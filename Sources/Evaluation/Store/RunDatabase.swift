import Foundation
import GRDB
import ModelFiles
import Nunchi
import Speculation

/// Runs of benchmarks in an SQLite database.
///
/// A run is told from others by its conditions. Its answers are written as they come, one in a
/// transaction, with every step's trace; so whatever a kill leaves is whole. Several runs may be
/// written at the same time.
///
///     let database = try RunDatabase(path: "results.db")
///     for run in try database.runs() { print(run.conditions.model, try database.records(of: run)) }
public final class RunDatabase: Sendable {
  /// nil for one in memory.
  public let path: String?
  let queue: DatabaseQueue

  /// "Nnch", which tells our databases from others.
  static let applicationID = 0x4E6E_6368

  /// Opens a database, or makes it.
  /// - Parameter path: nil keeps it in memory.
  /// - Throws: `EvaluationError` when the file cannot be opened or is of another kind.
  public init(path: String?) throws {
    self.path = path
    var configuration = Configuration()
    configuration.busyMode = .timeout(60)
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA foreign_keys = ON") }
    if let path {
      configuration.journalMode = .wal
      try Self.check(path)
      queue = try Self.telling(path) { try DatabaseQueue(path: path, configuration: configuration) }
    } else {
      queue = try DatabaseQueue(configuration: configuration)
    }
    try Self.telling(path) {
      let migrator = Self.migrator
      if try queue.read(migrator.hasBeenSuperseded) {
        throw EvaluationError.field(
          path: path ?? "memory", field: "schema",
          expected: migrator.migrations.last ?? "", found: "that of a newer version")
      }
      try migrator.migrate(queue)
    }
  }

  /// Opens a database that is there.
  public convenience init(existing path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw EvaluationError.file(path: path, reason: "expected a database of runs, found none")
    }
    try self.init(path: path)
  }

  /// Refuses files of other kinds before SQLite writes to them.
  private static func check(_ path: String) throws {
    guard !KeptInputs.isStream(path) else {
      throw EvaluationError.file(
        path: path, reason: "expected a regular file for a database, found none")
    }
    guard FileManager.default.fileExists(atPath: path) else {
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
        isFolder.boolValue
      else { throw EvaluationError.file(path: path, reason: "No such folder as \(folder)") }
      return
    }
    let foreign = EvaluationError.field(
      path: path, field: "file", expected: "a database of runs", found: "something else")
    do {
      // A kill leaves what was written in the log beside the file, so SQLite must look itself.
      let (id, tables) = try DatabaseQueue(path: path).read { database in
        (
          try Int.fetchOne(database, sql: "PRAGMA application_id"),
          try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master")
        )
      }
      guard id == applicationID || (id == 0 && tables == 0) else { throw foreign }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
      throw foreign
    } catch let error as DatabaseError {
      throw EvaluationError.file(path: path, reason: error.message ?? "cannot be read")
    }
  }

  /// Says what SQLite says, with the file's name.
  static func telling<Value>(_ path: String?, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError {
      throw EvaluationError.file(
        path: path ?? "memory", reason: error.message ?? "SQLite error \(error.resultCode)")
    } catch let error as RowDecodingError {
      throw EvaluationError.field(
        path: path ?? "memory", field: "row", expected: "values as Nunchi writes them",
        found: error.description)
    }
  }

  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try Self.telling(path) { try queue.read(body) }
  }

  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try Self.telling(path) { try queue.write(body) }
  }

  private static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("runs") { database in
      try database.execute(
        sql: """
          PRAGMA application_id = \(applicationID);

          CREATE TABLE run (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,       -- of the conditions
            conditions TEXT NOT NULL,       -- JSON
            command TEXT NOT NULL,          -- JSON, the arguments
            costs TEXT NOT NULL,            -- JSON, what passes of the target cost
            peak_memory INTEGER             -- bytes
          ) STRICT;

          CREATE TABLE question (
            run INTEGER NOT NULL REFERENCES run (id),
            number INTEGER NOT NULL,        -- in the suite
            id TEXT NOT NULL,
            category TEXT NOT NULL,
            language TEXT,
            turns TEXT NOT NULL,            -- JSON
            too_long INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (run, id)
          ) STRICT;

          CREATE TABLE answer (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            question TEXT NOT NULL,
            turn INTEGER NOT NULL,
            repetition INTEGER NOT NULL,
            configuration TEXT NOT NULL,
            place INTEGER NOT NULL,         -- in the order of the turn's configurations
            prompt TEXT NOT NULL,           -- JSON, token ids
            tokens TEXT NOT NULL,           -- JSON, token ids
            text TEXT NOT NULL,
            finish TEXT,
            shared_prompt_seconds REAL NOT NULL,
            own_prompt_seconds REAL NOT NULL,
            joules REAL,
            statistics TEXT NOT NULL,       -- JSON, computed from the steps
            UNIQUE (run, question, turn, repetition, configuration),
            FOREIGN KEY (run, question) REFERENCES question (run, id)
          ) STRICT;

          CREATE TABLE step (
            answer INTEGER NOT NULL REFERENCES answer (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            trace TEXT NOT NULL,            -- JSON
            PRIMARY KEY (answer, number)
          ) STRICT, WITHOUT ROWID;

          CREATE TABLE token (
            run INTEGER NOT NULL REFERENCES run (id),
            id INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (run, id)
          ) STRICT, WITHOUT ROWID;
          """)
    }
    migrator.registerMigration("judgements") { database in
      try database.execute(
        sql: """
          CREATE TABLE judgement (
            id INTEGER PRIMARY KEY,
            judge TEXT NOT NULL,
            version INTEGER NOT NULL,       -- of the prompts
            question TEXT NOT NULL,
            category TEXT NOT NULL,
            language TEXT,
            turn INTEGER NOT NULL,
            first TEXT NOT NULL,
            second TEXT,                    -- none for a rating
            text TEXT NOT NULL,
            rating INTEGER,                 -- neither: no verdict
            winner TEXT
          ) STRICT;
          CREATE UNIQUE INDEX judged ON judgement
            (judge, version, question, turn, first, ifnull(second, ''));
          """)
    }
    migrator.registerMigration("starts") { database in
      try database.execute(
        sql: """
          -- Where drafters began anew, where that is not at each question.
          CREATE TABLE start (
            run INTEGER NOT NULL REFERENCES run (id),
            repetition INTEGER NOT NULL,
            question TEXT NOT NULL,
            PRIMARY KEY (run, repetition, question)
          ) STRICT, WITHOUT ROWID;
          """)
    }
    return migrator
  }()
}

/// JSON as the database has it.
enum StoredJSON {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  static func value<Value: Decodable>(
    _ text: String, field: String, path: String?
  ) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(Value.self, from: Data(text.utf8))
    } catch {
      throw EvaluationError.field(
        path: path ?? "memory", field: field, expected: "JSON of \(Value.self)",
        found: String(text.prefix(40)))
    }
  }
}
