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

/// The answers of plain decoding and a drafter to a turn; the prompt took 10 seconds.
func answers(
  _ id: String, turn: Int = 0, repetition: Int = 0, plain: [StepTrace], drafter: [StepTrace],
  name: String = "d", text: String = "답 one"
) -> [Answer] {
  [("plain", plain), (name, drafter)].enumerated().map { place, part in
    var result = result(part.1)
    result.text = text
    return Answer(
      AnswerKey(question: id, turn: turn, repetition: repetition, configuration: part.0),
      place: place, prompt: [1, 2, 3, 4], result: result, sharedPromptSeconds: 10)
  }
}

/// Plain decoding and a drafter, on one question.
func records(
  _ id: String, _ category: String = "qa", language: String? = nil, repetition: Int = 0,
  plain: [StepTrace], drafter: [StepTrace], name: String = "d"
) -> [QuestionRecord] {
  let answers = answers(id, repetition: repetition, plain: plain, drafter: drafter, name: name)
  return answers.map {
    QuestionRecord(
      question: id, category: category, language: language, repetition: repetition,
      configuration: $0.key.configuration, turns: [TurnRecord($0, plain: answers[0].tokens)])
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

/// A path in a folder of its own, which is removed.
func withTemporaryFile<Value>(_ body: (String) throws -> Value) throws -> Value {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("nunchi-evaluation-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.appendingPathComponent("results.db").path)
}
