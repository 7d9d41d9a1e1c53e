import ArgumentParser
import DrafterTraining
import Foundation
import Nunchi

/// `nunchi data vocabulary`.
struct DataVocabularyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vocabulary",
    abstract: "List the tokens that texts of each language need, for a draft model's output.",
    usage: """
      nunchi data vocabulary <model> --data <data> ... --output <output> [--language <language> \
      ...] [--coverage <coverage>]
      """,
    discussion: """
      A draft model with a large vocabulary spends much of its time on words of other languages. \
      With these lists its output is cut to the language that is written.

      Example:
        nunchi data vocabulary Qwen2.5-Coder-0.5B --data corpus/train.jsonl --output lists
        nunchi generate Qwen2.5-Coder-1.5B --draft-model Qwen2.5-Coder-0.5B --draft-vocabulary lists
      """)

  @Argument(help: "The draft model: a name, a .gguf file, or a Hugging Face folder.")
  var model: String?

  /// What MODEL and --output were called before.
  @Option(name: .customLong("model"), help: .hidden)
  var oldModel: String?

  @Option(name: .customLong("out"), help: .hidden)
  var oldOutput: String?

  @Option(parsing: .upToNextOption, help: "Files of texts or conversations.")
  var data: [String]

  @Option(
    parsing: .upToNextOption,
    help: "Only these languages, of lines that say theirs; all if not given.")
  var language: [String] = []

  @Option(help: "The share of each language's text that its tokens make up.")
  var coverage = 0.99

  @Option(name: [.short, .long], help: "The folder for the lists.")
  var output: String?

  func validate() throws {
    for (name, values) in [("MODEL", [model, oldModel]), ("--output", [output, oldOutput])] {
      let count = values.compactMap(\.self).count
      if count != 1 {
        throw ValidationError("expected one \(name), found \(count == 0 ? "none" : "two")")
      }
    }
  }

  func run() async throws {
    let model = try loadModel(model ?? oldModel ?? "")
    let output = output ?? oldOutput ?? ""
    var lists = VocabularyLists(model: model)
    lists.coverage = coverage
    let found = try lists.write(data: data, languages: language, to: output)
    if let note = try LeftOut.write(lists.leftOut, of: output) { writeError(note) }
    printTable(
      [["language", "tokens", "of the vocabulary", "counted"]]
        + found.map {
          let share = Double($0.tokens) / Double(model.transformer.vocabularySize)
          return [
            $0.language, formatCount($0.tokens), "\(formatDecimal(share * 100, places: 1)) %",
            formatCount($0.text),
          ]
        })
  }
}
