import ArgumentParser
import Foundation
import ModelFiles
import Tokenization

/// `nunchi inspect`: what a model's files say of it.
struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show a model's architecture, sizes, tensors, tokenizer and memory needs.",
    discussion: """
      Of a .safetensors file, such as an alignment or an acceptance predictor, it shows tensors and \
      what the file says of itself.
      """)

  @Argument(
    help: "A model's name, the path of a .gguf or .safetensors file, or of a Hugging Face folder.")
  var model: String

  @Flag(help: "Print the chat template, and nothing else.")
  var chatTemplate = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() async throws {
    if model.lowercased().hasSuffix(".safetensors") {
      let contents = try TensorFileContents(path: model)
      return json ? try printJSON(contents) : printTable(contents.rows)
    }
    let summary = try ModelSummary(of: ModelLocation.resolve(model))
    let ends = summary.tokenizer == nil ? nil : try EndTokens(model: model)
    if chatTemplate {
      guard let template = summary.chatTemplate else {
        throw ModelFileError.missingKey(
          path: summary.path, key: "tokenizer.chat_template", expected: "a chat template")
      }
      print(template)
    } else if json {
      try printJSON(Inspection(summary: summary, ends: ends))
    } else {
      printTable(rows(summary, ends))
    }
  }

  private func rows(_ summary: ModelSummary, _ ends: EndTokens?) -> [[String]] {
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
    if let ends { rows += ends.rows }
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

/// A model's summary, and what ends its texts.
private struct Inspection: Encodable {
  var summary: ModelSummary
  var ends: EndTokens?

  private enum CodingKeys: CodingKey { case endTokens }

  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(ends?.tokens, forKey: .endTokens)
  }
}

/// The tokens at which a generation ends.
private struct EndTokens {
  struct Token: Encodable {
    var id: Int32
    /// nil where the vocabulary has no piece for it.
    var text: String?
  }

  var tokens: [Token] = []
  /// Why the tokenizer cannot be used, and so nothing is known.
  var problem: TokenizationError?

  init(model: String) throws {
    do {
      let tokenizer = try loadTokenizer(model)
      tokens = tokenizer.endOfGeneration.sorted().map {
        Token(id: $0, text: tokenizer.type(of: $0) == nil ? nil : tokenizer.piece(of: $0))
      }
    } catch let error as TokenizationError {
      problem = error
    }
  }

  var rows: [[String]] {
    if let problem { return [["ends a text", "unknown: \(problem)"]] }
    if tokens.isEmpty { return [["ends a text", "nothing"]] }
    return tokens.enumerated().map { index, token in
      [index == 0 ? "ends a text" : "", "\(token.id) \(token.text ?? "(no piece)")"]
    }
  }
}

/// What is in a safetensors file.
private struct TensorFileContents: Encodable {
  struct Tensor: Encodable {
    var name: String
    var type: String
    var shape: [Int]
  }

  var path: String
  var tensors: [Tensor]
  /// Of the file, with the parts of JSON objects under dotted names.
  var metadata: [String: String]

  init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    self.path = path
    tensors = file.tensors.values.sorted { $0.name < $1.name }.map {
      Tensor(name: $0.name, type: $0.type.name, shape: $0.shape)
    }
    metadata = [:]
    for (key, text) in file.metadata { add(text, as: key) }
  }

  private mutating func add(_ text: String, as key: String) {
    guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8)) else {
      metadata[key] = text
      return
    }
    add(value, as: key)
  }

  private mutating func add(_ value: Any, as key: String) {
    switch value {
    case let object as [String: Any]:
      for (name, part) in object { add(part, as: "\(key).\(name)") }
    case let list as [Any]:
      for (index, part) in list.enumerated() { add(part, as: "\(key).\(index)") }
    default: metadata[key] = "\(value)"
    }
  }

  var rows: [[String]] {
    [["file", path]]
      + metadata.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
      + tensors.map {
        [$0.name, "\($0.type), \($0.shape.map(String.init).joined(separator: " × "))"]
      }
  }
}
