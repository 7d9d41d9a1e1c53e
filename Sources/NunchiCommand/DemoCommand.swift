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
      The text is streamed once plainly and once speculatively. Then the prompts are decoded \
      again, several rounds, in which both take turns, prompt by prompt; each round begins with \
      drafters that have learned nothing. The table at the end has the medians of these rounds, \
      the lowest and highest speedup, and whether the output was the same, token for token.

      \(smallModelHelp)
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

  @Option(help: "Rounds to measure; up to 5 if not given, and 3 where they take long.")
  var rounds: Int?

  @Flag(help: "Print one JSON object instead of streaming.")
  var json = false

  func validate() throws {
    if maxTokens < 2 {
      throw ValidationError("--max-tokens: expected 2 or more, found \(maxTokens)")
    }
    if let rounds, !(1...100).contains(rounds) {
      throw ValidationError("--rounds: expected 1 to 100, found \(rounds)")
    }
  }

  func run() async throws {
    let target = try loadModel(model, threads: threads)
    let bandwidth = target.transformer.pool.measureReadBandwidth()
    let draft = try draftModel.map { try loadModel($0, sharing: target) }
    let drafter = draft == nil ? DrafterChoice.auto.name : "draft-model"
    /// A choice of its own: drafters that share nothing with those before.
    func freshDrafters() -> DrafterChoice { DrafterChoice(named: drafter, draftModel: draft) }

    let start = ContinuousClock.now
    if !json { _ = try await round(0, on: target, freshDrafters(), streaming: true) }
    let bar = ProgressBar(label: "measuring")
    var pairs = DemoTask.all.map { _ in [DemoReport.Pair]() }
    for number in 1...(rounds ?? Self.mostRounds) {
      let late = ContinuousClock.now - start > Self.patience
      if rounds == nil, number > Self.leastRounds, late { break }
      bar.say("round \(number)")
      let found = try await round(number, on: target, freshDrafters(), streaming: false)
      for (index, pair) in found.enumerated() { pairs[index].append(pair) }
    }
    bar.clear()
    let report = DemoReport(
      model: model, drafter: drafter, bandwidth: bandwidth,
      rows: zip(DemoTask.all, pairs).map {
        DemoReport.Row(
          $0.name, $1, bytes: target.transformer.weightBytesPerPass, bandwidth: bandwidth)
      })
    if json { try printJSON(report) } else { show(report) }
    if !report.rows.allSatisfy(\.outputIdentical) { throw ExitCode.failure }
  }

  private static let mostRounds = 5
  private static let leastRounds = 3
  /// No further round begins after this.
  private static let patience = Duration.seconds(45)

  /// Decodes all tasks in both ways. Who is first alternates: neither profits from a warm machine.
  private func round(
    _ number: Int, on target: Model, _ drafters: DrafterChoice, streaming: Bool
  ) async throws -> [DemoReport.Pair] {
    var pairs: [DemoReport.Pair] = []
    for (index, task) in DemoTask.all.enumerated() {
      if streaming { writeOut("\n\(task.name): \(task.summary)\n") }
      func decode(_ drafter: DrafterChoice, _ way: String) async throws -> GenerationResult {
        if streaming { writeOut("\n--- \(way) ---\n") }
        let options = GenerationOptions(drafter: drafter, maxTokens: maxTokens)
        let stream = generation(of: task, by: target, options)
        guard streaming else { return try await stream.result() }
        return try await show(stream)
      }
      if (index + number).isMultiple(of: 2) {
        let plain = try await decode(.none, "plainly")
        pairs.append((plain, try await decode(drafters, "speculatively")))
      } else {
        let speculative = try await decode(drafters, "speculatively")
        pairs.append((try await decode(.none, "plainly"), speculative))
      }
    }
    return pairs
  }

  private func generation(
    of task: DemoTask, by model: Model, _ options: GenerationOptions
  ) -> GenerationStream {
    model.tokenizer.chatTemplate == nil
      ? model.generate(task.prompt + "\n", options: options)
      : model.generate([ChatMessage(role: "user", content: task.prompt)], options: options)
  }

  private func show(_ stream: GenerationStream) async throws -> GenerationResult {
    for try await event in stream {
      switch event {
      case .text(let text): writeOut(text)
      case .finished(let result):
        writeOut("\n")
        return result
      }
    }
    throw CancellationError()
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
      let range = "\(number(row.lowestSpeedup, 2))–\(number(row.highestSpeedup, 2))"
      table.append([
        row.name, "\(row.tokens)", "\(number(row.plainTokensPerSecond)) tokens/s",
        "\(number(row.tokensPerSecond)) tokens/s",
        "\(number(row.speedup, 2))× (\(range))",
        number(row.acceptanceLength, 2), row.outputIdentical ? "yes" : "NO",
        "\(number(row.memoryBandwidthShare * 100, 0)) % (plain)",
      ])
    }
    print("")
    print(
      "\(report.model), drafter \(report.drafter), "
        + "\(number(report.memoryBandwidth / 1e9)) GB/s measured; medians of "
        + "\(report.rows.first?.rounds ?? 0) rounds (lowest–highest), each with fresh drafters")
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
    ```python
    class Table:
        def __init__(self, size=64):
            self.buckets = [None] * size

        def get(self, key):
            node = self.buckets[hash(key) % len(self.buckets)]
            while node is not None and node.key != key:
                node = node.next
            return None if node is None else node.value
    ```
    """

  /// What the smallest model does well.
  static let all = [
    DemoTask(
      name: "chat", summary: "What is photosynthesis?", prompt: "What is photosynthesis?"),
    DemoTask(
      name: "edit", summary: "copy a text", prompt: "Copy this text word for word.\n\n\(story)"),
    DemoTask(
      name: "code", summary: "copy a program",
      prompt: "Copy this program word for word.\n\n\(code)"),
  ]
}

/// What `demo --json` prints: medians of the rounds.
private struct DemoReport: Encodable {
  typealias Pair = (plain: GenerationResult, speculative: GenerationResult)

  struct Row: Encodable {
    var name: String
    var tokens: Int
    var rounds: Int
    var plainTokensPerSecond: Double
    var tokensPerSecond: Double
    /// Plain time by speculative time, for the same tokens: of the two that stood side by side in a
    /// round.
    var speedup: Double
    var lowestSpeedup: Double
    var highestSpeedup: Double
    var acceptanceLength: Double
    /// In every round.
    var outputIdentical: Bool
    /// Weights read by plain decoding, as a share of the measured bandwidth.
    var memoryBandwidthShare: Double

    init(_ name: String, _ pairs: [Pair], bytes: Int, bandwidth: Double) {
      let figures = pairs.map { (plain: $0.plain.statistics, many: $0.speculative.statistics) }
      let speedups = figures.map { pair in
        let (one, many) = (pair.plain.generationSeconds, pair.many.generationSeconds)
        return many > 0 ? one / many : 1
      }
      self.name = name
      tokens = figures.last?.many.tokens ?? 0
      rounds = pairs.count
      plainTokensPerSecond = median(figures.map(\.plain.tokensPerSecond))
      tokensPerSecond = median(figures.map(\.many.tokensPerSecond))
      speedup = median(speedups)
      lowestSpeedup = speedups.min() ?? 1
      highestSpeedup = speedups.max() ?? 1
      acceptanceLength = median(figures.map(\.many.acceptanceLength))
      outputIdentical = pairs.allSatisfy { $0.plain.tokens == $0.speculative.tokens }
      memoryBandwidthShare = plainTokensPerSecond * Double(bytes) / bandwidth
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
