import AnsweringServer
import ChatEndpoints
import Foundation
import Synchronization
import Testing

@testable import DrafterTraining

@Suite struct ChatEndpointTests {
  /// What the tests look at in a request.
  private struct Asked: Decodable, Sendable {
    struct Message: Decodable, Sendable, Equatable {
      var role: String
      var content: String
    }
    var model: String
    var messages: [Message]
    var temperature: Double
    var max_tokens: Int
    var seed: UInt64
  }

  private static func completion(_ text: String) -> AnsweringServer.Answer {
    let json: [String: Any] = [
      "choices": [["message": ["role": "assistant", "content": text], "finish_reason": "stop"]],
      "usage": ["completion_tokens": 3],
    ]
    return AnsweringServer.Answer(
      body: (try? JSONSerialization.data(withJSONObject: json)) ?? Data())
  }

  private func withServer(
    _ answer: @escaping @Sendable (AnsweringServer.Request) -> AnsweringServer.Answer,
    _ body: (ChatEndpoint) async throws -> Void
  ) async throws {
    let server = try AnsweringServer(answer)
    defer { server.stop() }
    var endpoint = try ChatEndpoint(address: server.url, model: "far", key: "secret")
    endpoint.retryDelay = .milliseconds(5)
    endpoint.longestDelay = .milliseconds(20)
    endpoint.attempts = 3
    try await body(endpoint)
  }

  private var plan: SelfDistillation {
    var plan = SelfDistillation()
    plan.temperatures = [0, 0.5]
    plan.maxTokens = 9
    plan.system = "Be brief."
    return plan
  }

  @Test("a busy server is asked again, conversations go on turn by turn, and runs resume")
  func conversations() async throws {
    let asked = Mutex<[Asked]>([])
    let number = Mutex(0)
    try await withServer { request in
      let count = number.withLock {
        $0 += 1
        return $0
      }
      // Every third answer is a failure of one kind or another.
      if count % 3 == 0 { return AnsweringServer.Answer(status: count % 2 == 0 ? 429 : 503) }
      guard request.path == "/v1/chat/completions",
        request.headers["authorization"] == "Bearer secret",
        let body = try? JSONDecoder().decode(Asked.self, from: request.body)
      else { return AnsweringServer.Answer(status: 404) }
      asked.withLock { $0.append(body) }
      return Self.completion("\(body.messages.last?.content ?? "") at \(body.temperature)")
    } _: { endpoint in
      try await withFolder { folder in
        // Failures may fall on one conversation several times.
        var endpoint = endpoint
        endpoint.attempts = 50
        let path = "\(folder)/out.jsonl"
        let prompts = (0..<6).map { Prompt(id: "\($0)", turns: ["ask \($0)", "more \($0)"]) }
        // The first run has only some of the prompts, and is torn.
        _ = try await plan.run(
          Array(prompts[..<2]), on: endpoint, output: path, parallel: 3, report: { _ in })
        let first = try lines(of: path)
        #expect(first.count == 4)
        try write(first.joined(separator: "\n") + "\n" + first[0].prefix(40), to: path)
        let progress = try await plan.run(
          prompts, on: endpoint, output: path, parallel: 3, report: { _ in })
        #expect(progress.resumed == 4)
        #expect(progress.written == 8)
        #expect(progress.tokens == 48)
        #expect(try lines(of: path).prefix(4) == first[...])

        let conversations = try ConversationFile(path: path).map { try $0.get() }
        #expect(Set(conversations.map(\.id)).count == 12)
        for conversation in conversations {
          let temperature = try #require(conversation.temperature)
          let number = try #require(conversation.id.first)
          #expect(
            conversation.turns.map(\.text) == [
              "Be brief.", "ask \(number)", "ask \(number) at \(temperature)", "more \(number)",
              "more \(number) at \(temperature)",
            ])
          #expect(conversation.model == "far")
          #expect(conversation.tokens == nil)
        }
        let last = try #require(asked.withLock { $0.last })
        #expect(last.model == "far")
        #expect(last.max_tokens == 9)
        #expect(Set(asked.withLock { $0.map(\.seed) }).count == 12)
      }
    }
  }

  @Test("what the server refuses is noted and not asked again")
  func refusals() async throws {
    try await withServer { request in
      let body = String(decoding: request.body, as: UTF8.self)
      return body.contains("long")
        ? AnsweringServer.Answer(status: 400, body: Data("too many tokens".utf8))
        : Self.completion("fine")
    } _: { endpoint in
      try await withFolder { folder in
        var plan = plan
        plan.temperatures = [0]
        let path = "\(folder)/out.jsonl"
        let prompts = [
          Prompt(id: "a", turns: ["long"]), Prompt(id: "b", turns: ["short", "long"]),
        ]
        let progress = try await plan.run(
          prompts, on: endpoint, output: path, parallel: 2, report: { _ in })
        #expect(progress.skipped == ["the server refused it: too many tokens": 1])
        // The second conversation keeps the turn that worked.
        #expect(
          try ConversationFile(path: path).map { try $0.get().turns.last?.text } == ["fine"])
        let again = try await plan.run(
          prompts, on: endpoint, output: path, parallel: 2, report: { _ in })
        #expect(again.written == 0)
        #expect(again.done == 2)
      }
    }
  }

  @Test(
    "a server that fails for good, or gives no completion, ends the run",
    arguments: [500, 401, 200])
  func failures(status: Int) async throws {
    try await withServer { _ in
      AnsweringServer.Answer(status: status, body: Data("{\"oops\": 1}".utf8))
    } _: { endpoint in
      try await withFolder { folder in
        let error = await #expect(throws: EndpointError.self) {
          try await plan.run(
            [Prompt(id: "a", turns: ["x"])], on: endpoint, output: "\(folder)/o", parallel: 1,
            report: { _ in })
        }
        guard case .failed(let url, let reason)? = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(url.hasSuffix("/v1/chat/completions"))
        #expect(reason.contains("oops"))
      }
    }
  }

  @Test("an address must be one", arguments: ["", "host:8000", "ftp://host/v1", "http://"])
  func address(text: String) {
    #expect(throws: EndpointError.self) { try ChatEndpoint(address: text, model: "m") }
  }
}
