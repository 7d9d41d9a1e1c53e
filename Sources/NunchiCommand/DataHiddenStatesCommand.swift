import ArgumentParser
import DrafterTraining
import LanguageModels
import Nunchi

/// `nunchi data hidden-states`: the target's inner states over conversations.
struct DataHiddenStatesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hidden-states",
    abstract: "Run the target over conversations and keep its hidden states.",
    discussion: """
      Writes shards of safetensors with the tokens, which of them are answers, and for each token \
      the state after the last norm, in bfloat16, and those of the layers asked for. Texts \
      ('nunchi data corpus') do as well as conversations; all of their tokens count as answers. \
      Lines that are neither stand in OUTPUT.skipped.

      Examples:
        nunchi data hidden-states SmolLM2-135M --data answers.jsonl --output states
        nunchi data hidden-states SmolLM2-135M --data answers.jsonl --output states3 \
      --layers low,mid,high
        nunchi data hidden-states Gemma-3-270M --data corpus/train.jsonl --language ko \
      --rows 100000 --output states-ko
      """)

  @OptionGroup var target: ModelArguments

  @Option(parsing: .upToNextOption, help: "Files of conversations or texts.")
  var data: [String]

  @Option(name: [.short, .long], help: "The folder to write.")
  var output: String

  @Option(
    help: """
      Layers whose states are kept beside the final ones: numbers (0 is the embedding), or \
      low,mid,high.
      """)
  var layers: LayerList?

  @Option(help: "The most tokens of a conversation; longer ones are cut.")
  var context = 2048

  @Option(
    parsing: .upToNextOption,
    help: "Only these languages, of lines that say theirs; all if not given.")
  var language: [String] = []

  @Option(help: "The most tokens of each file.")
  var rows: Int?

  func validate() throws {
    if let rows, rows < 1 { throw ValidationError("--rows: expected 1 or more, found \(rows)") }
    if context < 1 { throw ValidationError("--context: expected 1 or more, found \(context)") }
  }

  func run() async throws {
    let model = try target.load()
    let interrupt = Interrupt()
    let writer = try HiddenStateWriter(
      folder: output, metadata: HiddenStateMetadata(of: model),
      hiddenSize: model.transformer.hiddenSize,
      layers: layers?.layers(of: model.transformer.layerCount) ?? [])
    var pass = HiddenStatePass(model: model, contextLength: context)
    pass.languages = language
    pass.mostRows = rows
    let bar = WorkProgress(label: target.model)
    defer { bar.clear() }
    var documents = 0
    var leftOut: [LeftOut] = []
    for file in data {
      let result: HiddenStatePass.Progress
      do {
        result = try pass.run(
          ConversationFile(path: file), into: writer, isCancelled: { interrupt.came },
          report: { progress in
            let left = Double(progress.totalRows - progress.rows) / progress.rowsPerSecond
            bar.update(
              share: Double(progress.rows) / Double(max(1, progress.totalRows)),
              "of \(formatCount(progress.totalRows)) rows, "
                + "\(formatDecimal(progress.rowsPerSecond, places: 0)) rows/s, "
                + "\(formatDuration(left)) left")
          })
      } catch is CancellationError {
        bar.clear()
        writeError("stopped; the same command goes on from here")
        throw ExitCode.failure
      }
      bar.clear()
      documents += result.documents
      leftOut += result.leftOut
      var table = [
        [
          file,
          "\(formatCount(result.documents)) conversations, "
            + "\(formatCount(result.present)) of them had their states already",
        ],
        [
          "computed",
          "\(formatCount(result.rows)) rows in \(formatDuration(result.seconds)), "
            + "\(formatDecimal(result.rowsPerSecond, places: 0)) rows/s",
        ],
      ]
      if result.cut > 0 { table.append(["cut", "\(formatCount(result.cut)) conversations"]) }
      if result.unreadable > 0 {
        table.append([
          "left out",
          "\(formatCount(result.unreadable)): the template does not show where answers stand",
        ])
      }
      writeTable(table)
    }
    if let note = try LeftOut.write(leftOut, of: output) { writeError(note) }
    guard documents > 0 || language.isEmpty else {
      throw TrainingError.setting(
        name: "language", expected: "one of the data's", found: language.joined(separator: ", "))
    }
    writeTable([
      [
        "written",
        "\(formatCount(writer.writtenRows)) rows, \(formatBytes(writer.writtenBytes)) to \(output)",
      ]
    ])
  }
}
