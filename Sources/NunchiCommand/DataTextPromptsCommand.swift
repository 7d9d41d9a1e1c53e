import ArgumentParser
import DrafterTraining

/// `nunchi data text-prompts`: prompts about the documents of a corpus.
struct DataTextPromptsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "text-prompts",
    abstract: "Write prompts from a corpus: explain, summarise, translate, continue, ask, code.",
    discussion: """
      CORPUS is a folder that 'nunchi data corpus' wrote. The instructions are in the language of \
      the document, in several wordings (formal and colloquial for Korean); translations go both \
      ways between the documents of a group. A prompt is in the same part of the data as its \
      document.

      Example:
        nunchi data text-prompts corpus --output prompts --per-language 500
        nunchi data self-distil SmolLM2-135M --prompts prompts/train.jsonl --output answers.jsonl
      """)

  @Argument(help: "The folder of the corpus.")
  var corpus: String

  @Option(name: [.short, .long], help: "The folder to write.")
  var output: String

  @Option(help: "How many prompts each language has, and code.")
  var perLanguage = 500

  @Option(help: "The longest passage; Korean, Japanese and Chinese ones have half of it.")
  var maxCharacters = 900

  @Option(help: "Another seed draws other passages and wordings.")
  var seed: UInt64 = 1

  @Option(help: "A YAML file with other wordings or languages, by language and category.")
  var wordings: String?

  func run() throws {
    let settings = try TextPromptSettings(
      perLanguage: perLanguage, maximumCharacters: maxCharacters, seed: seed)
    var writer = try TextPromptWriter(
      corpus: corpus, settings: settings, wordingsPath: wordings)
    writer.write()
    try writer.write(to: output)
    if let note = try LeftOut.write(writer.leftOut, of: output) { writeError(note) }
    printTable(
      [["language", "prompts"] + Split.allCases.map(\.rawValue)]
        + writer.counts.map { language, count in
          [language, formatCount(count)]
            + Split.allCases.map { split in
              formatCount(
                writer.prompts.count { $0.language == language && $0.split == split })
            }
        })
    for (language, count) in writer.counts where count < perLanguage {
      writeError("\(language): the corpus is enough for \(count) of \(perLanguage) prompts only")
    }
  }
}
