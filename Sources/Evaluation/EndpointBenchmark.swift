import ChatEndpoints
import Foundation
import Nunchi
import Speculation
import Tokenization

/// Asks the questions of a suite of a server, and measures from outside what it takes. The server is
/// one configuration, `plain`: whether it speculates is its own affair, told by its counters.
public struct EndpointBenchmark: Sendable {
  public var endpoint: ChatEndpoint
  public var maxTokens: Int
  public var temperature: Double
  public var seed: UInt64

  public init(endpoint: ChatEndpoint, maxTokens: Int, temperature: Double, seed: UInt64) {
    self.endpoint = endpoint
    self.maxTokens = maxTokens
    self.temperature = temperature
    self.seed = seed
  }

  /// Asks all that a session has not recorded yet, one question at a time.
  /// - Parameter report: told what comes next.
  /// - Throws: `EndpointError`, `EvaluationError`, or `CancellationError`; finished answers are kept.
  public func record(
    _ questions: [(number: Int, question: Question)], repetitions: Int = 1, session: RunSession,
    isCancelled: () -> Bool = { false }, report: (String) -> Void
  ) async throws {
    let tooLong = Set(try session.database.questions(of: session.run).tooLong)
    let answered = try session.answered()
    for repetition in 0..<repetitions {
      for (number, question) in questions
      where !tooLong.contains(question.id)
        && !answered.contains(AskedQuestion(question: question.id, repetition: repetition))
      {
        var answers: [String] = []
        for turn in question.turns.indices {
          if isCancelled() { throw CancellationError() }
          report("question \(number + 1) (\(question.category))")
          do {
            let answer = try await ask(
              question, turn: turn, answers: answers, repetition: repetition)
            try session.add(answer) { _ in nil }
            answers.append(answer.text)
          } catch EndpointError.refused {
            // The prompt is too long for this server, as a rule.
            try session.leaveOut(question)
            break
          }
        }
      }
    }
  }

  private func ask(
    _ question: Question, turn: Int, answers: [String], repetition: Int
  ) async throws -> Answer {
    var messages: [ChatMessage] = []
    for index in 0...turn {
      messages.append(ChatMessage(role: "user", content: question.turns[index]))
      if index < turn {
        messages.append(ChatMessage(role: "assistant", content: answers[index]))
      }
    }
    let before = await endpoint.draftCounters()
    let found = try await endpoint.stream(
      messages, temperature: temperature, maxTokens: maxTokens, seed: seed &+ UInt64(repetition))
    let after = await endpoint.draftCounters()
    var (rounds, drafted, accepted): (Int?, Int, Int) = (
      nil, found.drafted ?? 0, found.accepted ?? 0
    )
    if let before, let after {
      (drafted, accepted) = (after.drafted - before.drafted, after.accepted - before.accepted)
      rounds = after.drafts > before.drafts ? after.drafts - before.drafts : nil
    }
    return Answer(
      key: AnswerKey(
        question: question.id, turn: turn, repetition: repetition,
        configuration: BenchmarkConfiguration.plain.name),
      place: 0, prompt: [], tokens: [], text: found.text, finish: found.finish,
      sharedPromptSeconds: found.firstSeconds, ownPromptSeconds: 0, joules: nil,
      statistics: SpeculationStatistics(
        promptTokens: found.promptTokens ?? 0,
        // Where the server does not count, the pieces that it sent.
        tokens: found.tokens ?? found.pieces, rounds: rounds, drafted: drafted,
        accepted: accepted, promptSeconds: found.firstSeconds,
        generationSeconds: max(0, found.seconds - found.firstSeconds)), steps: [])
  }
}
