import ArgumentParser
import Foundation
import ModelFiles
import Nunchi
import Speculation

/// `nunchi generate`: streams text.
struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continue a text, or answer a question.",
    discussion: """
      Without --chat the model continues the prompt as it is; with --chat the prompt is a user's \
      message, written as the model's chat template says. Control-C ends the text, with its \
      statistics or JSON.

      \(smallModelHelp)

      Examples:
        nunchi generate SmolLM2-135M --chat "What is photosynthesis?" --stats
        nunchi generate SmolLM2-135M --chat --file letter.txt --drafter prompt-lookup
        nunchi generate Qwen2.5-Coder-1.5B "def fibonacci(n):" --draft-model Qwen2.5-Coder-0.5B
      """)

  @OptionGroup var target: ModelArguments

  @Argument(help: "The prompt; standard input if neither it nor --file is given.")
  var prompt: String?

  @Option(name: [.short, .long], help: "Read the prompt from this file.")
  var file: String?

  @Flag(help: "Write the prompt as a message of the model's chat template.")
  var chat = false

  @Option(help: "A system message; implies --chat.")
  var system: String?

  @OptionGroup var generation: GenerationArguments

  @Flag(help: "Print what was drafted and accepted, and the speed, to standard error.")
  var stats = false

  @Option(help: "Add one JSON line a step to this file; see 'nunchi replay'.")
  var trace: String?

  @Flag(help: "Go on after tokens that end a text; for measurements.")
  var ignoreEnd = false

  @Flag(help: "Print one JSON object at the end instead of streaming.")
  var json = false

  func validate() throws {
    if prompt != nil, file != nil {
      throw ValidationError("prompt: expected an argument or --file, found both")
    }
    if prompt == nil, file == nil, isatty(STDIN_FILENO) == 1 {
      throw ValidationError("prompt: expected an argument, --file or standard input, found none")
    }
  }

  func run() async throws {
    let text = try readPrompt()
    let model = try target.load()
    var options = try generation.options(for: model)
    options.ignoresEndOfText = ignoreEnd
    let bar = PromptBar()
    options.promptProgress = bar.update
    let stream: GenerationStream
    if chat || system != nil {
      var messages = [ChatMessage(role: "user", content: text)]
      if let system { messages.insert(ChatMessage(role: "system", content: system), at: 0) }
      stream = model.generate(messages, options: options)
    } else {
      stream = model.generate(text, options: options)
    }
    let interrupt = Interrupt { _ in stream.cancel() }
    for try await event in stream {
      bar.clear()
      switch event {
      case .text(let new):
        if !json { writeOut(new) }
      case .finished(let result):
        if json {
          try printJSON(GenerationReport(result))
        } else {
          writeOut("\n")
        }
        if stats { writeTable(statisticsTable(result)) }
        if let trace {
          try TraceFile.append(
            TraceFile.Header(model: model, options: options, costs: model.knownCosts),
            result.traces, to: trace)
        }
        if result.finishReason == nil { throw interrupt.exitCode }
      }
    }
  }

  private func readPrompt() throws -> String {
    if let prompt { return prompt }
    let data = try Data(reading: file ?? "-")
    guard let text = String(validating: data, as: UTF8.self) else {
      throw CommandError.promptIsNotText(path: file ?? "standard input")
    }
    return text
  }
}

/// What `generate --json` prints.
private struct GenerationReport: Encodable {
  var text: String
  var tokenIds: [Int32]
  var promptTokens: Int
  var tokens: Int
  var promptSeconds: Double
  /// Time after the first token, which comes with the prompt's pass.
  var seconds: Double
  /// Tokens after the first, by `seconds`.
  var tokensPerSecond: Double
  var finishReason: String
  var statistics: StatisticsReport

  init(_ result: GenerationResult) {
    let statistics = result.statistics
    text = result.text
    tokenIds = result.tokens
    promptTokens = statistics.promptTokens
    tokens = statistics.tokens
    promptSeconds = statistics.promptSeconds
    seconds = statistics.generationSeconds
    tokensPerSecond = statistics.tokensPerSecond
    finishReason = result.finishReason.map { "\($0)" } ?? "cancelled"
    self.statistics = StatisticsReport(statistics)
  }
}
