import Foundation
import Testing

@testable import Evaluation

@Suite struct RecordFileTests {
  private static let first = question("1")
  private static let second = question("2")

  private static func question(_ id: String) -> [QuestionRecord] {
    records(
      id, plain: [promptStep(verify: 1), round(drafted: 0, accepted: 0, verify: 1)],
      drafter: [promptStep(verify: 1), round(drafted: 2, accepted: 1, verify: 1.25)])
  }

  /// A file with both questions.
  private func write(to path: String) throws -> Data {
    let file = try RecordFile(path: path, conditions: conditions())
    try file.append(Self.first)
    try file.append(Self.second)
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test("what was recorded is there again, a line for each question and configuration")
  func resume() throws {
    try withTemporaryFile { path in
      let data = try write(to: path)
      #expect(data.split(separator: 0x0A).count == 5)
      let again = try RecordFile(
        path: path, conditions: conditions(date: "2027-02-03T00:00:00Z"))
      #expect(again.records == Self.first + Self.second)
    }
  }

  @Test("a file cut at any byte gives whole questions, and goes on as if it had never been cut")
  func torn() throws {
    try withTemporaryFile { path in
      let data = try write(to: path)
      let lineEnds = data.indices.filter { data[$0] == 0x0A }
      for length in stride(from: 0, through: data.count, by: 53) {
        try data.prefix(length).write(to: URL(fileURLWithPath: path))
        let file = try RecordFile(path: path, conditions: conditions())
        let whole = length > lineEnds[4] ? 2 : length > lineEnds[2] ? 1 : 0
        #expect(
          file.records == (Self.first + Self.second).prefix(whole * 2).map { $0 }, "\(length)")
        if whole == 0 { try file.append(Self.first) }
        if whole < 2 { try file.append(Self.second) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == data, "\(length)")
      }
    }
  }

  @Test("results of another measurement are neither mixed in nor touched")
  func otherConditions() throws {
    try withTemporaryFile { path in
      let data = try write(to: path)
      let error = #expect(throws: EvaluationError.self) {
        try RecordFile(path: path, conditions: conditions(maxTokens: 32))
      }
      #expect(error?.description.contains("max tokens: expected 32, found 16") == true)
      let drafters = #expect(throws: EvaluationError.self) {
        try RecordFile(path: path, conditions: conditions(drafters: ["d", "e"]))
      }
      #expect(drafters?.description.contains("drafters: expected d e, found d") == true)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == data)
    }
  }

  @Test(
    "a file of something else is refused and stays as it is",
    arguments: ["a letter", "a letter\n", "{\"prompt\": \"a\"}\n", "{}"])
  func foreign(text: String) throws {
    try withTemporaryFile { path in
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: EvaluationError.self) {
        try RecordFile(path: path, conditions: conditions())
      }
      #expect(error?.description.hasPrefix("\(path), line 1: ") == true)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(text.utf8))
    }
  }

  @Test("a broken line in the middle is named, not dropped")
  func broken() throws {
    try withTemporaryFile { path in
      var lines = try write(to: path).split(separator: 0x0A)
      lines[2] = Data("{\"question\":".utf8)
      try Data(lines.joined(separator: [0x0A]) + [0x0A]).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: EvaluationError.self) {
        try RecordFile(path: path, conditions: conditions())
      }
      #expect(error?.description.hasPrefix("\(path), line 3: ") == true)
    }
  }

  @Test("two runs cannot write to one file")
  func lock() throws {
    try withTemporaryFile { path in
      let file = try RecordFile(path: path, conditions: conditions())
      let error = #expect(throws: EvaluationError.self) {
        try RecordFile(path: path, conditions: conditions())
      }
      #expect(error?.description == "\(path): another process writes to it")
      try file.append(Self.first)
    }
  }
}
