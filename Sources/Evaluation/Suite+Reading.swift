import Foundation
import ModelFiles

extension Suite {
  /// Reads a suite: JSON lines or a JSON array, either of Spec-Bench's
  /// `{"question_id", "category", "turns"}` or of `{"prompt", "category"?}`, both with `"language"`
  /// if wanted, or else a text with a prompt on each line. A folder is all of its `.jsonl` files
  /// together.
  ///
  /// Blank lines do not count; a prompt without a category belongs to `prompts`, and one without
  /// an id has its line's number, or its entry's.
  /// - Parameter path: a file, a folder, or `multilingual`, the suite that comes with Nunchi, or
  ///   `multilingual/ko` for one of its languages.
  /// - Throws: `EvaluationError` that names the file, the line and the field.
  public init(path: String) throws {
    let paths = try Self.files(path)
    let suites = try paths.map { file in
      let data: Data
      do { data = try Data(reading: file) } catch {
        throw EvaluationError.file(path: file, reason: "expected a readable suite, found none")
      }
      return try Suite(data, path: file)
    }
    name = URL(fileURLWithPath: path).lastPathComponent
    questions = suites.flatMap(\.questions)
    contents = suites.reduce(into: Data()) { $0 += $1.contents }
    var known: [String: String] = [:]
    for (path, suite) in zip(paths, suites) {
      for question in suite.questions {
        if let other = known.updateValue(suite.name, forKey: question.id) {
          throw EvaluationError.field(
            path: path, field: "question_id", expected: "an id of its own",
            found: "\(question.id), which \(other) has")
        }
      }
    }
  }

  /// Suites that come with Nunchi.
  private static let shipped = ShippedFiles.folder?.appendingPathComponent("Suites")

  private static func files(_ path: String) throws -> [String] {
    func isFolder(_ path: String) -> Bool {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && isFolder.boolValue
    }
    var path = path
    if !FileManager.default.fileExists(atPath: path), let shipped {
      let own = [path, "\(path).jsonl"].map { shipped.appendingPathComponent($0).path }
      path = own.first { FileManager.default.fileExists(atPath: $0) } ?? path
    }
    guard isFolder(path) else { return [path] }
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let files = names.filter { $0.hasSuffix(".jsonl") }.map { "\(path)/\($0)" }
    guard !files.isEmpty else { throw EvaluationError.noQuestions(path: path) }
    return files
  }

  /// The SHA-256 of the bytes that it was read from.
  public func checksum() throws -> String {
    try sha256(of: contents)
  }

  /// - Parameter path: where the bytes come from, for the suite's name and errors.
  init(_ data: Data, path: String) throws {
    contents = data
    let records = TextRecords(data, path: path)
    var lines: [SuiteLine] = []
    for record in records {
      var line = SuiteLine(record: record, text: "")
      guard let text = String(validating: record.bytes, as: UTF8.self) else {
        throw line.error("text", expected: "UTF-8", found: "other bytes")
      }
      line.text = text.trimmingCharacters(in: .whitespaces.union(["\r"]))
      if !line.text.isEmpty || record.flaw != nil { lines.append(line) }
    }
    questions = try lines.map { try records.isJSON ? $0.jsonQuestion() : $0.textQuestion() }
    guard !questions.isEmpty else { throw EvaluationError.noQuestions(path: path) }
    name = URL(fileURLWithPath: path).lastPathComponent

    var firstLines: [String: Int] = [:]
    for (line, question) in zip(lines, questions) {
      if let first = firstLines.updateValue(line.record.line, forKey: question.id) {
        throw line.error(
          "question_id", expected: "an id of its own",
          found: "\(question.id), which line \(first) has")
      }
    }
  }
}

extension [Question] {
  /// The SHA-256 of what is asked, in its order.
  public func checksum() throws -> String {
    try sha256(of: Data(StoredJSON.text(map { [$0.id] + $0.turns }).utf8))
  }
}

private func sha256(of data: Data) throws -> String {
  let copy = FileManager.default.temporaryDirectory
    .appendingPathComponent("nunchi-suite-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: copy) }
  try data.write(to: copy)
  return try sha256(ofFile: copy.path)
}

/// A line of a suite or an entry of its array, and what it says.
private struct SuiteLine {
  var record: TextRecords.Record
  var text: String

  static let noCategory = "prompts"

  func error(_ field: String, expected: String, found: String) -> EvaluationError {
    .line(
      path: record.path, line: record.line, field: record.name(of: field), expected: expected,
      found: found)
  }

  func textQuestion() throws -> Question {
    Question(id: "\(record.number)", category: Self.noCategory, turns: [text])
  }

  func jsonQuestion() throws -> Question {
    if let flaw = record.flaw { throw error("line", expected: flaw.expected, found: flaw.found) }
    let value: JSONValue
    do {
      value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    } catch {
      throw self.error("line", expected: "a JSON object", found: "text that is none")
    }
    guard case .object(let fields) = value else {
      throw error("line", expected: "a JSON object", found: value.kind)
    }
    let turns = try turns(fields)
    return Question(
      id: try id(fields["question_id"]), category: try category(fields),
      language: try language(fields["language"]), turns: turns)
  }

  private func id(_ value: JSONValue?) throws -> String {
    switch value {
    case nil: return "\(record.number)"
    case .integer(let id): return "\(id)"
    case .string(let id) where !id.isEmpty: return id
    case .some(let other):
      throw error("question_id", expected: "a whole number or text", found: other.kind)
    }
  }

  private func category(_ fields: [String: JSONValue]) throws -> String {
    switch fields["category"] {
    case .string(let category) where !category.isEmpty: return category
    case nil where fields["turns"] == nil: return Self.noCategory
    case let other: throw error("category", expected: "text", found: other?.kind ?? "none")
    }
  }

  private func language(_ value: JSONValue?) throws -> String? {
    switch value {
    case nil: return nil
    case .string(let language) where !language.isEmpty: return language
    case .some(let other): throw error("language", expected: "text", found: other.kind)
    }
  }

  private func turns(_ fields: [String: JSONValue]) throws -> [String] {
    switch (fields["turns"], fields["prompt"]) {
    case (nil, nil): throw error("turns", expected: "turns or prompt", found: "neither")
    case (.some, .some): throw error("turns", expected: "turns or prompt", found: "both")
    case (nil, .some(let prompt)): return [try turn(prompt, "prompt")]
    case (.array(let turns), nil) where !turns.isEmpty:
      return try turns.enumerated().map { try turn($1, "turns[\($0)]") }
    case (.some(let other), nil):
      throw error("turns", expected: "a list of at least one text", found: other.kind)
    }
  }

  private func turn(_ value: JSONValue, _ field: String) throws -> String {
    guard case .string(let text) = value else {
      throw error(field, expected: "text", found: value.kind)
    }
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw error(field, expected: "text", found: "an empty one")
    }
    return text
  }
}

/// Any JSON value, so that an error can tell what stands in a field.
private enum JSONValue: Decodable {
  case null
  case bool
  case integer(Int)
  case number
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if (try? container.decode(Bool.self)) != nil {
      self = .bool
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if (try? container.decode(Double.self)) != nil {
      self = .number
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let values = try? container.decode([JSONValue].self) {
      self = .array(values)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer(let value): "the number \(value)"
    case .number: "a number"
    case .string(let text): text.isEmpty ? "an empty text" : "text"
    case .array(let values): values.isEmpty ? "an empty list" : "a list"
    case .object: "an object"
    }
  }
}
