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
