import AnsweringServer
import ChatEndpoints
import Foundation
import Synchronization
import Testing

@testable import Evaluation
@testable import Nunchi

/// A server of OpenAI's API that tells what a test wants.
private enum FakeServer {
  static func piece(_ json: [String: Any]) -> Data {
    let body = (try? JSONSerialization.data(withJSONObject: json)) ?? Data()
    return Data("data: ".utf8) + body + Data("\n\n".utf8)
  }

  static func text(_ text: String, finish: String? = nil) -> Data {
    var choice: [String: Any] = ["index": 0, "delta": ["content": text]]
    if let finish { choice["finish_reason"] = finish }
    return piece(["choices": [choice]])
  }

  static let end = Data("data: [DONE]\n\n".utf8)

  /// "안녕 세상", in pieces that are cut within lines and characters.
  static func answer(
    drafted: Int? = nil, waits: [Double] = [0.15], isCutOff: Bool = false
  ) -> AnsweringServer.Answer {
    var body = text("") + text("안녕") + text(" 세상", finish: "stop")
    var last: [String: Any] = [
      "choices": [[String: Any]](), "usage": ["prompt_tokens": 7, "completion_tokens": 5],
    ]
    if let drafted { last["timings"] = ["draft_n": drafted, "draft_n_accepted": 2] }
    body += piece(last) + end
    if isCutOff { body = text("안녕") }
    let half = body.count / 2 + 1
    return AnsweringServer.Answer(
      pieces: [(waits.first ?? 0, body.prefix(half)), (waits.last ?? 0, body.dropFirst(half))],
      isCutOff: isCutOff)
  }
}

@Suite struct EndpointBenchmarkTests {
  private static let questions = [
    Question(id: "1", category: "qa", language: "ko", turns: ["a", "b"]),
    Question(id: "2", category: "qa", turns: ["c"]),
  ]

  private func session() throws -> RunSession {
    try RunSession(
      RunDatabase(path: nil), conditions: conditions(drafters: []), command: [],
      questions: Shard.whole.questions(of: Self.questions))
  }

  private func benchmark(_ server: AnsweringServer, timeout: Double = 60) throws
    -> EndpointBenchmark
  {
    var endpoint = try ChatEndpoint(address: server.url, model: "far", key: nil)
    endpoint.retryDelay = .milliseconds(5)
    endpoint.longestDelay = .milliseconds(20)
    endpoint.attempts = 6
    endpoint.timeout = timeout
    return EndpointBenchmark(endpoint: endpoint, maxTokens: 16, temperature: 0, seed: 0)
  }

  private func record(_ server: AnsweringServer, into session: RunSession, timeout: Double = 60)
    async throws
  {
    try await benchmark(server, timeout: timeout).record(
      Shard.whole.questions(of: Self.questions), session: session, report: { _ in })
  }

  @Test("answers come as a stream, are timed from outside, and stand beside ours")
  func streams() async throws {
    let bodies = Mutex<[String]>([])
    let server = try AnsweringServer { request in
      guard request.path == "/v1/chat/completions" else { return .init(status: 404) }
      bodies.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
      return FakeServer.answer(drafted: 3)
    }
    defer { server.stop() }
    let session = try session()
    try await record(server, into: session)
    let records = try session.database.records(of: session.run)
    #expect(records.map(\.question) == ["1", "2"])
    let turn = records[0].turns[0]
    #expect(turn.characters == 5)
    #expect(turn.statistics.promptTokens == 7)
    #expect(turn.statistics.tokens == 5)
    // 4 tokens after the first, 2 of them accepted: 2 rounds.
    #expect(turn.statistics.rounds == 2)
    #expect(turn.statistics.acceptanceLength == 2)
    // Two waits; on a busy machine both pieces may be seen at once.
    #expect(turn.sharedPromptSeconds > 0.14, "to the first piece")
    #expect(turn.sharedPromptSeconds + turn.statistics.generationSeconds > 0.29, "to the end")
    // The second turn has the first one's answer before it.
    let asked = bodies.withLock { $0 }
    #expect(asked.count == 3)
    #expect(asked[1].contains("안녕 세상") && asked[1].contains("\"stream\":true"))
    let figures = try #require(
      try BenchmarkReport(session.run, in: session.database).groups.last?.plain)
    #expect(figures.tokens == 15)
    #expect(figures.acceptanceLength == 2)
  }

  @Test("vLLM's counters before and after tell what was accepted")
  func counters() async throws {
    let answered = Mutex(0)
    let server = try AnsweringServer { request in
      if request.path == "/metrics" {
        let count = answered.withLock { $0 }
        return .init(
          body: Data(
            """
            # HELP vllm:spec_decode_num_drafts_total drafts
            vllm:spec_decode_num_drafts_total{model_name="far"} \(100 + 2 * count)
            vllm:spec_decode_num_draft_tokens_total{model_name="far"} \(500 + 10 * count).0
            vllm:spec_decode_num_accepted_tokens_total{model_name="far"} \(300 + 3 * count).0

            """.utf8))
      }
      answered.withLock { $0 += 1 }
      return FakeServer.answer(waits: [0])
    }
    defer { server.stop() }
    let session = try session()
    try await record(server, into: session)
    let statistics = try session.database.records(of: session.run)[1].statistics
    #expect(statistics.drafted == 10)
    #expect(statistics.accepted == 3)
    #expect(statistics.rounds == 2)
    #expect(statistics.acceptanceLength == 2.5)
  }

  @Test("a server that stalls, cuts off, is busy or fails is asked again, and measured anew")
  func failures() async throws {
    let number = Mutex(0)
    let server = try AnsweringServer { request in
      guard request.path == "/v1/chat/completions" else { return .init(status: 404) }
      let count = number.withLock {
        $0 += 1
        return $0
      }
      switch count {
      case 1: return .init(status: 429, headers: ["Retry-After: 0"])
      case 2: return FakeServer.answer(waits: [0], isCutOff: true)
      case 3: return .init(status: 500, body: Data("oops".utf8))
      case 4: return FakeServer.answer(waits: [0, 8])  // longer than the timeout
      default: return FakeServer.answer(waits: [0])
      }
    }
    defer { server.stop() }
    let session = try session()
    try await record(server, into: session, timeout: 4)
    // More where a busy machine makes a quick answer look like one that stalls.
    let asked = number.withLock { $0 }
    #expect((4 + 3...4 + 6).contains(asked))
    let records = try session.database.records(of: session.run)
    #expect(records.count == 2)
    // Nothing is asked twice.
    try await record(server, into: session)
    #expect(number.withLock { $0 } == asked)
  }

  @Test("a server that never answers ends the run with its address; what came before is kept")
  func givesUp() async throws {
    let number = Mutex(0)
    let server = try AnsweringServer { request in
      guard request.path == "/v1/chat/completions" else { return .init(status: 404) }
      let count = number.withLock {
        $0 += 1
        return $0
      }
      return count == 1 ? FakeServer.answer(waits: [0]) : .init(status: 503)
    }
    defer { server.stop() }
    let session = try session()
    let error = await #expect(throws: EndpointError.self) {
      try await record(server, into: session)
    }
    #expect(error?.description.contains("no answer after 6 attempts: ") == true)
    #expect(try session.database.answers(of: session.run).count == 1)
  }

  @Test("what is no piece of an answer is told, and a refused prompt is left out")
  func hostile() async throws {
    let server = try AnsweringServer { request in
      let body = String(decoding: request.body, as: UTF8.self)
      if body.contains("\"c\"") { return .init(pieces: [(0, Data("data: <html>\n\n".utf8))]) }
      return .init(status: 400, body: Data("too long".utf8))
    }
    defer { server.stop() }
    let session = try session()
    let error = await #expect(throws: EndpointError.self) {
      try await record(server, into: session)
    }
    #expect(error?.description.contains("expected a piece of a chat completion") == true)
    #expect(try session.database.questions(of: session.run).tooLong == ["1"])
  }
}

@Suite struct JudgeTests {
  @Test(
    "a verdict is read strictly",
    arguments: [
      ("Good. Rating: [[7]]", 7), ("점수: [[10]]", 10), ("[[1]]", 1), ("[[0]]", nil), ("[[11]]", nil),
      ("[[7.5]]", nil), ("Rating: 7", nil), ("[[7]] or [[8]]", nil), ("[[ 7 ]]", nil), ("[[7", nil),
      ("", nil), ("[[-3]]", nil), ("[[٧]]", nil),
    ] as [(String, Int?)])
  func ratings(text: String, rating: Int?) {
    #expect(JudgeVerdict.rating(text) == rating)
  }

  @Test(
    "a winner is A, B or C and nothing else",
    arguments: [
      ("[[A]]", JudgeVerdict.Winner.first), ("so: [[B]].", .second), ("[[C]]", .tie),
      ("[[A]] [[A]]", nil), ("[[a]]", nil), ("A", nil), ("[[AB]]", nil),
    ] as [(String, JudgeVerdict.Winner?)])
  func winners(text: String, winner: JudgeVerdict.Winner?) {
    #expect(JudgeVerdict.winner(text) == winner)
  }

  private func judgement(
    _ judge: String, _ question: String, _ first: String, _ second: String?, rating: Int? = nil,
    winner: String? = nil
  ) -> Judgement {
    Judgement(
      judge: judge, version: 1, question: question, category: "qa", language: nil, turn: 1,
      first: first, second: second, text: "", rating: rating, winner: winner)
  }

  @Test("figures are those computed by hand; failures are counted and in no mean")
  func byHand() {
    let figures = JudgeFigures([
      judgement("j", "1", "x", nil, rating: 8), judgement("j", "2", "x", nil, rating: 5),
      judgement("j", "3", "x", nil),
      judgement("k", "1", "x", nil, rating: 9), judgement("k", "2", "x", nil, rating: 2),
      // x wins in both orders; loses in both; the verdict follows the order; a tie; one failed.
      judgement("j", "1", "x", "y", winner: "A"), judgement("j", "1", "y", "x", winner: "B"),
      judgement("j", "2", "x", "y", winner: "B"), judgement("j", "2", "y", "x", winner: "A"),
      judgement("j", "3", "x", "y", winner: "A"), judgement("j", "3", "y", "x", winner: "A"),
      judgement("j", "4", "x", "y", winner: "C"), judgement("j", "4", "y", "x", winner: "C"),
      judgement("j", "5", "x", "y", winner: "A"), judgement("j", "5", "y", "x"),
    ])
    let mine = figures.ratings[0]
    #expect(mine.count == 2 && mine.failures == 1 && mine.mean == 6.5)
    let pair = figures.pairs[0]
    #expect(figures.pairs.count == 1)
    #expect(pair.wins == 1 && pair.losses == 1)
    #expect(pair.ties == 2)
    #expect(pair.inconsistent == 1 && pair.failures == 1)
    #expect(pair.winRate == 0.5)
    // Both judges: high and high, middle and low.
    let agreement = figures.agreements[0]
    #expect(agreement.count == 2 && agreement.share == 0.5)
    // By chance: high ½·½, and nothing else in common.
    let kappa: Double = (0.5 - 0.25) / 0.75
    #expect(abs(agreement.kappa - kappa) < 1e-12)
  }

  @Test("a server judges pairs in both orders, in the question's language, and is asked once")
  func server() async throws {
    let bodies = Mutex<[String]>([])
    let server = try AnsweringServer { request in
      let body = String(decoding: request.body, as: UTF8.self)
      bodies.withLock { $0.append(body) }
      // It likes the long answer, wherever that stands.
      let isFirst =
        body.range(of: "short answer").map { short in
          body.range(of: "much longer answer").map { $0.lowerBound < short.lowerBound } ?? false
        } ?? false
      let json: [String: Any] = [
        "choices": [["message": ["content": "[[\(isFirst ? "A" : "B")]]"]]]
      ]
      return .init(body: (try? JSONSerialization.data(withJSONObject: json)) ?? Data())
    }
    defer { server.stop() }
    func player(_ name: String, _ text: String) throws -> Judge.Player {
      let question = Question(id: "q", category: "qa", language: "ko", turns: ["무엇?", "또?"])
      let session = try RunSession(
        RunDatabase(path: nil), conditions: conditions(drafters: []), command: [],
        questions: [(0, question)])
      for turn in 0...1 {
        let answer = answers(
          "q", turn: turn, plain: [promptStep(verify: 1)], drafter: [], text: text)[0]
        try session.add(answer) { _ in nil }
      }
      return Judge.Player(name: name, run: session.run, database: session.database)
    }
    let players = [try player("long", "much longer answer"), try player("short", "short answer")]
    let store = players[0].database
    let judge = try Judge(
      .endpoint(ChatEndpoint(address: server.url, model: "j")), store: store)
    for _ in 0..<2 { try await judge.run(players, mode: .baseline("short"), report: { _ in }) }
    let asked = bodies.withLock { $0 }
    #expect(asked.count == 4, "two orders, two turns, once each")
    #expect(asked.allSatisfy { $0.contains("도우미 A") && $0.contains("무엇?") })
    #expect(asked.filter { $0.contains("또?") }.count == 2)
    let pairs = JudgeFigures(try store.judgements()).pairs
    #expect(pairs.map(\.turn) == [1, 2])
    #expect(pairs.allSatisfy { $0.player == "long" && $0.wins == 1 && $0.failures == 0 })
    await #expect(throws: EvaluationError.self) {
      try await judge.run(players, mode: .baseline("nobody"), report: { _ in })
    }
  }
}
