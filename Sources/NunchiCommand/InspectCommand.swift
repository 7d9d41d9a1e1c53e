import ArgumentParser
import Foundation
import ModelFiles

/// `nunchi inspect`: what a model's files say of it.
struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show a model's architecture, sizes, tensors, tokenizer and memory needs.")

  @Argument(
    help: "A model's name, the path of a .gguf file, or of a Hugging Face folder.")
  var model: String

  @Flag(help: "Print the chat template, and nothing else.")
  var chatTemplate = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() async throws {
    let summary = try ModelSummary(of: ModelLocation.resolve(model))
    if chatTemplate {
      guard let template = summary.chatTemplate else {
        throw ModelFileError.missingKey(
          path: summary.path, key: "tokenizer.chat_template", expected: "a chat template")
      }
      print(template)
    } else if json {
      try printJSON(summary)
    } else {
      printTable(rows(summary))
    }
  }

  private func rows(_ summary: ModelSummary) -> [[String]] {
    func count(_ value: Int?) -> String { value.map(formatCount) ?? "not said" }
    var rows = [
      ["file", summary.path],
      ["format", summary.format],
      ["architecture", summary.architecture],
    ]
    if let name = summary.name { rows.append(["name", name]) }
    rows += [
      ["parameters", count(summary.parameters)],
      ["layers", count(summary.layers)],
      ["hidden size", count(summary.hiddenSize)],
      ["feed-forward size", count(summary.feedForwardSize)],
      ["heads", "\(count(summary.heads)) (\(count(summary.keyValueHeads)) for keys and values)"],
      ["head size", count(summary.keySize)],
      ["context", "\(count(summary.contextLength)) tokens"],
      ["vocabulary", count(summary.vocabularySize)],
    ]
    for (index, kind) in summary.tensorKinds.enumerated() {
      let text = "\(formatCount(kind.count)) × \(kind.type), \(formatBytes(kind.bytes))"
      rows.append([index == 0 ? "tensors" : "", text])
    }
    if let tokenizer = summary.tokenizer {
      let rule = tokenizer.preTokenizer.map { ", split as \($0)" } ?? ""
      rows.append(["tokenizer", "\(tokenizer.kind)\(rule), \(count(tokenizer.size)) tokens"])
      for token in tokenizer.specialTokens {
        rows.append(["", "\(token.role) \(token.id) \(token.text ?? "")"])
      }
    } else {
      rows.append(["tokenizer", "none"])
    }
    rows.append([
      "chat template", summary.chatTemplate == nil ? "none" : "yes (see --chat-template)",
    ])
    let cache = summary.cacheBytesPerThousandTokens.map {
      ", and \(formatBytes($0)) for each 1,000 tokens of context"
    }
    rows.append(["memory", "\(formatBytes(summary.weightBytes)) for weights\(cache ?? "")"])
    return rows
  }
}
