import ArgumentParser
import Dispatch
import Foundation
import Nunchi

/// `nunchi chat`: a conversation in the terminal.
struct ChatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talk with a model in the terminal.",
    discussion: """
      The conversation keeps its KV cache, so each turn computes only what is new. Control-C ends \
      an answer, Control-D or /exit the conversation; /reset begins a new one.
      """)

  @OptionGroup var target: ModelArguments

  @Option(help: "A system message: what the model is told before the conversation.")
  var system: String?

  @Option(help: "The most tokens of the whole conversation.")
  var context: Int = 4096

  @OptionGroup var generation: GenerationArguments

  @Flag(help: "Print the speed and what was accepted after each answer, to standard error.")
  var stats = false

  func validate() throws {
    if context < 16 { throw ValidationError("--context: expected 16 or more, found \(context)") }
  }

  func run() async throws {
    let model = try target.load()
    let options = try generation.options(for: model)
    var session = try ChatSession(model: model, system: system, contextLength: context)
    let interrupt = Interrupt()
    let isTerminal = isatty(STDIN_FILENO) == 1
    var lines = InputLines()
    while true {
      if isTerminal { writeErrorText("> ") }
      guard let line = try lines.next() else { break }
      let text = line.trimmingCharacters(in: .whitespaces)
      switch text {
      case "": continue
      case "/exit": return
      case "/reset":
        session = try ChatSession(model: model, system: system, contextLength: context)
        continue
      default: break
      }
      interrupt.reset()
      do {
        try await answer(session.send(text, options: options), interrupt)
      } catch  where isTerminal {
        writeError("\n\(error)")  // the conversation is as it was before
      }
    }
  }

  private func answer(_ stream: GenerationStream, _ interrupt: Interrupt) async throws {
    for try await event in stream {
      if interrupt.came { break }
      switch event {
      case .text(let new): writeOut(new)
      case .finished(let result):
        if stats { writeTable([[]] + statisticsTable(result)) }
      }
    }
    writeOut("\n")
  }
}
