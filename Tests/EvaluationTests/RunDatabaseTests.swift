import Foundation
import GRDB
import Testing

@testable import Evaluation
@testable import Nunchi

@Suite struct RunDatabaseTests {
  private static let questions = [
    Question(id: "1", category: "qa", turns: ["a", "b"]),
    Question(id: "2", category: "math", language: "ko", turns: ["c"]),
  ]

  private static let plain = [
    promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 1),
    round(drafted: 0, accepted: 0, verify: 1),
  ]
  private static let drafted = [
    promptStep(verify: 1), round(drafted: 2, accepted: 1, verify: 1.25),
  ]

  private static var all: [Answer] {
    answers("1", turn: 0, plain: plain, drafter: drafted, text: "one")
      + answers("1", turn: 1, plain: plain, drafter: drafted, text: "two")
      + answers("2", turn: 0, plain: plain, drafter: drafted, text: "three")
  }

  private func session(
    _ path: String?, _ conditions: BenchmarkConditions = conditions(), shard: Shard = .whole
  ) throws -> RunSession {
    try RunSession(
      RunDatabase(path: path), conditions: conditions, command: ["nunchi", "bench"],
      questions: shard.questions(of: Self.questions))
  }

  private func add(_ answers: [Answer], to session: RunSession) throws {
    for answer in answers { try session.add(answer) { [UInt8(truncatingIfNeeded: $0)] } }
  }

  @Test("what was written is there again: answers, steps, tokens, conditions")
  func roundTrip() throws {
    try withTemporaryFile { path in
      try add(Self.all, to: session(path))
      let database = try RunDatabase(existing: path)
      let run = try #require(try database.runs().first)
      #expect(run.conditions == conditions())
      #expect(run.command == ["nunchi", "bench"])
      #expect(try database.questions(of: run).questions == Self.questions)
      for answer in Self.all {
        #expect(try database.steps(of: answer.key, run: run) == answer.steps)
      }
      let found = try database.answers(of: run)
      #expect(found.map(\.key) == Self.all.map(\.key))
      #expect(found.map(\.tokens) == Self.all.map(\.tokens))
      #expect(found.map(\.statistics) == Self.all.map { SpeculationStatistics($0.steps) })
      #expect(try database.tokens(of: run) == [1: [1], 7: [7]])
      let records = try database.records(of: run)
      #expect(records.map(\.question) == ["1", "1", "2", "2"])
      #expect(records.map(\.turns.count) == [2, 2, 1, 1])
      #expect(records.allSatisfy { $0.turns.allSatisfy { $0.mismatch == nil } })
    }
  }

  @Test("a run goes on with the first question that not everybody has answered to its end")
  func resume() throws {
    for count in 0...Self.all.count {
      try withTemporaryFile { path in
        try add(Array(Self.all.prefix(count)), to: session(path))
        let again = try session(path, conditions(date: "2027-02-03T00:00:00Z"))
        // The first question has four answers, the second one two.
        let whole = count < 4 ? 0 : count < 6 ? 4 : 6
        #expect(try again.database.answers(of: again.run).count == whole)
        let answered = Set(
          ["1", "2"].prefix(whole == 0 ? 0 : whole / 2 - 1).map {
            AskedQuestion(question: $0, repetition: 0)
          })
        #expect(try again.answered() == answered)
        try add(Array(Self.all.dropFirst(whole)), to: again)
        #expect(try again.database.records(of: again.run).count == 4)
        #expect(try again.database.runs().count == 1)
      }
    }
  }

  @Test("runs of other texts or another memory of the drafters stand beside each other")
  func otherTexts() throws {
    try withTemporaryFile { path in
      var some = conditions()
      some.questionsSHA256 = try Self.questions.checksum()
      var others = some
      others.questionsSHA256 = try [Self.questions[0]].checksum()
      var fresh = some
      fresh.drafterMemory = .question
      #expect(some.questionsSHA256 != others.questionsSHA256)
      for conditions in [some, others, fresh, some] { _ = try session(path, conditions) }
      let runs = try RunDatabase(existing: path).runs()
      #expect(runs.map(\.conditions) == [some, others, fresh])
    }
  }

  @Test("where drafters began anew is told: in each repetition, where a run was taken up, in parts")
  func starts() throws {
    try withTemporaryFile { path in
      var conditions = conditions()
      conditions.drafterMemory = .repetition
      func begun(_ path: String, _ starts: [AskedQuestion]) throws -> RunSession {
        let session = try session(path, conditions)
        for start in starts { try session.begin(start) }
        try session.note(costs: nil, peakMemory: nil)
        return session
      }
      let first = AskedQuestion(question: "1", repetition: 0)
      let second = AskedQuestion(question: "1", repetition: 1)
      let taken = AskedQuestion(question: "2", repetition: 1)
      let said =
        "drafters begin anew in each repetition and learn from question to question, in "
        + "the suite's order"
      #expect(try begun(path, [second, first]).run.starts == [first, second])
      #expect(try begun(path, []).run.drafterMemory == said)
      // As many processes do: the same question twice, another one later, a part of another file.
      let other = "\(path)-2"
      #expect(try begun(other, [first, first, taken]).run.starts == [first, taken])
      let all = try RunDatabase(existing: path)
      _ = try all.merge([RunDatabase(existing: other)])
      let run = try #require(try all.runs().first)
      #expect(run.starts == [first, second, taken])
      #expect(
        run.drafterMemory
          == said + "; also anew, where the run was taken up again or a part begins, at question 2 "
          + "(repetition 2)")
      #expect(try BenchmarkReport(run, in: all).starts == run.starts)
      #expect(RunReport.conditions(run, .en).rows.contains { $0.last == run.drafterMemory })
    }
  }

  @Test("a question counts when all of its turns are there")
  func wholeQuestions() throws {
    let session = try session(nil)
    try add(Array(Self.all.prefix(3)), to: session)
    #expect(try session.database.records(of: session.run).isEmpty)
    try add([Self.all[3]], to: session)
    #expect(try session.database.records(of: session.run).map(\.question) == ["1", "1"])
  }

  @Test("runs of other conditions stand beside each other")
  func otherConditions() throws {
    try withTemporaryFile { path in
      let one = try session(path)
      let other = try session(path, conditions(maxTokens: 32))
      try add(Self.all, to: one)
      try add(Array(Self.all.prefix(2)), to: other)
      #expect(try one.database.runs().map(\.conditions.maxTokens) == [16, 32])
      #expect(try one.database.answers(of: other.run).count == 2)
    }
  }

  @Test("one run is written by one process, and by another one afterwards")
  func lock() throws {
    try withTemporaryFile { path in
      var first: RunSession? = try session(path)
      let error = #expect(throws: EvaluationError.self) { try session(path) }
      #expect(error?.description == "\(path): another process writes to this run")
      #expect(first != nil)
      first = nil
      _ = try session(path)
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(!left.contains { $0.hasSuffix(".lock") })
    }
  }

  @Test("two runs that write at once lose nothing")
  func together() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-evaluation-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("together.db").path
    _ = try RunDatabase(path: path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 1...4 {
        group.addTask {
          let session = try RunSession(
            RunDatabase(path: path), conditions: conditions(maxTokens: writer), command: [],
            questions: Shard.whole.questions(of: Self.questions))
          for repetition in 0..<20 {
            for answer in answers(
              "2", repetition: repetition, plain: Self.plain, drafter: Self.drafted)
            {
              try session.add(answer) { _ in [0] }
            }
          }
        }
      }
      try await group.waitForAll()
    }
    let database = try RunDatabase(existing: path)
    #expect(try database.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
    let runs = try database.runs()
    #expect(runs.count == 4)
    for run in runs {
      #expect(try database.answers(of: run).count == 40)
      #expect(try database.records(of: run).count == 40)
    }
  }

  @Test("shards are disjoint, together all, and merge into what one run would be")
  func merge() throws {
    try withTemporaryFile { path in
      let parts = (1...3).compactMap { Shard("\($0)/3") }
      #expect(parts.flatMap { $0.questions(of: Self.questions).map(\.number) } == [0, 1])
      for (index, part) in parts.enumerated() {
        let mine = Set(part.questions(of: Self.questions).map(\.question.id))
        try add(
          Self.all.filter { mine.contains($0.key.question) },
          to: session("\(path)\(index)", shard: part))
      }
      let whole = try RunDatabase(path: path)
      let sources = try (0..<3).map { try RunDatabase(existing: "\(path)\($0)") }
      #expect(try whole.merge(sources) == .init(added: 6, known: 0))
      #expect(try whole.merge(sources) == .init(added: 0, known: 6))
      let alone = try session(nil)
      try add(Self.all, to: alone)
      let run = try #require(try whole.runs().first)
      #expect(try whole.records(of: run) == alone.database.records(of: alone.run))
      #expect(
        try whole.steps(of: Self.all[1].key, run: run) == Self.all[1].steps)
    }
  }

  @Test("databases that contradict each other are not merged, not even in part")
  func contradiction() throws {
    try withTemporaryFile { path in
      try add(Array(Self.all.prefix(2)), to: session("\(path)1"))
      var wrong = Self.all
      wrong[1].tokens[0] = 9
      try add(Array(wrong.suffix(2) + wrong.prefix(2)), to: session("\(path)2"))
      let whole = try RunDatabase(path: path)
      let error = #expect(throws: EvaluationError.self) {
        try whole.merge(["\(path)1", "\(path)2"].map(RunDatabase.init(existing:)))
      }
      #expect(
        error?.description.contains("question 1, turn 1, d: expected the answer that") == true)
      #expect(try whole.runs().isEmpty)
    }
  }

  @Test(
    "a file of something else is refused and stays as it is",
    arguments: ["a letter", "SQLite format 3\0 and so on", "{\"prompt\": \"a\"}\n"])
  func foreign(text: String) throws {
    try withTemporaryFile { path in
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: EvaluationError.self) { try RunDatabase(path: path) }
      #expect(
        error?.description == "\(path): file: expected a database of runs, found something else")
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(text.utf8))
    }
  }

  @Test("another program's database is refused, and so is one of a newer version")
  func otherDatabases() throws {
    try withTemporaryFile { path in
      try DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE mine (id)") }
      #expect(throws: EvaluationError.self) { try RunDatabase(path: path) }
      _ = try session("\(path)2")
      try DatabaseQueue(path: "\(path)2").write {
        try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('of tomorrow')")
      }
      let error = #expect(throws: EvaluationError.self) { try RunDatabase(path: "\(path)2") }
      #expect(
        error?.description.contains("schema: expected starts, found that of a newer") == true)
      #expect(throws: EvaluationError.self) { try RunDatabase(existing: "\(path)3") }
    }
  }

  @Test("damage is told with the file's name, wherever it is")
  func damage() throws {
    try withTemporaryFile { path in
      try add(Self.all, to: session(path))
      try DatabaseQueue(path: path).writeWithoutTransaction {
        try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
      }
      let sound = try Data(contentsOf: URL(fileURLWithPath: path))
      for start in stride(from: 100, to: sound.count, by: 1531) {
        var broken = sound
        for place in start..<min(start + 64, broken.count) { broken[place] = 0xA5 }
        try broken.write(to: URL(fileURLWithPath: path))
        do {
          let database = try RunDatabase(existing: path)
          for run in try database.runs() { _ = try BenchmarkReport(run, in: database) }
        } catch let error as EvaluationError {
          #expect(error.description.hasPrefix("\(path): "), "\(error)")
        }
      }
    }
  }

  @Test(
    "a value of another type is not let in",
    arguments: [
      "answer SET turn = 'two'", "answer SET shared_prompt_seconds = 'long'",
      "answer SET tokens = x'00'", "answer SET place = 1e300", "answer SET finish = x'FFFF'",
      "question SET too_long = 'no'", "question SET turns = NULL",
      "run SET peak_memory = 'much'", "token SET id = 'one'", "step SET trace = x'FF'",
    ])
  func types(update: String) throws {
    let session = try session(nil)
    try add(Self.all, to: session)
    #expect(throws: EvaluationError.self) {
      try session.database.write { try $0.execute(sql: "UPDATE \(update)") }
    }
  }

  @Test(
    "a text that is not what it should be is told by its field",
    arguments: [
      ("answer SET tokens = '{}'", "answer.tokens"), ("answer SET prompt = '[a'", "answer.prompt"),
      ("answer SET statistics = '{}'", "answer.statistics"),
      ("question SET turns = '7'", "question.turns"), ("run SET costs = 'free'", "run.costs"),
      ("run SET conditions = ''", "run.conditions"), ("step SET trace = '[]'", "step.trace"),
    ])
  func fields(update: String, field: String) throws {
    let session = try session(nil)
    try add(Self.all, to: session)
    try session.database.write { try $0.execute(sql: "UPDATE \(update)") }
    let error = #expect(throws: EvaluationError.self) {
      for run in try session.database.runs() {
        _ = try BenchmarkReport(run, in: session.database)
      }
    }
    #expect(error?.description.hasPrefix("memory: \(field): expected JSON of ") == true)
  }

  @Test("Spec-Bench's tools find in an answer file what they add up")
  func specBench() throws {
    let session = try session(nil)
    try add(Self.all, to: session)
    let data = try RunExport(session.run, in: session.database).specBench(configuration: "d")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let lines = try data.split(separator: 0x0A).map {
      try decoder.decode(RunExport.SpecBenchAnswer.self, from: $0)
    }
    #expect(lines.map(\.questionId) == [.number(1), .number(2)])
    #expect(lines.map(\.category) == ["qa", "math"])
    let choice = lines[0].choices[0]
    #expect(choice.turns == ["one", "two"])
    #expect(choice.newTokens == [3, 3])
    #expect(choice.decodingSteps == [2, 2])
    #expect(choice.acceptLengths == [2, 2])
    #expect(choice.wallTime == [11.25, 11.25])
  }

  @Test("a table has a line for each answer, with cells that commas do not divide")
  func csv() throws {
    let session = try session(nil, conditions(drafters: ["a,b"]))
    try add(
      answers("1", plain: Self.plain, drafter: Self.drafted, name: "a,b")
        + answers("1", turn: 1, plain: Self.plain, drafter: Self.drafted, name: "a,b"),
      to: session)
    let text = String(
      decoding: try RunExport(session.run, in: session.database).csv(), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines[3].hasPrefix(#"1,qa,,1,1,"a,b",4,3,5,1,2,1,2.0,10.0,1.25,"#))
  }

  @Test(
    "a shard is one of several", arguments: ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", ""])
  func shards(text: String) {
    #expect(Shard(text) == nil)
  }
}

@Suite struct EnergyMeterTests {
  @Test("energy is that of all packages, also when a counter begins anew; none is none")
  func packages() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-energy-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    func set(_ zone: String, _ energy: Int) throws {
      let zone = folder.appendingPathComponent(zone)
      try FileManager.default.createDirectory(at: zone, withIntermediateDirectories: true)
      try Data("\(energy)\n".utf8).write(to: zone.appendingPathComponent("energy_uj"))
      try Data("1000000\n".utf8).write(to: zone.appendingPathComponent("max_energy_range_uj"))
    }
    #expect(EnergyMeter(folder: folder.path).reading() == nil)
    try set("intel-rapl:0", 100_000)
    try set("intel-rapl:1", 900_000)
    try set("intel-rapl:0:0", 50_000)
    let meter = EnergyMeter(folder: folder.path)
    let before = meter.reading()
    #expect(before == [100_000, 900_000])
    try set("intel-rapl:0", 400_000)
    try set("intel-rapl:1", 100_000)
    #expect(meter.joules(since: before) == 0.5)
    #expect(meter.joules(since: nil) == nil)
  }
}
