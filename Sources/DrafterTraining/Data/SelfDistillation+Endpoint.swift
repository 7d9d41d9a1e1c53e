import ChatEndpoints
import Tokenization

extension SelfDistillation {
  /// Asks a server for the answers, and appends the conversations to a file. A file that is there
  /// already is gone on with. The conversations have no tokens: a server gives text.
  /// - Parameters:
  ///   - unusable: what of the input is no prompt.
  ///   - parallel: how many conversations are under way at a time.
  ///   - isCancelled: asked after each conversation; what is finished stays.
  ///   - report: told the progress after each conversation.
  /// - Throws: `TrainingError`, `EndpointError`, or `CancellationError`.
  public func run(
    _ prompts: [Prompt], unusable: [LeftOut] = [], on endpoint: ChatEndpoint,
    output path: String, parallel: Int, isCancelled: () -> Bool = { false },
    report: @escaping (DataProgress) -> Void
  ) async throws -> DataProgress {
    try validate()
    let jobs = jobs(prompts)
    let output = try ConversationOutput(
      path: path, ids: Set(jobs.map(\.id)), unusable: unusable, report: report)
    var rest = jobs.filter { !output.settled.contains($0.id) }.makeIterator()
    try await withThrowingTaskGroup(of: RemoteConversation.self) { group in
      for _ in 0..<max(1, parallel) {
        guard let job = rest.next() else { break }
        group.addTask { try await converse(job, with: endpoint) }
      }
      while let result = try await group.next() {
        if let reason = result.reason {
          try output.leaveOut(
            result.conversation.id, reason: reason, tokens: result.tokens)
        } else {
          _ = try output.append(result.conversation, tokens: result.tokens)
        }
        if isCancelled() { throw CancellationError() }
        if let job = rest.next() {
          group.addTask { try await converse(job, with: endpoint) }
        }
      }
    }
    return output.progress
  }

  private struct RemoteConversation: Sendable {
    var conversation: Conversation
    var tokens = 0
    /// Why it is left out.
    var reason: String?
  }

  private func converse(
    _ job: Job, with endpoint: ChatEndpoint
  ) async throws -> RemoteConversation {
    var turns = opening(job)
    var result = RemoteConversation(
      conversation: conversation(job, turns: [], model: endpoint.model))
    for text in [nil] + job.prompt.turns.dropFirst().map(Optional.some) {
      let asked = turns + (text.map { [Conversation.Turn(.human, $0)] } ?? [])
      let answer: ChatEndpoint.Answer
      do {
        answer = try await endpoint.answer(
          Conversation(id: job.id, turns: asked).messages, temperature: job.temperature,
          topP: topP, maxTokens: maxTokens, seed: job.seed)
      } catch let error as EndpointError {
        guard case .refused = error else { throw error }
        // Earlier turns stand: only the next did not fit.
        if text == nil { result.reason = "\(error)" }
        break
      }
      result.tokens += answer.tokens ?? 0
      guard answer.text.contains(where: { !$0.isWhitespace }) else {
        if text == nil { result.reason = "an empty answer" }
        break
      }
      turns = asked + [Conversation.Turn(.gpt, answer.text)]
      result.conversation.turns = turns
      result.conversation.finish = answer.finish
    }
    return result
  }
}
