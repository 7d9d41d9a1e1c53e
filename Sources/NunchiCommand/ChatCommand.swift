import ArgumentParser
import Foundation
import ModelFiles
import Nunchi
import Speculation

/// `nunchi chat`: a conversation in the terminal.
struct ChatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talk with a model in the terminal.",
    discussion: """
      The conversation keeps its KV cache, so each turn computes only what is new. Control-C ends \
      an answer, Control-D or /exit the conversation; /reset begins a new one. In a terminal the \
      arrow keys move in the line and among earlier ones.

      \(smallModelHelp)
      """)

  @Argument(
    help: ArgumentHelp(
      "A model's name, the path of a .gguf file, or of a Hugging Face folder.",
      discussion: "The largest chat model of the catalogue that is fetched, if not given."))
  var model: String?

  @OptionGroup var computing: ThreadArguments

  @Option(help: "A system message: what the model is told before the conversation.")
  var system: String?

  @Option(help: "The most tokens of the whole conversation.")
  var context: Int = 4096

  @Flag(help: "Forget the oldest turns when the context is full, in place of an error.")
  var dropOldest = false

  @OptionGroup var generation: GenerationArguments

  @Flag(help: "Print the speed and what was accepted after each answer, to standard error.")
  var stats = false

  func validate() throws {
    if context < 16 { throw ValidationError("--context: expected 16 or more, found \(context)") }
  }

  func run() async throws {
    let model = try loadModel(model ?? Self.largestFetchedModel(), threads: computing.threads)
    var options = try generation.options(for: model)
    let bar = PromptBar()
    options.promptProgress = bar.update
    let session = try ChatSession(
      model: model, system: system, contextLength: context,
      fullContext: dropOldest ? .dropsOldestTurns : .fails)
    let interrupt = Interrupt()
    let isTerminal = isatty(STDIN_FILENO) == 1
    var lines = InputLines()
    let editor = LineEditor(prompt: "> ")
    let mode = editor?.mode
    var hasFailed = false
    if isTerminal { writeError("/reset begins a new conversation, /exit or Control-D ends") }
    while true {
      interrupt.reset { number in
        mode?.leave()
        Foundation.exit(128 + number)
      }
      if isTerminal, editor == nil { writeErrorText("> ") }
      guard let line = try editor.map({ $0.readLine() }) ?? lines.next() else { break }
      let text = line.trimmingCharacters(in: .whitespaces)
      switch text {
      case "": continue
      case "/exit": return
      case "/reset":
        session.reset()
        continue
      default: break
      }
      let stream = session.send(text, options: options)
      interrupt.reset { _ in stream.cancel() }
      do {
        try await show(stream, bar)
      } catch SpeculationError.promptTooLong(let tokens, let capacity) {
        // The conversation is as it was before, and /reset may follow.
        writeError(
          "Error: conversation: expected at most \(capacity) tokens, found \(tokens); "
            + (dropOldest
              ? "this message alone is too long"
              : "/reset begins a new one, --drop-oldest forgets the oldest turns"))
        hasFailed = true
      } catch  where isTerminal {
        writeError("\n\(error)")
      }
    }
    if hasFailed, !isTerminal { throw ExitCode.failure }
  }

  private func show(_ stream: GenerationStream, _ bar: PromptBar) async throws {
    for try await event in stream {
      bar.clear()
      switch event {
      case .text(let new): writeOut(new)
      case .finished(let result):
        writeOut("\n")
        if result.finishReason == .maxTokens, isatty(STDIN_FILENO) == 1 {
          writeError("[cut here by --max-tokens or --context]")
        }
        if stats { writeTable([[]] + statisticsTable(result)) }
      }
    }
  }

  /// The name of the largest chat model in the cache, which the user is told.
  private static func largestFetchedModel() throws -> String {
    let cache = ModelCache.standard()
    let entries = try ModelCatalogue.standard().entries.filter { $0.categories.contains("chat") }
    let fetched = entries.compactMap { entry in
      let attributes = try? FileManager.default.attributesOfItem(atPath: cache.path(of: entry))
      return (attributes?[.size] as? Int).map { (name: entry.name, size: $0) }
    }
    guard let largest = fetched.max(by: { $0.size < $1.size }) else {
      throw CommandError.noChatModel
    }
    writeError("\(largest.name), the largest chat model that is fetched")
    return largest.name
  }
}
