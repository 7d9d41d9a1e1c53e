import ArgumentParser
import DrafterTraining

/// `nunchi data merge`: several files of conversations as one, shuffled.
struct DataMergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge files of conversations, without repetitions, in a random order.",
    discussion: """
      Lines are kept as they are; entries of a JSON array become lines. Of conversations with the \
      same words the first stays. What is no conversation stands in OUTPUT.skipped.

      Example:
        nunchi data merge chat.jsonl code.jsonl --output all.jsonl --seed 1
      """)

  @Argument(help: "Files of conversations.")
  var files: [String]

  @Option(name: [.short, .long], help: "The file to write; - is standard output.")
  var output: String

  @Option(help: "The same seed gives the same order.")
  var seed: UInt64 = 0

  func run() throws {
    let result = try ConversationMerge.merge(files, into: output, seed: seed)
    writeTable([
      ["written", "\(formatCount(result.written)) conversations to \(output)"],
      ["left out", "\(formatCount(result.repeated)) repeated"],
    ])
    if let note = try LeftOut.write(result.leftOut, of: output) { writeError(note) }
  }
}
