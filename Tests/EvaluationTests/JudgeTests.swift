import AnsweringServer
import ChatEndpoints
import Foundation
import Synchronization
import Testing

@testable import Evaluation
@testable import Nunchi

@Suite struct JudgeTests {
  @Test(
    "a rating is read where it can be one number only",
    arguments: [
      ("Good. Rating: [[7]]", 7), ("점수: [[10]]", 10), ("[[1]]", 1), ("[[ 7 ]]", 7),
      ("[[8/10]]", 8), ("[[7]], so [[7]]", 7), ("Score: 3, no: [[7]]", 7),
      ("Rating: 7", 7), ("결론: 10", 10), ("그럴듯합니다.\n**Rating: 8**", 8), ("Rating: **8**/10.", 8),
      ("**Rating:** 8 out of 10", 8), ("## Final score: 9", 9), ("점수: 10점 만점에 8점입니다.", 8),
      ("평점 : 6점", 6), ("최종 점수: [5]", 5), ("The answer is right.\n8/10", 8), ("좋습니다.\n7점.", 7),
      ("9", 9),
      // What is no whole number from 1 to 10, or could be another one.
      ("[[0]]", nil), ("[[11]]", nil), ("[[7.5]]", nil), ("[[7]] or [[8]]", nil), ("[[7", nil),
      ("", nil), ("[[-3]]", nil), ("[[٧]]", nil), ("[[good]] Rating: 7", nil),
      ("Rating: 7.5", nil), ("Rating: 7-8", nil), ("Rating: 80/100", nil), ("Rating: -3", nil),
      ("Rating: 8/10 or 9/10", nil), ("Rating: 1 (worthless) to 10", nil),
      ("Rating: 7\nRating: 8", nil), ("Clarity score: 9", nil), ("It eats 3/10 of the cake.", nil),
      ("3/10 of it.\nSo it is.", nil), ("The number is\n8", nil), ("결론: 없음", nil),
    ] as [(String, Int?)])
  func ratings(text: String, rating: Int?) {
    #expect(JudgeVerdict.rating(text) == rating)
  }

  @Test(
    "a winner is A, B or C where it can be one of them only",
    arguments: [
      ("[[A]]", JudgeVerdict.Winner.first), ("so: [[B]].", .second), ("[[C]]", .tie),
      ("[[A]] [[A]]", .first), ("A", .first), ("Both are fine.\n**B**", .second),
      ("결론: A", .first), ("Verdict: Assistant B.", .second), ("판정: **도우미 A**", .first),
      ("[[a]]", nil), ("[[AB]]", nil), ("[[A]] or [[B]]", nil), ("Verdict: A tie", nil),
      ("Verdict: A or B", nil), ("A good answer", nil), ("결론: A\n결론: B", nil), ("", nil),
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
    #expect(figures.failed.map(\.question) == ["3", "5"])
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

  @Test("without a verdict there is no mean and no win rate, and no zero in their place")
  func none() throws {
    let figures = JudgeFigures([
      judgement("j", "1", "x", nil), judgement("j", "1", "x", "y"), judgement("j", "1", "y", "x"),
    ])
    #expect(figures.ratings[0].mean == nil && figures.ratings[0].failures == 1)
    #expect(figures.pairs[0].winRate == nil && figures.pairs[0].failures == 1)
    let json = String(decoding: try JSONEncoder().encode(figures), as: UTF8.self)
    #expect(!json.contains("mean") && !json.contains("winRate"))
  }

  @Test(
    "a text without a verdict is asked for again on demand, and one that can be read now counts")
  func retry() async throws {
    let asked = Mutex(0)
    let server = try AnsweringServer { request in
      let count = asked.withLock { asked in
        asked += 1
        return asked
      }
      let body = String(decoding: request.body, as: UTF8.self)
      // Asked again it draws, else it would say the same.
      let isDrawn = !body.contains(#""temperature":0,"#) && !body.contains(#""temperature":0}"#)
      let text = count == 3 && isDrawn ? "Rating: [[6]]" : "I cannot say."
      let json: [String: Any] = ["choices": [["message": ["content": text]]]]
      return .init(body: (try? JSONSerialization.data(withJSONObject: json)) ?? Data())
    }
    defer { server.stop() }
    let session = try RunSession(
      RunDatabase(path: nil), conditions: conditions(drafters: []), command: [],
      questions: ["1", "2", "3"].enumerated().map {
        ($0.offset, Question(id: $0.element, category: "qa", language: nil, turns: ["What?"]))
      })
    for id in ["1", "2", "3"] {
      try session.add(answers(id, plain: [promptStep(verify: 1)], drafter: [])[0]) { _ in nil }
    }
    let store = session.database
    let endpoint = try ChatEndpoint(address: server.url, model: "j")
    let judge = try Judge(.endpoint(endpoint), store: store)
    let player = Judge.Player(name: "x", run: session.run, database: store)
    func run(again: Bool) async throws -> JudgeFigures.Rating {
      try await judge.run([player], mode: .single, isRetrying: again, report: { _ in })
      return JudgeFigures(try store.judgements()).ratings[0]
    }
    // A judgement of an earlier version, whose text was not understood.
    let name = JudgeModel.endpoint(endpoint).name
    var old = judgement(name, "3", "x", nil)
    (old.version, old.text) = (try JudgePrompts().version, "결론: 10")
    try store.add(old)
    let first = try await run(again: false)
    #expect(asked.withLock { $0 } == 2, "the third has a verdict that can be read now")
    #expect(first.count == 1 && first.mean == 10 && first.failures == 2)
    let same = try await run(again: false)
    #expect(asked.withLock { $0 } == 2 && same == first)
    let second = try await run(again: true)
    #expect(asked.withLock { $0 } == 4, "both failures, and nothing else")
    #expect(second.count == 2 && second.mean == 8 && second.failures == 1)
    #expect(try store.judgements().count == 3, "in the place of the first")
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
