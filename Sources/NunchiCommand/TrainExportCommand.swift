import ArgumentParser
import DrafterTraining
import Nunchi

/// `nunchi train export`.
struct TrainExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a trained drafter as vLLM and SGLang load it.",
    discussion: """
      What 'nunchi train' writes is loaded by both as it is. This command writes so what lacks a \
      tensor: the drafters that come with Nunchi, and older ones. Docs/training.md says how to \
      serve them.

      Examples:
        nunchi train export --target SmolLM2-135M --drafter eagle --out eagle
        nunchi train export --target SmolLM2-135M --trained drafter --for vllm --out drafter-vllm
      """)

  @Option(help: "The model that it drafts for: a name, a .gguf file, or a Hugging Face folder.")
  var target: String

  @Option(help: "Its kind: the one that comes with Nunchi, or that was trained into the cache.")
  var drafter: String?

  @Option(help: "Its folder.")
  var trained: String?

  @Option(
    name: .customLong("for"),
    help: "vllm, which before version 0.25 needs fewer tensors, or sglang; both if not given.")
  var server: ServedDrafter.Server?

  @Option(name: [.short, .long], help: "The folder to write.")
  var out: String

  func validate() throws {
    if (drafter == nil) == (trained == nil) {
      throw ValidationError(
        "expected either --drafter or --trained, found \(drafter == nil ? "neither" : "both")")
    }
  }

  func run() async throws {
    let model = try loadModel(target)
    guard
      let found = try trained.map(model.trainedDrafter(folder:))
        ?? model.trainedDrafter(method: drafter)
    else {
      throw NunchiError.noTrainedDrafter(
        method: drafter ?? "", model: model.name, found: "none")
    }
    try ServedDrafter.write(found, for: server, target: model.transformer, to: out)
    writeError("\(found.method) of \(found.folder) is in \(out)")
  }
}

extension ServedDrafter.Server: ExpressibleByArgument {}
