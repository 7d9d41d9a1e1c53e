import ArgumentParser
import DrafterTraining
import Nunchi

/// `nunchi data corpus`: real text, told apart by language, without duplicates, and split.
struct DataCorpusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "corpus",
    abstract: "Make a corpus of text files: languages, duplicates, splits, statistics.",
    discussion: """
      INPUTS are files or folders of plain text, source code, HTML (.html), JSON lines (.jsonl) or \
      a JSON array (.json) with text, prompt, messages or conversations, and parallel text: \
      tab-separated (.tsv), line by line (news.en beside news.ko), or files whose paths differ in \
      a language code only (ko/page.html and de/page.html). Lines of JSON that are no documents \
      are noted in DIR.skipped.

      DIR gets train.jsonl, validation.jsonl and heldout.jsonl, with "id", "language", "script", \
      "title", "text", "source" and "group" in each line, and statistics.json. A group (a page in \
      all its languages) is in one part only, and stays there when files are added.

      Example:
        Scripts/fetch_text.sh text
        nunchi data corpus text/help text/code --output corpus --model SmolLM2-135M
      """)

  @Argument(help: "Files and folders.")
  var inputs: [String]

  @Option(name: [.short, .long], help: "The folder to write.")
  var output: String

  @Option(help: "A model whose tokenizer counts tokens for each character and word.")
  var model: String?

  @Option(help: "The share of the groups that is held out.")
  var heldout = 0.05

  @Option(help: "The share of the groups that validates.")
  var validation = 0.05

  @Option(help: "Splits differ from seed to seed.")
  var seed: UInt64 = 1

  @Option(help: "Shorter documents are left out; characters.")
  var minCharacters = 32

  @Option(help: "Longer documents are cut between paragraphs; characters.")
  var maxCharacters = 16_384

  @Option(help: "How much of two texts is the same in duplicates; above 1 only equal ones are.")
  var duplicateThreshold = 0.8

  @Flag(help: "Pass over files that are not text, and say so, instead of ending.")
  var skipBroken = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() async throws {
    let tokenizer = try model.map { try loadTokenizer($0) }
    let settings = try CorpusSettings(
      split: CorpusSplit(heldout: heldout, validation: validation, seed: seed),
      minimumCharacters: minCharacters, maximumCharacters: maxCharacters,
      duplicateThreshold: duplicateThreshold)
    var reader = CorpusReader()
    reader.skipsBroken = skipBroken
    var builder = CorpusBuilder(settings: settings)
    try builder.add(inputs, with: &reader)
    for error in reader.broken { writeError("passed over: \(error)") }
    let statistics = try builder.write(to: output, tokenizer: tokenizer)
    if let note = try LeftOut.write(reader.leftOut, of: output) { writeError(note) }
    if json { return try printJSON(statistics) }
    printTable(rows(statistics))
    let dropped = statistics.dropped
    writeError(
      """
      \(formatCount(reader.files)) files; left out: \(formatCount(dropped.equal)) equal, \
      \(formatCount(dropped.near)) nearly equal and \(formatCount(dropped.short)) short documents, \
      \(formatCount(dropped.untranslated)) that are not in the language of their folder, and \
      \(formatCount(dropped.paragraphs)) paragraphs in other languages
      """)
  }

  private func rows(_ statistics: CorpusStatistics) -> [[String]] {
    let header = [
      "language", "script", "train", "validation", "held out", "characters", "words",
    ]
    let tokens = model == nil ? [] : ["tokens", "per character", "per word"]
    return [header + tokens]
      + statistics.languages.map { entry in
        [entry.language, entry.script.rawValue]
          + [entry.train, entry.validation, entry.heldout, entry.characters].map(formatCount)
          + [entry.words.map(formatCount) ?? "–"]
          + (model == nil
            ? []
            : [
              entry.tokens.map(formatCount) ?? "–", decimal(entry.tokensPerCharacter),
              decimal(entry.tokensPerWord),
            ])
      }
  }

  private func decimal(_ value: Double?) -> String {
    value.map { formatDecimal($0, places: 2) } ?? "–"
  }
}
