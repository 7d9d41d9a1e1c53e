import Foundation

/// Results on disk, written as they come, so that a measurement goes on after a kill.
///
/// JSON lines: the conditions, then one line for each question and configuration. The lines of a
/// question are written together; what a kill leaves of them is dropped when the file is opened.
public final class RecordFile {
  public let path: String
  /// What was recorded so far: whole questions.
  public private(set) var records: [QuestionRecord] = []
  private let handle: FileHandle

  private struct Header: Codable {
    var conditions: BenchmarkConditions
  }

  /// Opens or creates a file.
  /// - Throws: `EvaluationError` when the file is of other conditions, is no file of results, or
  ///   another process writes to it.
  public init(path: String, conditions: BenchmarkConditions) throws {
    self.path = path
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw EvaluationError.file(path: path, reason: String(cString: strerror(errno)))
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw EvaluationError.file(path: path, reason: "another process writes to it")
    }
    let data = try handle.readToEnd() ?? Data()
    let kept = try read(data, conditions: conditions)
    try handle.truncate(atOffset: UInt64(kept))
    try handle.seek(toOffset: UInt64(kept))
    if kept == 0 { try write([Header(conditions: conditions)]) }
  }

  /// Adds the records of one question, one for each configuration.
  public func append(_ question: [QuestionRecord]) throws {
    try write(question)
    records += question
  }

  private func write(_ lines: [some Encodable]) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for line in lines {
      data += try encoder.encode(line)
      data.append(0x0A)
    }
    try handle.write(contentsOf: data)
    try handle.synchronize()
  }

  /// Reads what is there.
  /// - Returns: the bytes of the header and of whole questions.
  private func read(_ data: Data, conditions: BenchmarkConditions) throws -> Int {
    // The text after the last line break is empty, or a torn line.
    let lines = data.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    guard let first = lines.first else {
      let beginning = Data("{\"conditions\"".utf8)
      guard data.starts(with: beginning) || beginning.starts(with: data) else {
        throw EvaluationError.line(
          path: path, line: 1, field: "line", expected: "results of a benchmark",
          found: "something else")
      }
      return 0
    }
    let recorded = try decode(Header.self, first, line: 1).conditions
    if let (field, expected, found) = conditions.difference(from: recorded) {
      throw EvaluationError.otherConditions(
        path: path, field: field, expected: expected, found: found)
    }
    let names = [BenchmarkConfiguration.plain.name] + conditions.drafters
    var kept = first.count + 1
    for start in stride(from: 1, to: lines.count, by: names.count)
    where start + names.count <= lines.count {
      let question = lines[start..<start + names.count]
      for (line, (text, name)) in zip((start + 1)..., zip(question, names)) {
        let record = try decode(QuestionRecord.self, text, line: line)
        if record.configuration != name {
          throw EvaluationError.line(
            path: path, line: line, field: "configuration", expected: name,
            found: record.configuration)
        }
        if line > start + 1, let last = records.last, last.question != record.question {
          throw EvaluationError.line(
            path: path, line: line, field: "question", expected: last.question,
            found: record.question)
        }
        records.append(record)
      }
      kept += question.reduce(0) { $0 + $1.count + 1 }
    }
    return kept
  }

  private func decode<Value: Decodable>(_ type: Value.Type, _ text: Data, line: Int) throws
    -> Value
  {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: text)
    } catch {
      throw EvaluationError.line(
        path: path, line: line, field: "line",
        expected: line == 1 ? "the conditions of a benchmark" : "a record",
        found: "something else")
    }
  }
}
