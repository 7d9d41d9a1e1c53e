import ArgumentParser
import Foundation
import ModelFiles
import Nunchi
import Tokenization

/// `nunchi tokenize MODEL TEXT`
struct TokenizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Show the tokens that a model's tokenizer makes of a text.",
    discussion: """
      Prints one line per token: its id, the piece as the vocabulary writes it, and its bytes. \
      Without TEXT the text is read from standard input. Bytes that are not UTF-8 become U+FFFD.

      Examples:
        nunchi tokenize smollm2-135m "Hello, world!"
        nunchi tokenize gemma-3-270m "눈치가 빠르다" --json
        nunchi tokenize ./Qwen3-0.6B - < notes.txt
      """)

  @Argument(help: "A model's name, a .gguf file, or a Hugging Face folder.")
  var model: String

  @Argument(help: "The text; \"-\" or nothing for standard input.")
  var text: String?

  @Flag(help: "Print one JSON object: ids, pieces, tokens, characters, bytes.")
  var json = false

  @Flag(help: "Add no tokens before and after the text, and read <|…|> in it as plain text.")
  var noSpecial = false

  @Option(help: ArgumentHelp("Measure the encoding of a file instead.", visibility: .hidden))
  var benchmark: String?

  func run() async throws {
    let tokenizer = try loadTokenizer(model)
    if let benchmark {
      try measure(file: benchmark, tokenizer)
      return
    }
    let text = if let text, text != "-" { text } else { try standardInput() }
    let ids = tokenizer.encode(text, addSpecial: !noSpecial, parseSpecial: !noSpecial)
    if json {
      try printJSON(
        Summary(
          ids: ids, pieces: ids.map { tokenizer.piece(of: $0) }, tokens: ids.count,
          characters: text.unicodeScalars.count, bytes: text.utf8.count))
    } else {
      show(text, ids, tokenizer)
    }
  }

  private func standardInput() throws -> String {
    String(decoding: try Data(reading: "-"), as: UTF8.self)
  }

  private struct Summary: Encodable {
    var ids: [Int32]
    var pieces: [String]
    var tokens: Int
    var characters: Int
    var bytes: Int
  }

  private func show(_ text: String, _ ids: [Int32], _ tokenizer: Tokenizer) {
    let rows = ids.map { id in
      let bytes = tokenizer.bytes(of: id).map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
      return ["\(id)", visible(tokenizer.piece(of: id)), bytes.joined(separator: " ")]
    }
    printTable([["id", "piece", "bytes"]] + rows)
    let characters = text.unicodeScalars.count
    print("\(ids.count) tokens, \(characters) characters, \(text.utf8.count) bytes")
  }

  /// Control characters would break the table.
  private func visible(_ piece: String) -> String {
    var result = ""
    for scalar in piece.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control
      result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return result
  }

  private func measure(file: String, _ tokenizer: Tokenizer) throws {
    let data = try Data(reading: file)
    let text = String(decoding: data, as: UTF8.self)
    for round in 1...5 {
      var count = 0
      let time = ContinuousClock().measure { count = tokenizer.encode(text).count }
      let seconds = Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
      let speed = Double(text.utf8.count) / 1e6 / seconds
      print("round \(round): \(count) tokens, \((speed * 10).rounded() / 10) MB/s")
    }
  }
}
