import Drafters
import Foundation
import ModelFiles
import Testing

@testable import Evaluation
@testable import Nunchi

/// The model of these tests, loaded once; 98 MB, fetched when it is not there.
enum EvaluationModel {
  static let smol = Task {
    try ModelFetcher().fetch(ModelCatalogue.standard().entry(named: "SmolLM2-135M"))
    return try Model("SmolLM2-135M")
  }
}

/// What drafters may know when they are measured.
@Suite struct DrafterMemoryTests {
  /// The last question is the first one again, under another name.
  private static let questions = [
    Question(
      id: "1", category: "a", turns: ["Name three rivers and the towns on them.", "Go on."]),
    Question(id: "2", category: "a", turns: ["Count: one two three one two three one two"]),
    Question(
      id: "3", category: "a", turns: ["Name three rivers and the towns on them.", "Go on."]),
  ]

  /// With a fixed length nothing depends on time, so every figure but the times is the same again.
  private static func configurations(store: SuffixStore?) -> [BenchmarkConfiguration] {
    ["recycling", "suffix", "auto"].map { name in
      var choice = DrafterChoice(named: name)
      choice.usesTrained = false
      choice.settings.suffixStore = store
      return BenchmarkConfiguration(name: name, drafter: choice, draftLength: 4)
    }
  }

  /// What a configuration drafted and had accepted in a question, turn by turn.
  private struct Drafts: Hashable {
    var drafted: [Int]
    var accepted: [Int]

    var allAccepted: Int { accepted.reduce(0, +) }
  }

  private func measure(
    _ memory: DrafterMemory, repetitions: [Int], questions: [Question] = questions,
    store: SuffixStore? = nil, path: String? = nil, stopAfter: Int = .max
  ) async throws -> (drafts: [[String]: Drafts], run: StoredRun) {
    let model = try await EvaluationModel.smol.value
    let database = try RunDatabase(path: path)
    var told = conditions(drafters: ["recycling", "suffix", "auto"])
    told.drafterMemory = memory
    let session = try RunSession(
      database, conditions: told, command: [], questions: Shard.whole.questions(of: questions))
    for count in repetitions {
      let run = try BenchmarkRun(
        model: model, drafters: Self.configurations(store: store),
        settings: BenchmarkSettings(promptForm: .chat, maxTokens: 20, drafterMemory: memory),
        questions: questions)
      var asked = 0
      run.willAsk = { _ in
        asked += 1
        if asked > stopAfter { throw CancellationError() }
      }
      do {
        try run.record(
          Shard.whole.questions(of: questions), repetitions: count, session: session
        ) { _ in }
      } catch is CancellationError {}
    }
    var drafts: [[String]: Drafts] = [:]
    for record in try database.records(of: session.run) {
      drafts[[record.configuration, record.question, "\(record.repetition)"]] = Drafts(
        drafted: record.turns.map(\.statistics.drafted),
        accepted: record.turns.map(\.statistics.accepted))
    }
    return (drafts, session.run)
  }

  @Test("no repetition knows of another one, whether they are asked for at once or one by one")
  func repetitions() async throws {
    let (drafts, run) = try await measure(.repetition, repetitions: [1, 3])
    #expect(drafts.count == 4 * 3 * 3)
    for name in ["recycling", "suffix", "auto"] {
      for question in Self.questions {
        let all = (0..<3).map { drafts[[name, question.id, "\($0)"]] }
        #expect(all[0] != nil && Set(all).count == 1, "\(name), question \(question.id): \(all)")
      }
      // Within a repetition the first question has taught what the last one, the same, needs.
      let (first, last) = (drafts[[name, "1", "0"]], drafts[[name, "3", "0"]])
      if name != "suffix" {
        #expect((last?.allAccepted ?? 0) > (first?.allAccepted ?? 0), "\(name)")
      }
    }
    #expect(run.starts == (0..<3).map { AskedQuestion(question: "1", repetition: $0) })
  }

  @Test("with fresh drafters a question is as if it were the only one")
  func fresh() async throws {
    let (drafts, run) = try await measure(.question, repetitions: [1])
    for name in ["recycling", "suffix", "auto"] {
      #expect(drafts[[name, "1", "0"]] != nil)
      #expect(drafts[[name, "1", "0"]] == drafts[[name, "3", "0"]], "\(name)")
    }
    #expect(run.starts.isEmpty)
    #expect(
      run.drafterMemory == "drafters begin anew at each question; questions in the suite's order")
    let alone = try await measure(.repetition, repetitions: [1], questions: [Self.questions[1]])
    for name in ["recycling", "suffix", "auto"] {
      #expect(alone.drafts[[name, "2", "0"]] == drafts[[name, "2", "0"]], "warmed up, \(name)")
    }
  }

  @Test("a run that was stopped goes on with drafters who know nothing, and says where")
  func stopped() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-memory-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("r.db").path
    // Stopped in the second question's first turn: three prompts were asked.
    _ = try await measure(.repetition, repetitions: [1], path: path, stopAfter: 2)
    let (drafts, run) = try await measure(.repetition, repetitions: [1], path: path)
    #expect(
      run.starts == ["1", "2"].map { AskedQuestion(question: $0, repetition: 0) })
    #expect(run.drafterMemory?.hasSuffix("a part begins, at question 2") == true)
    let alone = try await measure(.question, repetitions: [1], questions: [Self.questions[1]])
    #expect(drafts[["recycling", "2", "0"]] == alone.drafts[["recycling", "2", "0"]])
  }

  @Test("past outputs that the user names count as they are at the start, and nothing is added")
  func store() async throws {
    let model = try await EvaluationModel.smol.value
    let path = NSTemporaryDirectory() + "/nunchi-\(UUID().uuidString).store"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let store = try SuffixStore(path: path, vocabulary: model.vocabularyFingerprint)
    try store.append(model.tokens(of: "One two three one two three one two three one"))
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let questions = [Self.questions[0]]
    let (drafts, _) = try await measure(
      .repetition, repetitions: [2], questions: questions, store: store)
    #expect(drafts[["suffix", "1", "0"]] == drafts[["suffix", "1", "1"]])
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    #expect(store.outputs.count == 1)
  }
}
