import LanguageModels
import Nunchi
import Sampling

extension SelfDistillation {
  /// Answers prompts with a model, many at a time, and appends the conversations to a file. A file
  /// that is there already is gone on with.
  ///
  /// A model with a chat template answers in it, turn by turn; one without continues the first
  /// turn's text.
  /// - Parameters:
  ///   - unusable: what of the input is no prompt.
  ///   - states: where the states of all tokens are recorded on the fly, if they are to be.
  ///   - isCancelled: asked before each pass; what is finished stays.
  ///   - report: told the progress after each conversation.
  /// - Throws: `TrainingError`, `LanguageModelError`, or `CancellationError`.
  public func run(
    _ prompts: [Prompt], unusable: [LeftOut] = [], on model: Model, output path: String,
    states: HiddenStateWriter? = nil, isCancelled: @escaping () -> Bool = { false },
    report: @escaping (DataProgress) -> Void
  ) throws -> DataProgress {
    try validate()
    let jobs = jobs(prompts)
    let output = try ConversationOutput(
      path: path, ids: Set(jobs.map(\.id)), unusable: unusable, report: report)
    if let states, output.progress.resumed > 0 {
      // A kill leaves conversations whose states were not on disk yet.
      try HiddenStatePass(model: model, contextLength: contextLength)
        .run(ConversationFile(path: path), into: states, isCancelled: isCancelled)
    }
    let decoder = try BatchDecoder(
      model: model, batch: batch, contextLength: contextLength, recording: states?.layers,
      isCancelled: isCancelled)
    var rest = jobs.lazy.filter { !output.settled.contains($0.id) }.makeIterator()
    defer { withExtendedLifetime(states) {} }
    do {
      try decoder.run(
        next: {
          while let job = rest.next() {
            var work = LocalConversation(job: job, turns: opening(job))
            if let request = try request(&work, model) { return (work, request) }
            try output.leaveOut(job.id, reason: "the prompt is too long")
          }
          return nil
        },
        finished: { work, sequence in
          var work = work
          work.take(sequence, model)
          if let next = try nextTurn(&work, model) { return (work, next) }
          if work.isEmpty {
            try output.leaveOut(
              work.job.id, reason: "an empty answer", tokens: work.generated)
          } else if try output.append(
            work.conversation(self, model), tokens: work.generated), let states
          {
            try states.append(work.tokenized, states: try sequence.states())
          }
          return nil
        })
    } catch {
      try states?.finish()
      throw error
    }
    try states?.finish()
    return output.progress
  }

  private func nextTurn(
    _ work: inout LocalConversation, _ model: Model
  ) throws -> BatchDecoder.Request? {
    let asked = work.turns.count { $0.speaker == .human }
    guard model.tokenizer.chatTemplate != nil, asked < work.job.prompt.turns.count, !work.isEmpty
    else { return nil }
    var longer = work
    longer.turns.append(Conversation.Turn(.human, work.job.prompt.turns[asked]))
    guard let request = try request(&longer, model) else { return nil }
    work = longer
    return request
  }

  /// What the model is to read next; nil when that, with an answer, is too long.
  private func request(
    _ work: inout LocalConversation, _ model: Model
  ) throws -> BatchDecoder.Request? {
    let prompt =
      model.tokenizer.chatTemplate == nil
      ? model.tokens(of: work.turns.map(\.text).joined(separator: "\n"))
      : try model.tokens(of: Conversation(id: "", turns: work.turns).messages)
    let capacity = min(contextLength, model.transformer.contextLength)
    guard !prompt.isEmpty, prompt.count + maxTokens <= capacity else { return nil }
    work.read(prompt)
    return BatchDecoder.Request(
      prompt: prompt,
      sampling: try SamplingParameters(
        temperature: work.job.temperature, topP: topP, seed: work.job.seed),
      maxTokens: maxTokens)
  }
}

/// A conversation in the making.
private struct LocalConversation {
  let job: SelfDistillation.Job
  var turns: [Conversation.Turn]
  var generated = 0
  private var prompt: [Int32] = []
  private var answer: [Int32] = []
  /// Where earlier answers stand in the prompt.
  private var earlier: [Range<Int>] = []
  private var finish = FinishReason.stop

  init(job: SelfDistillation.Job, turns: [Conversation.Turn]) {
    self.job = job
    self.turns = turns
  }

  /// Whether the last answer has no text.
  var isEmpty: Bool { !(turns.last?.text.contains { !$0.isWhitespace } ?? false) }

  /// The next prompt: the template's, whose tokens of an earlier answer may differ from those that
  /// were generated. Only as far as they are the same they count as the model's own.
  mutating func read(_ longer: [Int32]) {
    if !prompt.isEmpty {
      let common = zip(prompt + answer, longer).prefix { $0 == $1 }.count
      if common > prompt.count { earlier.append(prompt.count..<common) }
    }
    prompt = longer
    answer = []
  }

  mutating func take(_ sequence: BatchDecoder.Sequence, _ model: Model) {
    answer = sequence.output
    finish = sequence.finish
    generated += answer.count
    turns.append(Conversation.Turn(.gpt, model.tokenizer.decode(answer)))
  }

  var tokenized: TokenizedConversation {
    TokenizedConversation(
      id: job.id, tokens: prompt + answer,
      answers: earlier + [prompt.count..<prompt.count + answer.count])
  }

  func conversation(_ plan: SelfDistillation, _ model: Model) -> Conversation {
    var conversation = plan.conversation(job, turns: turns, model: model.name)
    conversation.finish = finish.rawValue
    conversation.tokens = Conversation.Tokens(prompt: prompt, answer: answer, earlier: earlier)
    return conversation
  }
}
