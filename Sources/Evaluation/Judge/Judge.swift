import ChatEndpoints
import Foundation
import GRDB
import Nunchi
import Speculation
import Tokenization

/// Who judges: a server, or a model of this machine.
public enum JudgeModel {
  case endpoint(ChatEndpoint)
  case local(TextGenerator)

  var name: String {
    switch self {
    case .endpoint(let endpoint): "\(endpoint.model) at \(endpoint.url.absoluteString)"
    case .local(let generator): generator.model.name
    }
  }

  func reply(
    _ messages: [ChatMessage], maxTokens: Int, temperature: Double, seed: UInt64
  ) async throws -> String {
    switch self {
    case .endpoint(let endpoint):
      return try await endpoint.answer(
        messages, temperature: temperature, maxTokens: maxTokens, seed: seed
      ).text
    case .local(let generator):
      try generator.begin(
        prompt: generator.model.tokens(of: messages),
        options: GenerationOptions(
          sampling: try SamplingParameters(temperature: temperature, seed: seed),
          maxTokens: maxTokens))
      while try generator.next() != nil {}
      return generator.result.text
    }
  }
}

/// One judgement, as it is stored.
public struct Judgement: Sendable, Equatable, Codable, FetchableRecord {
  public var judge: String
  /// Of the prompts.
  public var version: Int
  public var question: String
  public var category: String
  public var language: String?
  /// 1, or 2 for the second answer of a conversation.
  public var turn: Int
  public var first: String
  /// nil for a rating.
  public var second: String?
  /// What the judge wrote.
  public var text: String
  /// nil, both of them, where the text has no verdict.
  public var rating: Int?
  public var winner: String?

  public var isFailure: Bool { rating == nil && winner == nil }

  /// Takes the verdict from the text.
  mutating func read() {
    rating = second == nil ? JudgeVerdict.rating(text) : nil
    winner = second == nil ? nil : JudgeVerdict.winner(text)?.rawValue
  }

  /// As stored; a text without a verdict is read once more, since forms may have been added.
  fileprivate var reread: Judgement {
    var judgement = self
    if isFailure { judgement.read() }
    return judgement
  }
}

/// Lets judges rate answers that are in a database, and keeps what they say there. What was judged
/// is not judged again.
public final class Judge {
  /// Answers of one kind: a configuration of a run.
  public struct Player: Sendable {
    public var name: String
    var run: StoredRun
    var database: RunDatabase
    var configuration: String

    public init(
      name: String, run: StoredRun, database: RunDatabase,
      configuration: String = BenchmarkConfiguration.plain.name
    ) {
      self.name = name
      self.run = run
      self.database = database
      self.configuration = configuration
    }
  }

  /// How answers are judged.
  public enum Mode: Sendable, Equatable {
    case single
    /// Everybody against one player, by its name.
    case baseline(String)
    case allPairs
  }

  private let model: JudgeModel
  private let store: RunDatabase
  private let prompts: JudgePrompts
  public var maxTokens = 1024

  /// - Parameter store: gets the judgements.
  public init(_ model: JudgeModel, store: RunDatabase) throws {
    self.model = model
    self.store = store
    prompts = try JudgePrompts()
  }

  private struct Exchanges {
    var question: Question
    var turns: [JudgePrompts.Exchange]
  }

  /// The answers of a player to each question, the first repetition's.
  private func exchanges(_ player: Player) throws -> [String: Exchanges] {
    var answers: [String: [Int: String]] = [:]
    for answer in try player.database.answers(of: player.run, configuration: player.configuration)
    where answer.key.repetition == 0 {
      answers[answer.key.question, default: [:]][answer.key.turn] = answer.text
    }
    var result: [String: Exchanges] = [:]
    for question in try player.database.questions(of: player.run).questions {
      let mine = answers[question.id] ?? [:]
      let turns = question.turns.indices.compactMap { turn in
        mine[turn].map { JudgePrompts.Exchange(question: question.turns[turn], answer: $0) }
      }
      if turns.count == question.turns.count {
        result[question.id] = Exchanges(question: question, turns: turns)
      }
    }
    return result
  }

  /// The temperature at which a judge is asked again: its likeliest text had no verdict.
  private static let retryTemperature = 0.7

  /// Judges all answers of the players, first turns and second ones; pairs in both orders.
  /// - Parameter isRetrying: whether to ask again where a stored text has no verdict.
  /// - Throws: `EvaluationError`, `EndpointError`, or `CancellationError`; judgements are kept.
  public func run(
    _ players: [Player], mode: Mode, isRetrying: Bool = false,
    isCancelled: () -> Bool = { false },
    report: (String) -> Void
  ) async throws {
    let all = try players.map { try exchanges($0) }
    var pairs: [(Int, Int?)] = []
    switch mode {
    case .single: pairs = players.indices.map { ($0, nil) }
    case .baseline(let name):
      guard let baseline = players.firstIndex(where: { $0.name == name }) else {
        throw EvaluationError.field(
          path: store.path ?? "memory", field: "baseline",
          expected: players.map(\.name).joined(separator: ", "), found: name)
      }
      for other in players.indices where other != baseline {
        pairs += [(other, baseline), (baseline, other)]
      }
    case .allPairs:
      for one in players.indices {
        for other in players.indices where other != one { pairs.append((one, other)) }
      }
    }
    for (first, second) in pairs {
      for id in all[first].keys.sorted() {
        guard let mine = all[first][id] else { continue }
        let others = second.flatMap { all[$0][id] }
        if second != nil, others == nil { continue }
        for turn in 1...min(2, mine.turns.count) {
          if isCancelled() { throw CancellationError() }
          var judgement = Judgement(
            judge: model.name, version: prompts.version, question: id,
            category: mine.question.category, language: mine.question.language, turn: turn,
            first: players[first].name, second: second.map { players[$0].name }, text: "",
            rating: nil, winner: nil)
          let stored = try store.stored(judgement)
          if let stored, !(isRetrying && stored.isFailure) { continue }
          report("question \(id), turn \(turn)")
          judgement.text = try await model.reply(
            prompts.messages(
              Array(mine.turns.prefix(turn)),
              against: others.map { Array($0.turns.prefix(turn)) },
              category: judgement.category, language: judgement.language),
            maxTokens: maxTokens, temperature: stored == nil ? 0 : Self.retryTemperature,
            seed: stored == nil ? 0 : .random(in: 0...UInt64(Int32.max)))
          judgement.read()
          try store.add(judgement)
        }
      }
    }
  }
}

extension RunDatabase {
  /// The judgement of the same answers by the same judge; nil when there is none.
  fileprivate func stored(_ judgement: Judgement) throws -> Judgement? {
    try read { database in
      try Judgement.fetchOne(
        database,
        sql: """
          SELECT * FROM judgement WHERE judge = ? AND version = ? AND question = ?
            AND turn = ? AND first = ? AND second IS ?
          """,
        arguments: [
          judgement.judge, judgement.version, judgement.question, judgement.turn, judgement.first,
          judgement.second,
        ])
    }?.reread
  }

  /// Adds a judgement, in the place of one of the same answers by the same judge.
  func add(_ judgement: Judgement) throws {
    try write { database in
      try database.execute(
        sql: """
          INSERT OR REPLACE INTO judgement (judge, version, question, category, language, turn,
            first, second, text, rating, winner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          judgement.judge, judgement.version, judgement.question, judgement.category,
          judgement.language, judgement.turn, judgement.first, judgement.second, judgement.text,
          judgement.rating, judgement.winner,
        ])
    }
  }

  /// All judgements, the oldest first.
  public func judgements() throws -> [Judgement] {
    try read { try Judgement.fetchAll($0, sql: "SELECT * FROM judgement ORDER BY id") }
      .map(\.reread)
  }
}
