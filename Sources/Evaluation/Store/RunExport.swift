import Foundation
import ModelFiles
import Nunchi
import Speculation

/// A run in other forms, for other tools.
public struct RunExport {
  private let run: StoredRun
  private let database: RunDatabase

  public init(_ run: StoredRun, in database: RunDatabase) {
    self.run = run
    self.database = database
  }

  /// An answer file of Spec-Bench and MT-bench, a line for each question.
  struct SpecBenchAnswer: Codable, Equatable {
    struct Choice: Codable, Equatable {
      var index: Int
      var turns: [String]
      /// Passes of the target, new tokens and seconds of each turn.
      var decodingSteps: [Int]
      var newTokens: [Int]
      var wallTime: [Double]
      /// Tokens that each pass after the prompt's brought, of all turns.
      var acceptLengths: [Int]
    }

    /// A number where it is one, as their tools have it.
    enum ID: Codable, Equatable {
      case number(Int)
      case text(String)

      init(_ id: String) { self = Int(id).map(ID.number) ?? .text(id) }

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self =
          try (try? container.decode(Int.self)).map(ID.number)
          ?? .text(container.decode(String.self))
      }

      func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let id): try container.encode(id)
        case .text(let id): try container.encode(id)
        }
      }
    }

    var questionId: ID
    var category: String
    var answerId: String
    var modelId: String
    var choices: [Choice]
    /// Seconds since 1970.
    var tstamp: Double
  }

  /// Spec-Bench's answer file of one configuration: JSON lines.
  public func specBench(configuration: String) throws -> Data {
    let questions = try database.questions(of: run).questions
    let answers = Dictionary(
      grouping: try database.answers(of: run, configuration: configuration), by: \.key.question)
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let model = "\(run.conditions.model)-\(configuration)"
    let date = (try? Date(run.conditions.date, strategy: .iso8601))?.timeIntervalSince1970 ?? 0
    var data = Data()
    for question in questions {
      let choices = try Dictionary(grouping: answers[question.id] ?? [], by: \.key.repetition)
        .filter { $0.value.count == question.turns.count }
        .sorted { $0.key < $1.key }
        .map { try choice($0.key, $0.value.sorted { $0.key.turn < $1.key.turn }) }
      guard !choices.isEmpty else { continue }
      data += try encoder.encode(
        SpecBenchAnswer(
          questionId: .init(question.id), category: question.category,
          answerId: "\(model)-\(question.id)", modelId: model, choices: choices, tstamp: date))
      data.append(0x0A)
    }
    return data
  }

  private func choice(_ index: Int, _ turns: [Answer]) throws -> SpecBenchAnswer.Choice {
    SpecBenchAnswer.Choice(
      index: index, turns: turns.map(\.text),
      // The prompt's pass is a step, which brings the first token.
      decodingSteps: turns.map { $0.statistics.rounds + 1 },
      newTokens: turns.map(\.statistics.tokens),
      wallTime: turns.map {
        $0.sharedPromptSeconds + $0.ownPromptSeconds + $0.statistics.generationSeconds
      },
      acceptLengths: try turns.flatMap {
        try database.steps(of: $0.key, run: run).filter { $0.phase == .round }
          .map(\.tokens.count)
      })
  }

  /// A table with a line for each answer.
  public func csv() throws -> Data {
    var text = CSV.line([
      "question", "category", "language", "turn", "repetition", "configuration", "prompt_tokens",
      "tokens", "characters", "rounds", "drafted", "accepted", "acceptance_length",
      "prompt_seconds", "seconds", "tokens_per_second", "draft_seconds", "verify_seconds",
      "first_difference", "fresh_drafters",
    ])
    let starts = Set(run.starts)
    func isFresh(_ record: QuestionRecord, _ turn: Int) -> Bool? {
      switch run.conditions.drafterMemory {
      case nil: nil
      case .question: turn == 0
      case .repetition:
        turn == 0
          && starts.contains(
            AskedQuestion(question: record.question, repetition: record.repetition))
      }
    }
    for record in try database.records(of: run) {
      for (turn, answer) in record.turns.enumerated() {
        let figures = answer.statistics
        text += CSV.line([
          record.question, record.category, record.language ?? "", "\(turn + 1)",
          "\(record.repetition + 1)", record.configuration, "\(figures.promptTokens)",
          "\(figures.tokens)", "\(answer.characters)", "\(figures.rounds)", "\(figures.drafted)",
          "\(figures.accepted)", "\(figures.acceptanceLength)",
          "\(answer.sharedPromptSeconds + answer.ownPromptSeconds)",
          "\(figures.generationSeconds)", "\(figures.tokensPerSecond)",
          "\(figures.draftSeconds)", "\(figures.verifySeconds)",
          answer.mismatch.map { "\($0.index)" } ?? "",
          isFresh(record, turn).map { "\($0)" } ?? "",
        ])
      }
    }
    return Data(text.utf8)
  }

  /// A folder with a trace file for each answer, for `nunchi replay`.
  public func traces(to folder: String) throws {
    try makeFolder(folder)
    for answer in try database.answers(of: run) {
      let key = answer.key
      let header = TraceFile.Header(
        model: run.conditions.model, drafter: key.configuration,
        rule: GenerationOptions().rule.name, threads: run.conditions.threads,
        instructionSet: run.conditions.instructionSet, costs: run.costs)
      let name = [key.question, "\(key.turn + 1)", "\(key.repetition + 1)", key.configuration]
        .map(Self.fileName).joined(separator: "-")
      try AtomicFile.write(
        try TraceFile.lines(header, try database.steps(of: key, run: run)),
        to: "\(folder)/\(name).jsonl")
    }
  }

  /// A name as a part of a file's: ids may have any characters.
  public static func fileName(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ",") ? $0 : "_" })
  }
}

/// Comma-separated values (RFC 4180).
public enum CSV {
  /// A line with its end.
  public static func line(_ cells: [String]) -> String {
    cells.map { cell in
      cell.contains { ",\"\r\n".contains($0) }
        ? "\"\(cell.replacingOccurrences(of: "\"", with: "\"\""))\"" : cell
    }.joined(separator: ",") + "\n"
  }
}
