import Foundation
import ModelFiles

/// What a user says, for a model to answer.
public struct Prompt: Sendable, Equatable {
  public var id: String
  /// What the model is told before the conversation.
  public var system: String?
  /// What the user says, turn by turn; at least one, none empty.
  public var turns: [String]
  public var language: String?
  public var category: String?

  public init(
    id: String, system: String? = nil, turns: [String], language: String? = nil,
    category: String? = nil
  ) {
    self.id = id
    self.system = system
    self.turns = turns
    self.language = language
    self.category = category
  }
}

/// The prompts of some files.
public struct PromptList: Sendable {
  public private(set) var prompts: [Prompt] = []
  /// Prompts that are there twice, in the same words; each is taken once.
  public private(set) var repeated = 0
  /// Prompts that belong to another split of the data.
  public private(set) var otherSplit = 0
  /// Lines that are no prompts.
  public private(set) var leftOut: [LeftOut] = []

  private var ids: Set<String> = []
  private var contents: Set<UInt64> = []

  /// Reads files of JSON lines, of one JSON array, or of plain text, a prompt a line. A value of
  /// JSON is one of
  /// - `{"prompt": …}` or `{"text": …}`, with `id`, `system`, `language`, `category` and `split`,
  /// - Spec-Bench's `{"question_id", "category", "turns"}`,
  /// - a conversation in the ShareGPT form, of which the user's turns are taken.
  ///
  /// A prompt without an id has the file's name and its line's number; one whose id is taken has
  /// its file's name or a number behind it.
  /// - Parameter split: prompts with another value of `split` are left out, so that what is held
  ///   out stays so.
  /// - Throws: `TrainingError.line` that names file, line and field where no line of a file is a
  ///   prompt, or `ModelFileError`.
  public init(paths: [String], split: String = "train") throws {
    for path in paths {
      let records = try TextRecords(path: path)
      let file = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      let decoder = JSONDecoder()
      func prompt(_ record: TextRecords.Record) throws -> Prompt? {
        guard records.isJSON else {
          return Prompt(id: "\(file):\(record.number)", turns: [try record.text()])
        }
        let fields = try record.decoded(PromptLine.self, by: decoder)
        if let other = fields.split, other != split { return nil }
        return try fields.prompt(record, file: file)
      }
      var unusable: [LeftOut] = []
      try records.forEach(leavingOut: &unusable, read: prompt) { found in
        if let found { add(found, file: file) } else { otherSplit += 1 }
      }
      leftOut += unusable
    }
    guard !prompts.isEmpty else {
      throw TrainingError.file(
        path: paths.joined(separator: ", "), reason: "expected at least one prompt, found none")
    }
  }

  private mutating func add(_ prompt: Prompt, file: String) {
    guard contents.insert(stableHash([prompt.system ?? ""] + prompt.turns)).inserted else {
      repeated += 1
      return
    }
    var prompt = prompt
    if ids.contains(prompt.id) { prompt.id = "\(file):\(prompt.id)" }
    let id = prompt.id
    var number = 2
    while !ids.insert(prompt.id).inserted {
      prompt.id = "\(id)#\(number)"
      number += 1
    }
    prompts.append(prompt)
  }
}

/// A line of any of the forms.
private struct PromptLine: Decodable {
  var id: LineIdentifier?
  var questionID: LineIdentifier?
  var prompt: String?
  var text: String?
  var turns: [String]?
  var conversations: [Conversation.Turn]?
  var system: String?
  var language: String?
  var category: String?
  var split: String?

  enum CodingKeys: String, CodingKey {
    case id, prompt, text, turns, conversations, system, language, category, split
    case questionID = "question_id"
  }

  func prompt(_ line: TextRecords.Record, file: String) throws -> Prompt {
    let found = [
      ("prompt", prompt.map { [$0] }), ("text", text.map { [$0] }), ("turns", turns),
      (
        "conversations",
        conversations.map { $0.filter { $0.speaker == .human }.map(\.text) }
      ),
    ].compactMap { name, turns in turns.map { (name, $0) } }
    guard let (field, turns) = found.first else {
      throw line.error("prompt", expected: "prompt, text, turns or conversations", found: "none")
    }
    guard !turns.isEmpty else {
      throw line.error(field, expected: "at least one text of the user's", found: "none")
    }
    guard turns.allSatisfy({ $0.contains { !$0.isWhitespace } }) else {
      throw line.error(field, expected: "text", found: "an empty one")
    }
    return Prompt(
      id: id?.text ?? questionID?.text ?? "\(file):\(line.number)",
      system: system ?? conversations?.first { $0.speaker == .system }?.text,
      turns: turns, language: language, category: category)
  }
}
