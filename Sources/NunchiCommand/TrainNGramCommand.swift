import ArgumentParser
import DrafterTraining
import Foundation
import ModelFiles
import Nunchi

/// `nunchi train ngram-lm`.
struct TrainNGramCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ngram-lm",
    abstract: "Counts of what follows a few tokens, for each language of some texts.",
    discussion: """
      Minutes for millions of tokens. All languages come into one drafter, which tells by itself \
      which one is written.

      Example:
        nunchi train ngram-lm --target Qwen2.5-Coder-1.5B --data corpus/train.jsonl \
      --data answers.jsonl --language ko --language ja --out ngrams
      """)

  @Option(help: "The model to draft for: a name, a .gguf file, or a Hugging Face folder.")
  var target: String

  @Option(
    help: """
      A file of texts ('nunchi data corpus') or conversations ('nunchi data self-distil'), of which \
      the answers count; may be given several times.
      """)
  var data: [String] = []

  @Option(help: "Only texts of this language, such as ko; may be given several times.")
  var language: [String] = []

  @Option(
    name: [.short, .long],
    help: "The folder for the drafter; one in the cache, by target, if not given.")
  var out: String?

  @Option(help: "A YAML file; the options below go before it.")
  var config: String?

  @Option(help: "The longest context in tokens, 1 to 4.")
  var context: Int?

  @Option(help: "Leave out contexts of two tokens and more that stand less often in the text.")
  var minimumCount: Int?

  @Option(help: "The most tokens of each language, to see what more of them bring.")
  var tokens: Int?

  @Option(help: "Whose the texts are and under which licence, for the model card.")
  var licence: String?

  @Option(help: "The same seed holds out the same documents.")
  var seed: UInt64?

  func validate() throws {
    guard !data.isEmpty else { throw ValidationError("--data: expected a file, found none") }
  }

  func run() async throws {
    var settings =
      try config.map {
        try YAMLSettings.read(NGramConfiguration(), path: $0)
      } ?? NGramConfiguration()
    if let context { settings.context = context }
    if let minimumCount { settings.minimumCount = minimumCount }
    if let tokens { settings.tokens = tokens }
    if let seed { settings.seed = seed }
    let model = try loadModel(target, threads: nil)
    let folder =
      out ?? TrainingJob<TinyLMConfiguration>.standardFolder(method: "ngram-lm", model: model)
    var trainer = NGramTrainer(
      model: model, configuration: settings, version: RootCommand.configuration.version)
    trainer.licence = licence
    let figures = try trainer.run(
      data: data, languages: language, folder: folder, report: { writeError($0) })
    printTable(
      [["language", "documents", "tokens", "contexts", "held-out tokens", "first", "listed"]]
        + figures.map {
          [
            $0.language, "\($0.documents)", formatCount($0.tokens), formatCount($0.contexts),
            formatCount($0.heldOutTokens), "\(formatDecimal($0.first * 100, places: 1)) %",
            "\(formatDecimal($0.listed * 100, places: 1)) %",
          ]
        })
    writeError("the drafter is in \(folder)")
  }
}
