import ArgumentParser
import Drafters
import Foundation
import ModelFiles
import Nunchi
import Synchronization
import Tokenization

/// `nunchi datastore`: files that the rest drafter retrieves from.
struct DatastoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "datastore",
    abstract: "Build and inspect datastores, which the rest drafter retrieves from.",
    subcommands: [Build.self, Inspect.self])

  struct Build: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Build a datastore from text files.",
      discussion: """
        Each file is one document: nothing is retrieved across the ends of files. The datastore \
        is for models with the tokenizer of MODEL.

        Example:
          nunchi datastore build notes/*.txt --model SmolLM2-135M --output notes.datastore
        """)

    @Argument(help: "Text files; bytes that are not UTF-8 become U+FFFD.")
    var files: [String]

    @Option(help: "The model whose tokenizer is used.")
    var model: String

    @Option(name: [.short, .long], help: "The file to write; - is standard output.")
    var output: String

    func validate() throws { try validateOutput(output, isNoneOf: files) }

    func run() async throws {
      let tokenizer = try loadTokenizer(model)
      let clock = ContinuousClock()
      let start = clock.now
      var writer = DatastoreWriter(
        vocabulary: tokenizer.vocabularyFingerprint, vocabularySize: tokenizer.vocabularySize)
      // In groups, so that texts and tokens of all files are never in memory at once.
      for group in stride(from: 0, to: files.count, by: 256) {
        let paths = Array(files[group..<min(files.count, group + 256)])
        for document in try encode(paths, tokenizer) {
          try writer.add(document.tokens, textBytes: document.bytes)
        }
      }
      try writer.write(to: output)
      let time = (clock.now - start).components
      let seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
      if try !OutputPlace(output).isStream { printTable(rows(try Datastore(path: output))) }
      writeError("built in \(formatDecimal(seconds, places: 2)) s")
    }

    private struct Document {
      var tokens: [Int32] = []
      var bytes = 0
    }

    /// The files' tokens, in their order, computed on all cores.
    private func encode(_ paths: [String], _ tokenizer: Tokenizer) throws -> [Document] {
      let documents = Mutex([Document](repeating: Document(), count: paths.count))
      let failure = Mutex<(any Error)?>(nil)
      DispatchQueue.concurrentPerform(iterations: paths.count) { index in
        do {
          let data = try Data(reading: paths[index])
          let tokens = tokenizer.encode(bytes: data, addSpecial: false, parseSpecial: false)
          documents.withLock { $0[index] = Document(tokens: tokens, bytes: data.count) }
        } catch {
          failure.withLock { $0 = error }
        }
      }
      if let failure = failure.withLock({ $0 }) { throw failure }
      return documents.withLock { $0 }
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what a datastore holds.")

    @Argument(help: "A datastore.")
    var file: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
      let datastore = try Datastore(path: file)
      if json { try printJSON(datastore.summary) } else { printTable(rows(datastore)) }
    }
  }
}

private func rows(_ datastore: Datastore) -> [[String]] {
  let summary = datastore.summary
  return [
    ["file", "\(datastore.path), \(formatBytes(summary.bytes))"],
    ["documents", formatCount(summary.documents)],
    ["tokens", "\(formatCount(summary.tokens)) of \(summary.bytesPerToken) bytes"],
    ["text", formatBytes(summary.textBytes)],
    ["vocabulary", String(summary.vocabulary, radix: 16)],
  ]
}
