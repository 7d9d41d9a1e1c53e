import Foundation

@testable import Evaluation
@testable import Nunchi

/// A prompt's step: its time is that of the pass, and a little of the drafter's.
func promptStep(verify: Double, draft: Double = 0) -> StepTrace {
  var trace = StepTrace(phase: .prompt, position: 4)
  trace.promptTokens = 4
  trace.tokens = [1]
  trace.verifySeconds = verify
  trace.draftSeconds = draft
  return trace
}

/// A round that drafts a chain, and whose time is `verify` and `draft`.
func round(drafted: Int, accepted: Int, verify: Double, draft: Double = 0) -> StepTrace {
  var trace = StepTrace(phase: .round, position: 5)
  trace.drafted = Array(repeating: 7, count: drafted)
  trace.accepted = Array(0..<accepted)
  trace.tokens = Array(repeating: 7, count: accepted + 1)
  trace.verifySeconds = verify
  trace.draftSeconds = draft
  return trace
}

func result(_ traces: [StepTrace]) -> GenerationResult {
  GenerationResult(
    text: "", tokens: traces.flatMap(\.tokens), promptTokens: 4, finishReason: .stop,
    traces: traces)
}

/// Plain decoding and a drafter, on one question.
func records(
  _ id: String, _ category: String = "qa", plain: [StepTrace], drafter: [StepTrace],
  name: String = "d"
) -> [QuestionRecord] {
  let tokens = plain.flatMap(\.tokens)
  return [("plain", plain), (name, drafter)].map { configuration, traces in
    QuestionRecord(
      question: id, category: category, configuration: configuration,
      turns: [TurnRecord(result(traces), plain: tokens, sharedPromptSeconds: 10)])
  }
}

func conditions(
  maxTokens: Int = 16, drafters: [String] = ["d"], date: String = "2026-01-01T00:00:00Z"
) -> BenchmarkConditions {
  BenchmarkConditions(
    model: "m", suite: "s", suiteSHA256: "00", drafters: drafters, promptForm: .text,
    maxTokens: maxTokens, temperature: 0, seed: 0, threads: 1, instructionSet: "portable",
    version: "1", date: date)
}

func withTemporaryFile<Value>(_ body: (String) throws -> Value) throws -> Value {
  let path = FileManager.default.temporaryDirectory
    .appendingPathComponent("nunchi-evaluation-\(UUID().uuidString).jsonl").path
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}
