import Foundation

extension Suite {
  /// Reads a suite: JSON lines, either Spec-Bench's `{"question_id", "category", "turns"}` or
  /// `{"prompt", "category"?}`, or else a text with a prompt on each line.
  ///
  /// Blank lines do not count; a prompt without a category belongs to `prompts`, and one without
  /// an id has its line's number.
  /// - Throws: `EvaluationError` that names the file, the line and the field.
  public init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw EvaluationError.file(path: path, reason: "expected a readable suite, found none")
    }
    try self.init(data, path: path)
  }

  /// - Parameter path: where the bytes come from, for the suite's name and errors.
  init(_ data: Data, path: String) throws {
    let byteOrderMark = Data([0xEF, 0xBB, 0xBF])
    let bytes = data.starts(with: byteOrderMark) ? data.dropFirst(3) : data
    var lines: [SuiteLine] = []
    for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    {
      let place = SuiteLine(path: path, number: index + 1, text: "")
      guard let text = String(validating: line, as: UTF8.self) else {
        throw place.error("text", expected: "UTF-8", found: "other bytes")
      }
      let trimmed = text.trimmingCharacters(in: .whitespaces.union(["\r"]))
      if !trimmed.isEmpty {
        lines.append(SuiteLine(path: path, number: index + 1, text: trimmed))
      }
    }
    let isJSON = path.hasSuffix(".jsonl") || lines.first?.text.hasPrefix("{") == true
    questions = try lines.map { try isJSON ? $0.jsonQuestion() : $0.textQuestion() }
    guard !questions.isEmpty else { throw EvaluationError.noQuestions(path: path) }
    name = URL(fileURLWithPath: path).lastPathComponent

    var firstLines: [String: Int] = [:]
    for (line, question) in zip(lines, questions) {
      if let first = firstLines.updateValue(line.number, forKey: question.id) {
        throw line.error(
          "question_id", expected: "an id of its own",
          found: "\(question.id), which line \(first) has")
      }
    }
  }
}

/// A line of a suite, and where it stands.
private struct SuiteLine {
  var path: String
  var number: Int
  var text: String

  static let noCategory = "prompts"

  func error(_ field: String, expected: String, found: String) -> EvaluationError {
    .line(path: path, line: number, field: field, expected: expected, found: found)
  }

  func textQuestion() throws -> Question {
    Question(id: "\(number)", category: Self.noCategory, turns: [text])
  }

  func jsonQuestion() throws -> Question {
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
      id: try id(fields["question_id"]), category: try category(fields), turns: turns)
  }

  private func id(_ value: JSONValue?) throws -> String {
    switch value {
    case nil: return "\(number)"
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
