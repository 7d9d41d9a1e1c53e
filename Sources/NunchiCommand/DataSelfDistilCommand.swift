import ArgumentParser
import ChatEndpoints
import DrafterTraining
import Foundation
import LanguageModels
import Nunchi
import Sampling

/// `nunchi data self-distil`: the target's own answers.
struct DataSelfDistilCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "self-distil",
    abstract: "Answer prompts with the target, for its drafters to learn from.",
    discussion: """
      Prompts are JSON lines or a JSON array ({"prompt": …}, {"text": …}, Spec-Bench questions \
      or ShareGPT conversations, of which the user's turns are taken), or plain text, one a line. \
      Many are answered together; an answer that is finished makes place for the next at once.

      What is left out, such as lines that are no prompts and prompts that are too long, stands in \
      OUTPUT.skipped with the reason.

      With --endpoint, a server that speaks OpenAI's API answers in place of the model.

      Examples:
        nunchi data self-distil SmolLM2-135M --prompts prompts.jsonl --output answers.jsonl
        nunchi data self-distil SmolLM2-135M --prompts prompts.jsonl --output answers.jsonl \
      --states states --layers low,mid,high
        nunchi data self-distil --endpoint http://host:8000/v1 --model-name Qwen/Qwen2.5-7B \
      --prompts prompts.jsonl --output answers.jsonl --parallel 64
      """)

  @Argument(help: "A model's name, the path of a .gguf file, or of a Hugging Face folder.")
  var model: String?

  @Option(
    name: [.short, .long], help: "Threads that compute; all of the machine's cores if not given.")
  var threads: Int?

  @Option(parsing: .upToNextOption, help: "Files of prompts.")
  var prompts: [String]

  @Option(
    name: [.short, .long],
    help: "The file that conversations are appended to; - is standard output.")
  var output: String

  @Option(help: "Each prompt is answered at each of these temperatures.")
  var temperatures = DecimalList([0, 0.3, 0.7, 1])

  @Flag(help: "Answer each prompt once, at one of the temperatures, drawn by the seed.")
  var drawTemperature = false

  @Option(help: "Sample among the most probable tokens that together reach this probability.")
  var topP = 1.0

  @Option(help: "The most tokens of an answer.")
  var maxTokens = 512

  @Option(help: "The most turns of a conversation.")
  var turns = 2

  @Option(help: "What the model is told before conversations that do not say it themselves.")
  var system: String?

  @Option(help: "The most prompts to answer, from the first on.")
  var limit: Int?

  @Option(help: "Leave out prompts whose \"split\" is another.")
  var split = "train"

  @Option(help: "The same seed gives the same answers.")
  var seed: UInt64 = 0

  @Option(help: "Conversations that are answered together.")
  var batch = 16

  @Option(help: "The most tokens of a conversation.")
  var context = 2048

  @Option(help: "A folder for the hidden states of all tokens, recorded as they are generated.")
  var states: String?

  @Option(
    help: """
      Layers whose states are recorded beside the final ones: numbers (0 is the embedding), or \
      low,mid,high.
      """)
  var layers: LayerList?

  @Option(
    help: "The address of an OpenAI-compatible server, with its version: http://host:8000/v1.")
  var endpoint: String?

  @Option(help: "The name that the server knows the model by.")
  var modelName: String?

  @Option(help: "The environment variable that has the server's key.")
  var apiKeyEnv: String?

  @Option(help: "Requests to the server at a time.")
  var parallel = 8

  func validate() throws {
    if (model == nil) == (endpoint == nil) {
      throw ValidationError(
        "expected either MODEL or --endpoint URL, found \(model == nil ? "neither" : "both")")
    }
    if endpoint != nil {
      if modelName == nil {
        throw ValidationError("--endpoint: expected --model-name NAME, found none")
      }
      if states != nil {
        throw ValidationError("--states: expected MODEL, found --endpoint: servers give no states")
      }
    }
    if layers != nil, states == nil {
      throw ValidationError("--layers: expected --states DIR, found none")
    }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
    }
    if let limit, limit < 1 {
      throw ValidationError("--limit: expected 1 or more, found \(limit)")
    }
    if !(1...TransformerModel.chunkRows).contains(batch) {
      throw ValidationError(
        "--batch: expected 1 to \(TransformerModel.chunkRows), found \(batch)")
    }
    if !(1...1024).contains(parallel) {
      throw ValidationError("--parallel: expected 1 to 1024, found \(parallel)")
    }
    do {
      try plan.validate()
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private var plan: SelfDistillation {
    var plan = SelfDistillation()
    plan.temperatures = temperatures.values
    plan.drawsTemperature = drawTemperature
    plan.topP = topP
    plan.maxTokens = maxTokens
    plan.maxTurns = turns
    plan.system = system
    plan.seed = seed
    plan.batch = batch
    plan.contextLength = context
    return plan
  }

  func run() async throws {
    let list = try PromptList(paths: prompts, split: split)
    if list.repeated > 0 {
      writeError("repeated prompts, taken once: \(formatCount(list.repeated))")
    }
    if list.otherSplit > 0 {
      writeError("prompts of another split than \(split): \(formatCount(list.otherSplit))")
    }
    let prompts = Array(list.prompts.prefix(limit ?? .max))
    let interrupt = Interrupt()
    let bar = WorkProgress(label: model ?? modelName ?? "")
    defer { bar.clear() }
    let last = LastProgress()
    let report = { (progress: DataProgress) in
      last.progress = progress
      bar.update(progress, unit: "conversations")
    }
    do {
      let progress =
        if let model {
          try answer(prompts, list.leftOut, with: model, interrupt, report)
        } else {
          try await ask(prompts, list.leftOut, interrupt, report)
        }
      bar.clear()
      writeSummary(progress, unit: "conversations", to: output)
    } catch is CancellationError {
      bar.clear()
      if let progress = last.progress {
        writeSummary(progress, unit: "conversations", to: output)
      }
      writeError("stopped; the same command goes on from here")
      throw ExitCode.failure
    }
  }

  private func answer(
    _ prompts: [Prompt], _ unusable: [LeftOut], with name: String, _ interrupt: Interrupt,
    _ report: @escaping (DataProgress) -> Void
  ) throws -> DataProgress {
    let model = try loadModel(name, threads: threads)
    let writer = try states.map {
      try HiddenStateWriter(
        folder: $0, metadata: HiddenStateMetadata(of: model),
        hiddenSize: model.transformer.hiddenSize,
        layers: layers?.layers(of: model.transformer.layerCount) ?? [])
    }
    return try plan.run(
      prompts, unusable: unusable, on: model, output: output, states: writer,
      isCancelled: { interrupt.came }, report: report)
  }

  private func ask(
    _ prompts: [Prompt], _ unusable: [LeftOut], _ interrupt: Interrupt,
    _ report: @escaping (DataProgress) -> Void
  ) async throws -> DataProgress {
    return try await plan.run(
      prompts, unusable: unusable,
      on: ChatEndpoint(address: endpoint ?? "", model: modelName ?? "", key: try apiKey(apiKeyEnv)),
      output: output, parallel: parallel, isCancelled: { interrupt.came }, report: report)
  }
}

/// The progress so far, for when the work is stopped.
final class LastProgress {
  var progress: DataProgress?
}
