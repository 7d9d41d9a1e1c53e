import Drafters
import Foundation
import Losslessness
import Speculation
import Testing

/// V(k) = 1 + (k - 1) / 4, in seconds.
private func costs() throws -> VerificationCosts {
  try VerificationCosts(points: [.init(rows: 1, seconds: 1), .init(rows: 5, seconds: 2)])
}

private func promptTrace(_ first: Int32) -> StepTrace {
  var trace = StepTrace(phase: .prompt, position: 3)
  trace.promptTokens = 3
  trace.tokens = [first]
  return trace
}

private func round(
  at position: Int, _ tokens: [Int32], verified: [Int32] = [], proposed: DraftTree? = nil
) -> StepTrace {
  var trace = StepTrace(phase: .round, position: position)
  trace.tokens = tokens
  trace.drafted = verified
  trace.parents = Array(-1..<verified.count - 1)
  trace.accepted = Array(0..<tokens.count - 1)
  if let proposed {
    trace.proposals = [DrafterProposal(drafter: "some", tree: proposed, seconds: 0.5)]
  }
  return trace
}

private func recorded(
  _ count: Int, length: Int, isRight: Bool
) throws -> [StepTrace] {
  let target = TableModel(vocabularySize: 12)
  let prompt: [Int32] = [3, 1, 4]
  let generator = try SpeculativeGenerator(target: target, capacity: 128)
  let limits = GenerationLimits(maxTokens: count)
  let plain = try generate(
    generator, prompt: prompt, setup: GenerationSetup(limits: limits)
  ).output
  let drafter: any Drafter =
    isRight
    ? OracleDrafter(sequence: prompt + plain) : AlwaysWrongDrafter(sequence: prompt + plain)
  let setup = GenerationSetup(drafter: drafter, draftLength: .fixed(length), limits: limits)
  _ = try generate(generator, prompt: prompt, setup: setup)
  // Drafting is priced at nothing, so that only the passes count.
  return generator.traces.map { trace in
    var trace = trace
    for index in trace.proposals.indices { trace.proposals[index].seconds = 0 }
    return trace
  }
}

@Suite struct ReplayTests {
  @Test("a hand-made trace is replayed as counted by hand")
  func byHand() throws {
    // 7 8 9 came from one draft of three, of which 6 was wrong; then 5 without a draft.
    let tree = DraftTree(chain: [7, 8, 6], source: "some")
    let replay = TraceReplay(
      [
        promptTrace(1), round(at: 4, [7, 8, 9], verified: [7, 8, 6], proposed: tree),
        round(at: 7, [5]),
      ],
      costs: try costs())
    #expect(replay.drafters == ["some"])
    let run = replay.recorded
    #expect(run.rounds == 2 && run.drafted == 3 && run.accepted == 2)
    // V(4) + drafting + V(1)
    #expect(run.seconds == 3.25)
    #expect(run.acceptanceLength == 2)

    let plain = replay.outcome(of: .plain)
    #expect(plain.rounds == 4 && plain.drafted == 0 && plain.seconds == 4)
    #expect(plain.acceptanceLength == 1)

    // With one node: 7 | 8 bonus; then 6, which is left of the same proposal, is wrong; then 5.
    let one = replay.outcome(of: .init(drafter: "some", nodes: 1))
    #expect(one.rounds == 3 && one.drafted == 2 && one.accepted == 1)
    // Two passes of two rows and two calls, then one row.
    #expect(one.seconds == 4.5)

    let three = replay.outcome(of: .init(drafter: "some", nodes: 3))
    #expect(three.rounds == 2 && three.accepted == 2 && three.seconds == 3.25)
    let unknown = replay.outcome(of: .init(drafter: "another", nodes: 3))
    #expect(unknown.rounds == 4 && unknown.accepted == 0)
  }

  @Test("of a tree the likeliest nodes are kept")
  func likeliest() throws {
    var tree = DraftTree()
    tree.add(2, score: 0.3, source: "some")
    let likely = tree.add(7, score: 0.6, source: "some")
    tree.add(8, under: likely, score: 0.9, source: "some")
    let traces = [
      promptTrace(1), round(at: 4, [7], proposed: tree), round(at: 5, [8]), round(at: 6, [9]),
    ]
    let replay = TraceReplay(traces, costs: try costs())
    let two = replay.outcome(of: .init(drafter: "some", nodes: 2))
    #expect(two.rounds == 1 && two.drafted == 2 && two.accepted == 2)
  }

  @Test("plain replay takes a round for each token after the prompt's")
  func plain() throws {
    let traces = try recorded(31, length: 4, isRight: true)
    let replay = TraceReplay(traces + traces, costs: try costs())
    let outcome = replay.outcome(of: .plain)
    #expect(outcome.rounds == 60 && outcome.acceptanceLength == 1 && outcome.seconds == 60)
  }

  @Test("an oracle's proposals are accepted as far as nodes are allowed", arguments: 1...6)
  func oracle(nodes: Int) throws {
    let length = 4
    let traces = try recorded(31, length: length, isRight: true)
    let replay = TraceReplay(traces, costs: try costs())
    let outcome = replay.outcome(of: .init(drafter: "oracle", nodes: nodes))
    #expect(outcome.accepted + outcome.rounds == 30)
    #expect(outcome.accepted == outcome.drafted)
    // Recorded rounds bring five tokens: drafts of `nodes` and a bonus token cut them up.
    let perRound = (5 + min(nodes, length)) / (min(nodes, length) + 1)
    #expect(outcome.rounds == 6 * perRound)
  }

  @Test("the regret of the best run is nothing, that of a wasteful one is its waste")
  func regret() throws {
    let best = TraceReplay(try recorded(31, length: 16, isRight: true), costs: try costs())
    #expect(abs(best.regret()) < 0.05)
    let wasteful = TraceReplay(try recorded(31, length: 4, isRight: false), costs: try costs())
    let outcome = try #require(wasteful.outcomes().first)
    #expect(outcome.setting == .plain && outcome.seconds == 30)
    // Passes of five rows take twice as long; the last three drafts are cut short.
    let regret = wasteful.regret()
    #expect(regret > 0.9 && regret < 1)
    #expect(TraceReplay([], costs: try costs()).regret() == 0)
  }

  @Test("a trace is read back from JSON as it was written")
  func coding() throws {
    let traces = try recorded(12, length: 4, isRight: true)
    #expect(traces.contains { !$0.proposals.isEmpty })
    let data = try JSONEncoder().encode(traces)
    #expect(try JSONDecoder().decode([StepTrace].self, from: data) == traces)
  }
}
