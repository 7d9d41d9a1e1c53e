import Drafters
import LanguageModels
import Speculation
import Tokenization

/// What a generation came to.
public struct GenerationResult: Sendable {
  /// The whole text, without stop strings.
  public var text: String
  /// The generated tokens. A stop token is the last of them; nothing after a stop string is here.
  public var tokens: [Int32]
  public var promptTokens: Int
  /// nil while the generation goes on, or when it was cancelled.
  public var finishReason: FinishReason?
  /// What each forward pass drafted and accepted, and the time it took.
  public var traces: [StepTrace]

  /// Figures computed from the traces.
  public var statistics: SpeculationStatistics { SpeculationStatistics(traces) }
}

/// Generates text step by step, and keeps its KV cache from one generation to the next: a prompt
/// that begins like the last sequence is computed only from where the two differ.
///
///     let generator = try TextGenerator(model: model, contextLength: 2048)
///     try generator.begin(prompt: model.tokens(of: "Once upon a time"), options: options)
///     while let text = try generator.next() { print(text, terminator: "") }
///
/// Several generators of one model may decode together, in one pass a step (`next(_:)`). It blocks,
/// and serves one thread at a time.
public final class TextGenerator {
  public let model: Model
  /// Asked before each forward pass; when it says true, `CancellationError` is thrown.
  public var isCancelled: () -> Bool {
    get { generator.isCancelled }
    set { generator.isCancelled = newValue }
  }

  /// The most tokens of a sequence.
  public var contextLength: Int { generator.capacity }

  private let generator: SpeculativeGenerator<TransformerModel>
  /// The drafters of the last generation, and where they belong.
  private var session: (drafters: DraftSession, pool: DraftSessions)?
  private var detokenizer: StreamingDetokenizer
  private var stops: StopStrings
  private var characters = WholeCharacters()
  private var text = ""
  private var promptTokens = 0
  private var isFinished = true
  /// Gets the output when the generation ends.
  private var suffixStore: SuffixStore?
  private var adaptation: HeadAdaptation?

  /// - Parameter contextLength: the most tokens of a sequence, prompt and output; memory for
  ///   their keys and values is set aside. At most the model's own context is used.
  /// - Throws: `LanguageModelError` when memory is short.
  public init(model: Model, contextLength: Int) throws {
    self.model = model
    generator = try SpeculativeGenerator(
      target: model.transformer, capacity: min(contextLength, model.transformer.contextLength))
    detokenizer = StreamingDetokenizer(tokenizer: model.tokenizer)
    stops = try StopStrings()
  }

  /// Empties the KV cache: the next prompt is computed from its first token on.
  public func forget() {
    isFinished = true
    generator.forget()
  }

  /// Starts a generation and computes the prompt.
  /// - Parameter continuing: the output goes on from the prompt's text, as against answering it.
  /// - Throws: `SpeculationError`, `NunchiError` or `LanguageModelError`.
  public func begin(prompt: [Int32], options: GenerationOptions, continuing: Bool = true) throws {
    isFinished = true
    suffixStore = options.drafter.settings.suffixStore
    adaptation = options.drafter.settings.adaptation
    stops = try StopStrings(options.stop)
    detokenizer = StreamingDetokenizer(tokenizer: model.tokenizer, continuing: continuing)
    characters = WholeCharacters()
    text = ""
    promptTokens = prompt.count
    generator.promptProgress = options.promptProgress
    try generator.begin(
      prompt: prompt, setup: options.setup(for: model, session: try takeSession(options)))
    isFinished = false
  }

  /// The drafters of the last generation if they are asked for again: they know its sequence.
  private func takeSession(_ options: GenerationOptions) throws -> DraftSession? {
    if let session, session.pool === options.drafter.sessions,
      session.drafters.suits(model, length: options.draftLength, capacity: generator.capacity)
    {
      return session.drafters
    }
    putBackSession()
    let taken = try options.takeSession(for: model, capacity: generator.capacity)
    session = taken.map { ($0, options.drafter.sessions) }
    return taken
  }

  private func putBackSession() {
    if let session { session.pool.putBack(session.drafters) }
    session = nil
  }

  deinit { putBackSession() }

  /// The text of the next step, in whole characters; it may be empty. nil when the generation has
  /// ended.
  public func next() throws -> String? {
    try Self.next([self])[0]
  }

  /// The next texts of several generators of one model, decoded together. Each has the text that
  /// it would have alone.
  public static func next(_ generators: [TextGenerator]) throws -> [String?] {
    let active = generators.indices.filter { !generators[$0].isFinished }
    let steps = try SpeculativeGenerator.next(active.map { generators[$0].generator })
    var texts = [String?](repeating: nil, count: generators.count)
    for (index, step) in zip(active, steps) { texts[index] = try generators[index].take(step) }
    return texts
  }

  private func take(_ step: [Int32]?) throws -> String {
    let shown = step.map(show) ?? finish("")
    if isFinished { try keep() }
    return shown
  }

  /// Keeps what a generation has taught.
  private func keep() throws {
    try suffixStore?.append(Array(generator.output))
    try adaptation?.save()
    if case .controlled(let controller) = session?.drafters.draftLength {
      model.refineCosts(by: controller, steps: generator.traces.count)
    }
  }

  /// Ends the generation where it is.
  /// - Returns: the text that was held back.
  func end() throws -> String {
    let rest = finish("")
    try keep()
    return rest
  }

  private func show(_ new: [Int32]) -> String {
    var shown = ""
    for (index, token) in new.enumerated() {
      let isStopToken = generator.finishReason == .stop && index == new.count - 1
      let (safe, stopped) = stops.append(isStopToken ? "" : detokenizer.append(token))
      shown += safe
      if stopped {
        generator.stop(dropping: new.count - 1 - index)
        return last(shown)
      }
    }
    if generator.finishReason != nil { return finish(shown) }
    let whole = characters.append(shown)
    text += whole
    return whole
  }

  /// The generation so far.
  public var result: GenerationResult {
    GenerationResult(
      text: text, tokens: Array(generator.output), promptTokens: promptTokens,
      finishReason: generator.finishReason, traces: generator.traces)
  }

  /// Ends the text: what was held back comes out, as far as no stop string is in it.
  private func finish(_ shown: String) -> String {
    let (safe, stopped) = stops.append(detokenizer.finish())
    return last(shown + safe + (stopped ? "" : stops.finish()))
  }

  private func last(_ shown: String) -> String {
    isFinished = true
    let last = characters.append(shown) + characters.finish()
    text += last
    return last
  }
}
