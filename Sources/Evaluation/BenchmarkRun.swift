import Nunchi

/// Compares ways of decoding on the questions of a suite.
///
/// Plain decoding and every configuration take turns at each question, and who begins changes
/// from question to question, so that a drift of the machine's speed meets them all. They share
/// one KV cache: the prompt is computed by the first of them. A question's next turn follows the
/// answer of plain decoding, for all of them.
///
/// What drafters have learned when they are asked is `settings.drafterMemory`. The memories that
/// their users gave them (past outputs, corrections) are as they were when the run was made, and
/// nothing is written to them.
///
/// It blocks, and serves one thread at a time.
public final class BenchmarkRun {
  public let model: Model
  public let settings: BenchmarkSettings
  /// Plain decoding and those that are compared with it, as they were given: others like them
  /// generate.
  public let configurations: [BenchmarkConfiguration]
  /// Asked before each forward pass; when it says true, `CancellationError` is thrown.
  public var isCancelled: () -> Bool {
    get { generator.isCancelled }
    set { generator.isCancelled = newValue }
  }
  /// Given the tokens of each turn's prompt before anybody answers it.
  public var willAsk: (_ prompt: [Int32]) throws -> Void = { _ in }

  /// Those that generate now, with what they have learned.
  private var current: [BenchmarkConfiguration] = []
  private let generator: TextGenerator
  private let meter = EnergyMeter()
  /// Tokens that there is room for, prompt and answer.
  public let contextLength: Int

  /// Room for what the tokens of an answer grow by when its text is tokenized again.
  private static let slack = 64

  /// - Parameter questions: those that will be asked; the cache has room for the longest.
  /// - Throws: `NunchiError` or `TokenizationError` when the prompts cannot be made,
  ///   `LanguageModelError` when memory is short.
  public init(
    model: Model, drafters: [BenchmarkConfiguration], settings: BenchmarkSettings,
    questions: [Question]
  ) throws {
    self.model = model
    self.settings = settings
    configurations = [.plain] + drafters.map { $0.fresh() }
    let longest = try questions.map { question in
      let answers = Array(repeating: "", count: question.turns.count - 1)
      return try settings.promptForm.prompt(
        turns: question.turns[...], answers: answers, model: model
      ).count + question.turns.count * (min(settings.maxTokens, 1 << 20) + Self.slack)
    }.max()
    contextLength = model.contextLength(prompt: longest ?? 0, maxTokens: Self.slack)
    generator = try TextGenerator(model: model, contextLength: contextLength)
  }

  /// Lets every configuration generate a little, so that none pays for what is done once. What they
  /// learn of it is forgotten.
  private func warmUp() throws {
    let prompt = model.tokens(of: "One, two, three, one, two,")
    for configuration in configurations {
      var options = configuration.fresh().options(settings)
      options.maxTokens = min(settings.maxTokens, 16)
      _ = try generate(prompt, options)
    }
  }

  /// The options with which a configuration answers.
  public func options(of configuration: String) -> GenerationOptions? {
    configurations.first { $0.name == configuration }?.options(settings)
  }

  /// Asks all that a session has not recorded yet.
  /// - Parameters:
  ///   - repetitions: how often each question is asked; all of them once before any of them again.
  ///   - report: told what comes next.
  /// - Throws: `CancellationError` when it was cancelled; finished answers are recorded.
  public func record(
    _ questions: [(number: Int, question: Question)], repetitions: Int = 1,
    session: RunSession, report: (String) -> Void
  ) throws {
    var tooLong = Set(try session.database.questions(of: session.run).tooLong)
    let answered = try session.answered()
    let open = (0..<repetitions).flatMap { repetition in
      questions.filter {
        !tooLong.contains($0.question.id)
          && !answered.contains(
            AskedQuestion(question: $0.question.id, repetition: repetition))
      }.map { (number: $0.number, question: $0.question, repetition: repetition) }
    }
    guard !open.isEmpty else { return }
    report("warming up")
    try warmUp()
    let place = questions.count * repetitions - open.count
    var repetition: Int?
    for (index, part) in open.enumerated() where !tooLong.contains(part.question.id) {
      if settings.drafterMemory == .question || repetition != part.repetition {
        current = configurations.map { $0.fresh() }
        if settings.drafterMemory == .repetition {
          try session.begin(
            AskedQuestion(question: part.question.id, repetition: part.repetition))
        }
        repetition = part.repetition
      }
      let isAsked = try ask(
        part.question, index: part.number, repetition: part.repetition, session: session
      ) {
        report(
          "question \(place + index + 1) of \(questions.count * repetitions) "
            + "(\(part.question.category)), \($0)")
      }
      if !isAsked {
        try session.leaveOut(part.question)
        tooLong.insert(part.question.id)
      }
      try session.note(costs: model.knownCosts, peakMemory: Machine.peakMemory)
    }
  }

  /// Asks one question. Its first prompt is computed from the first token on, whatever was asked
  /// before.
  /// - Parameters:
  ///   - index: its place in the suite, which decides who begins.
  ///   - repetition: from 0; the seed of sampling grows with it.
  ///   - report: told who answers next.
  /// - Returns: false when a prompt is longer than the model's context.
  private func ask(
    _ question: Question, index: Int, repetition: Int, session: RunSession,
    report: (_ configuration: String) -> Void
  ) throws -> Bool {
    generator.forget()
    var answers: [String] = []
    for turn in question.turns.indices {
      let prompt = try settings.promptForm.prompt(
        turns: question.turns[...turn], answers: answers, model: model)
      guard prompt.count < contextLength else { return false }
      try willAsk(prompt)
      var promptSeconds = 0.0
      for place in current.indices {
        let turnTaker = (index + repetition + place) % current.count
        let configuration = current[turnTaker]
        report(configuration.name)
        let energy = meter.reading()
        let result = try generate(
          prompt, configuration.options(settings, repetition: repetition))
        if place == 0 { promptSeconds = result.traces.first?.verifySeconds ?? 0 }
        if turnTaker == 0 { answers.append(result.text) }
        try session.add(
          Answer(
            AnswerKey(
              question: question.id, turn: turn, repetition: repetition,
              configuration: configuration.name),
            place: place, prompt: prompt, result: result, sharedPromptSeconds: promptSeconds,
            joules: meter.joules(since: energy)), bytes: model.tokenizer.bytes(of:))
      }
    }
    return true
  }

  private func generate(_ prompt: [Int32], _ options: GenerationOptions) throws -> GenerationResult
  {
    try generator.begin(
      prompt: prompt, options: options, continuing: settings.promptForm == .text)
    while try generator.next() != nil {}
    return generator.result
  }
}
