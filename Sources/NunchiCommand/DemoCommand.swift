import ArgumentParser
import Foundation
import LanguageModels
import Nunchi
import Speculation
import Tokenization

/// `nunchi demo`: the same prompts, plainly and speculatively.
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Decode the same prompts plainly and speculatively, and compare.",
    discussion: """
      Both take turns, prompt by prompt. The text is streamed once plainly and once \
      speculatively; the table at the end tells whether it was the same, token for token.
      """)

  @Option(help: "A model's name or path.")
  var model = "SmolLM2-135M"

  @Option(
    help:
      "A smaller model that drafts, of the same vocabulary or of another; drafter auto if not given."
  )
  var draftModel: String?

  @Option(name: [.short, .long], help: "Threads that compute; all cores if not given.")
  var threads: Int?

  @Option(help: "The most tokens of each answer.")
  var maxTokens: Int = 200

  @Flag(help: "Print one JSON object instead of streaming.")
  var json = false

  func validate() throws {
    if maxTokens < 2 {
      throw ValidationError("--max-tokens: expected 2 or more, found \(maxTokens)")
    }
  }

  func run() async throws {
    let target = try loadModel(model, threads: threads)
    let bandwidth = target.transformer.pool.measureReadBandwidth()
    let choice: DrafterChoice =
      if let draftModel {
        .draftModel(try loadModel(draftModel, sharing: target))
      } else {
        .auto
      }
    var rows: [DemoReport.Row] = []
    for (index, task) in DemoTask.all.enumerated() {
      show("\n\(task.name): \(task.summary)\n")
      // Alternating who is first: neither profits from a warm machine.
      var results: [GenerationResult?] = [nil, nil]
      for speculative in index.isMultiple(of: 2) ? [false, true] : [true, false] {
        show("\n--- \(speculative ? "speculatively" : "plainly") ---\n")
        let options = GenerationOptions(
          drafter: speculative ? choice : .none, maxTokens: maxTokens)
        results[speculative ? 1 : 0] = try await stream(
          generation(of: task, by: target, options))
      }
      if let plain = results[0], let speculative = results[1] {
        rows.append(
          DemoReport.Row(
            task.name, plain, speculative,
            bytes: target.transformer.weightBytesPerPass, bandwidth: bandwidth))
      }
    }
    let report = DemoReport(model: model, drafter: choice.name, bandwidth: bandwidth, rows: rows)
    if json { try printJSON(report) } else { show(report) }
    if !report.rows.allSatisfy(\.outputIdentical) { throw ExitCode.failure }
  }

  private func show(_ text: String) {
    if !json { writeOut(text) }
  }

  private func generation(
    of task: DemoTask, by model: Model, _ options: GenerationOptions
  ) -> GenerationStream {
    model.tokenizer.chatTemplate == nil
      ? model.generate(task.prompt + "\n", options: options)
      : model.generate([ChatMessage(role: "user", content: task.prompt)], options: options)
  }

  private func stream(_ events: GenerationStream) async throws -> GenerationResult? {
    var result: GenerationResult?
    for try await event in events {
      switch event {
      case .text(let text): show(text)
      case .finished(let end): result = end
      }
    }
    show("\n")
    return result
  }

  private func show(_ report: DemoReport) {
    func number(_ value: Double, _ places: Int = 1) -> String {
      formatDecimal(value, places: places)
    }
    var table = [
      [
        "", "tokens", "plain", "speculative", "speedup", "τ", "output identical",
        "of bandwidth",
      ]
    ]
    for row in report.rows {
      table.append([
        row.name, "\(row.tokens)", "\(number(row.plainTokensPerSecond)) tokens/s",
        "\(number(row.tokensPerSecond)) tokens/s", "\(number(row.speedup, 2))×",
        number(row.acceptanceLength, 2), row.outputIdentical ? "yes" : "NO",
        "\(number(row.memoryBandwidthShare * 100, 0)) % (plain)",
      ])
    }
    print("")
    print(
      "\(report.model), drafter \(report.drafter), "
        + "\(number(report.memoryBandwidth / 1e9)) GB/s measured")
    printTable(table)
  }
}

private struct DemoTask {
  var name: String
  var summary: String
  var prompt: String

  private static let story = """
    The lighthouse at Hollow Point had not been lit for eleven years when Mara came to live in \
    it. The lamp was gone, sold to a museum in the city, and the stairs were green with damp. \
    She brought two lanterns, a box of books and a kettle. On the first night a ship went by so \
    close that she could read its name, and on the second night she put both lanterns in the \
    window. By the end of the month the fishermen had begun to wave to her in the morning.
    """

  private static let code = """
    class Node:
        def __init__(self, key, value):
            self.key = key
            self.value = value
            self.next = None

    class Table:
        def __init__(self, size=64):
            self.buckets = [None] * size

        def get(self, key):
            node = self.buckets[hash(key) % len(self.buckets)]
            while node is not None and node.key != key:
                node = node.next
            return None if node is None else node.value
    """

  static let all = [
    DemoTask(
      name: "chat", summary: "Why is the sky blue?", prompt: "Why is the sky blue?"),
    DemoTask(
      name: "edit", summary: "copy a text with one change",
      prompt: "Copy this text word for word, but write Anna in place of Mara.\n\n\(story)"),
    DemoTask(
      name: "code", summary: "print a program again",
      prompt: "Print this program again, unchanged.\n\n\(code)"),
  ]
}

/// What `demo --json` prints.
private struct DemoReport: Encodable {
  struct Row: Encodable {
    var name: String
    var tokens: Int
    var plainTokensPerSecond: Double
    var tokensPerSecond: Double
    /// Plain time by speculative time, for the same tokens.
    var speedup: Double
    var acceptanceLength: Double
    var outputIdentical: Bool
    /// Weights read by plain decoding, as a share of the measured bandwidth.
    var memoryBandwidthShare: Double

    init(
      _ name: String, _ plain: GenerationResult, _ speculative: GenerationResult, bytes: Int,
      bandwidth: Double
    ) {
      let (one, many) = (plain.statistics, speculative.statistics)
      self.name = name
      tokens = many.tokens
      plainTokensPerSecond = one.tokensPerSecond
      tokensPerSecond = many.tokensPerSecond
      speedup = many.generationSeconds > 0 ? one.generationSeconds / many.generationSeconds : 1
      acceptanceLength = many.acceptanceLength
      outputIdentical = plain.tokens == speculative.tokens
      memoryBandwidthShare = one.tokensPerSecond * Double(bytes) / bandwidth
    }
  }

  var model: String
  var drafter: String
  /// Bytes a second, measured.
  var memoryBandwidth: Double
  var rows: [Row]

  init(model: String, drafter: String, bandwidth: Double, rows: [Row]) {
    self.model = model
    self.drafter = drafter
    memoryBandwidth = bandwidth
    self.rows = rows
  }
}
