import Nunchi

/// Compares ways of decoding on the questions of a suite.
///
/// Plain decoding and every configuration take turns at each question, and who begins changes
/// from question to question, so that a drift of the machine's speed meets them all. They share
/// one KV cache: the prompt is computed by the first of them. A question's next turn follows the
/// answer of plain decoding, for all of them.
///
/// It blocks, and serves one thread at a time.
public final class BenchmarkRun {
  public let model: Model
  public let settings: BenchmarkSettings
  /// Plain decoding and those that are compared with it.
  public let configurations: [BenchmarkConfiguration]
  /// Asked before each forward pass; when it says true, `CancellationError` is thrown.
  public var isCancelled: () -> Bool {
    get { generator.isCancelled }
    set { generator.isCancelled = newValue }
  }
  /// Told what comes next.
  public var willAnswer: (_ question: Question, _ configuration: String) -> Void = { _, _ in }
  /// Given the tokens of each turn's prompt before anybody answers it.
  public var willAsk: (_ prompt: [Int32]) throws -> Void = { _ in }
  /// Given the steps of each answer.
  public var didAnswer:
    (Question, _ turn: Int, _ configuration: String, [StepTrace]) throws -> Void =
      { _, _, _, _ in }

  private let generator: TextGenerator
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
    configurations = [.plain] + drafters
    let longest = try questions.map { question in
      let answers = Array(repeating: "", count: question.turns.count - 1)
      return try settings.promptForm.prompt(
        turns: question.turns[...], answers: answers, model: model
      ).count + question.turns.count * (min(settings.maxTokens, 1 << 20) + Self.slack)
    }.max()
    contextLength = model.contextLength(prompt: longest ?? 0, maxTokens: Self.slack)
    generator = try TextGenerator(model: model, contextLength: contextLength)
  }

  /// Lets every configuration generate a little, so that none pays for what is done once.
  public func warmUp() throws {
    let prompt = model.tokens(of: "One, two, three, one, two,")
    for configuration in configurations {
      var options = configuration.options(settings)
      options.maxTokens = min(settings.maxTokens, 16)
      _ = try generate(prompt, options)
    }
  }

  /// The options with which a configuration answers.
  public func options(of configuration: String) -> GenerationOptions? {
    configurations.first { $0.name == configuration }?.options(settings)
  }

  /// Asks one question.
  /// - Parameter index: its place in the suite, which decides who begins.
  /// - Returns: a record for each configuration in their order; nil when a prompt is longer than
  ///   the model's context.
  public func ask(_ question: Question, index: Int) throws -> [QuestionRecord]? {
    var records = configurations.map {
      QuestionRecord(
        question: question.id, category: question.category, configuration: $0.name, turns: [])
    }
    var answers: [String] = []
    for turn in question.turns.indices {
      let prompt = try settings.promptForm.prompt(
        turns: question.turns[...turn], answers: answers, model: model)
      guard prompt.count < contextLength else { return nil }
      try willAsk(prompt)
      var results = [GenerationResult?](repeating: nil, count: configurations.count)
      var promptSeconds = 0.0
      for place in configurations.indices {
        let turnTaker = (index + place) % configurations.count
        let configuration = configurations[turnTaker]
        willAnswer(question, configuration.name)
        let result = try generate(prompt, configuration.options(settings))
        if place == 0 { promptSeconds = result.traces.first?.verifySeconds ?? 0 }
        results[turnTaker] = result
        try didAnswer(question, turn, configuration.name, result.traces)
      }
      guard let plain = results[0] else { return nil }
      for (place, result) in results.enumerated() {
        guard let result else { continue }
        records[place].turns.append(
          TurnRecord(result, plain: plain.tokens, sharedPromptSeconds: promptSeconds))
      }
      answers.append(plain.text)
    }
    return records
  }

  private func generate(_ prompt: [Int32], _ options: GenerationOptions) throws -> GenerationResult
  {
    try generator.begin(
      prompt: prompt, options: options, continuing: settings.promptForm == .text)
    while try generator.next() != nil {}
    return generator.result
  }
}
