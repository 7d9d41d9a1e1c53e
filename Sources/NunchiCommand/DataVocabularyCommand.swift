import ArgumentParser
import DrafterTraining
import Foundation
import Nunchi

/// `nunchi data vocabulary`.
struct DataVocabularyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vocabulary",
    abstract: "List the tokens that texts of each language need, for a draft model's output.",
    discussion: """
      A draft model with a large vocabulary spends much of its time on words of other languages. \
      With these lists its output is cut to the language that is written.

      Example:
        nunchi data vocabulary --model Qwen2.5-Coder-0.5B --data corpus/train.jsonl --out lists
        nunchi generate Qwen2.5-Coder-1.5B --draft-model Qwen2.5-Coder-0.5B --draft-vocabulary lists
      """)

  @Option(help: "The draft model: a name, a .gguf file, or a Hugging Face folder.")
  var model: String

  @Option(help: "A file of texts or conversations; may be given several times.")
  var data: [String] = []

  @Option(help: "Only texts of this language, such as ko; may be given several times.")
  var language: [String] = []

  @Option(help: "The share of each language's text that its tokens make up.")
  var coverage = 0.99

  @Option(name: [.short, .long], help: "The folder for the lists.")
  var out: String

  func validate() throws {
    guard !data.isEmpty else { throw ValidationError("--data: expected a file, found none") }
  }

  func run() async throws {
    let model = try loadModel(self.model)
    var lists = VocabularyLists(model: model)
    lists.coverage = coverage
    let found = try lists.write(data: data, languages: language, to: out)
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
