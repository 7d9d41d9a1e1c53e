import ArgumentParser
import DrafterTraining
import LanguageModels

/// `nunchi data prompts`: prompts that the model writes itself.
struct DataPromptsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prompts",
    abstract: "Draw prompts from the model itself.",
    discussion: """
      The model is given its chat template up to where a user's words begin, and writes them \
      (Magpie, arXiv 2406.08464). --system tells it what kind of user to expect; it may be given \
      several times, for a share of the prompts each.

      Example:
        nunchi data prompts SmolLM2-135M --count 1000 --output prompts.jsonl
      """)

  @OptionGroup var target: ModelArguments

  @Option(help: "How many prompts the file is to have.")
  var count: Int

  @Option(
    name: [.short, .long], help: "The file that prompts are appended to; - is standard output.")
  var output: String

  @Option(help: "What the model is told before; may be given several times.")
  var system: [String] = []

  @Option(help: "1 samples from the model as it is.")
  var temperature = 1.0

  @Option(help: "Sample among the most probable tokens that together reach this probability.")
  var topP = 0.98

  @Option(help: "The most tokens of a prompt.")
  var maxTokens = 256

  @Option(help: "The same seed gives the same prompts.")
  var seed: UInt64 = 0

  @Option(help: "Prompts that are written together.")
  var batch = 16

  func validate() throws {
    if count < 1 { throw ValidationError("--count: expected 1 or more, found \(count)") }
    if maxTokens < 1 {
      throw ValidationError("--max-tokens: expected 1 or more, found \(maxTokens)")
    }
    if !(1...TransformerModel.chunkRows).contains(batch) {
      throw ValidationError(
        "--batch: expected 1 to \(TransformerModel.chunkRows), found \(batch)")
    }
  }

  func run() async throws {
    let model = try target.load()
    var sampling = PromptSampling(count: count)
    if !system.isEmpty { sampling.systems = system }
    sampling.temperature = temperature
    sampling.topP = topP
    sampling.maxTokens = maxTokens
    sampling.seed = seed
    sampling.batch = batch
    let interrupt = Interrupt()
    let bar = WorkProgress(label: target.model)
    defer { bar.clear() }
    do {
      let progress = try sampling.run(
        on: model, output: output, isCancelled: { interrupt.came },
        report: { progress in
          var shown = progress
          shown.skipped = [:]  // attempts that brought nothing are not progress
          bar.update(shown, unit: "prompts")
        })
      bar.clear()
      writeSummary(progress, unit: "prompts", to: output)
    } catch is CancellationError {
      bar.clear()
      writeError("stopped; the same command goes on from here")
      throw ExitCode.failure
    }
  }
}
