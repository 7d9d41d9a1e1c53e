import ArgumentParser
import Foundation
import LanguageModels
import Nunchi

/// `nunchi bench`: measurements.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure.",
    subcommands: [
      Run.self, Runs.self, Merge.self, Export.self, Speed.self, Batch.self,
    ])

  /// `nunchi bench speed`: what one pass costs.
  struct Speed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "speed",
      abstract: "Measure prompt and generation speed, and what verifying several tokens costs.",
      discussion: """
        Prompt: random tokens in one pass, the last row's logits. Generation: tokens one after \
        another from an empty context, or after --depth tokens. Both as llama-bench defines them.

        Verification: the time of a pass over k rows, all rows' logits, after --context tokens, \
        and its ratio to one row, V(k). The numbers of rows take turns; each figure is the median.

        The limits are measured in the same run: bytes read from memory, and int8 \
        multiply-accumulates in registers.
        """)

    @OptionGroup var target: BenchModel

    @Option(name: .short, help: "Tokens of the prompt.")
    var prompt: Int = 512

    @Option(name: .customShort("n"), help: "Tokens to generate.")
    var generate: Int = 128

    @Option(
      name: [.short, .long],
      help: "Numbers of threads, such as 1,2; all of the machine's cores if not given.")
    var threads: NumberList?

    @Option(help: "Numbers of rows to verify.")
    var verify: NumberList = NumberList([1, 2, 3, 4, 6, 8, 12, 16, 24, 32])

    @Option(help: "Tokens in the cache when rows are verified.")
    var context: Int = 256

    @Option(help: "Tokens in the cache when generation begins.")
    var depth: Int = 0

    @Option(help: "Rounds of each measurement.")
    var rounds: Int = 3

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
      func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
          throw ValidationError(
            "\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
      }
      try check("-p", prompt, 1...1_000_000)
      try check("-n", generate, 1...1_000_000)
      try check("--context", context, 0...1_000_000)
      try check("--depth", depth, 0...1_000_000)
      try check("--rounds", rounds, 1...1000)
      for count in threads?.values ?? [] { try check("--threads", count, 1...1024) }
      for rows in verify.values { try check("--verify", rows, 1...TransformerModel.chunkRows) }
    }

    func run() async throws {
      var runs: [SpeedReport.Run] = []
      var model: Model?
      for count in threads?.values ?? [ProcessInfo.processInfo.activeProcessorCount] {
        model = nil  // one copy of the weights at a time
        let loaded = try loadModel(target.model, threads: count)
        model = loaded
        runs.append(try SpeedBenchmark(model: loaded, command: self).run())
      }
      guard let model else { return }
      let report = SpeedReport(
        model: target.model, instructionSet: ComputePool.instructionSet,
        weightBytesPerToken: model.transformer.weightBytesPerPass, context: context, runs: runs)
      if json { try printJSON(report) } else { printTables(report) }
    }

    private func printTables(_ report: SpeedReport) {
      print(
        "\(report.model): \(formatBytes(report.weightBytesPerToken)) of weights read a token, "
          + report.instructionSet)
      var rows = [
        ["threads", "prompt \(prompt)", "generation \(generate)", "of bandwidth", "of int8 peak"]
      ]
      for run in report.runs {
        rows.append([
          "\(run.threads)", "\(formatDecimal(run.promptTokensPerSecond, places: 1)) tokens/s",
          "\(formatDecimal(run.generationTokensPerSecond, places: 1)) tokens/s",
          "\(formatDecimal(run.memoryBandwidthShare * 100, places: 0)) % of "
            + "\(formatDecimal(run.memoryBandwidth / 1e9, places: 1)) GB/s",
          "\(formatDecimal(run.int8PeakShare * 100, places: 0)) % of "
            + "\(formatDecimal(run.int8Peak / 1e9, places: 0)) GMAC/s",
        ])
      }
      printTable(rows)
      print("")
      print("rows verified after \(context) tokens, all logits")
      rows = [["threads", "rows", "milliseconds", "V(rows)"]]
      for run in report.runs {
        for point in run.verify {
          rows.append([
            "\(run.threads)", "\(point.rows)", formatDecimal(point.milliseconds, places: 2),
            formatDecimal(point.ratio, places: 2),
          ])
        }
      }
      printTable(rows)
    }
  }
}

/// The model of a measurement; threads are an option of their own there.
struct BenchModel: ParsableArguments {
  @Argument(help: "A model's name, the path of a .gguf file, or of a Hugging Face folder.")
  var model: String
}

/// Numbers divided by commas.
struct NumberList: ExpressibleByArgument {
  var values: [Int]

  init(_ values: [Int]) { self.values = values }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Int($0) }
    guard values.count == parts.count, values.allSatisfy({ $0 > 0 }) else { return nil }
    self.values = values
  }

  var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}

/// What `bench speed --json` prints. The figures at the top are those of the last thread count.
struct SpeedReport: Encodable {
  struct Point: Encodable {
    var rows: Int
    var milliseconds: Double
    /// V(rows): the time by that of one row.
    var ratio: Double
  }

  struct Run: Encodable {
    var threads: Int
    var promptTokensPerSecond: Double
    var generationTokensPerSecond: Double
    /// Bytes a second, measured.
    var memoryBandwidth: Double
    /// Weights read by generation, as a share of the bandwidth.
    var memoryBandwidthShare: Double
    /// Multiply-accumulates a second, measured.
    var int8Peak: Double
    /// Those of the prompt, as a share of the peak.
    var int8PeakShare: Double
    var verify: [Point]
  }

  var model: String
  var instructionSet: String
  var weightBytesPerToken: Int
  var context: Int
  var runs: [Run]

  private enum Keys: String, CodingKey {
    case model, instructionSet, weightBytesPerToken, context, runs
  }

  func encode(to encoder: any Encoder) throws {
    try runs.last?.encode(to: encoder)
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(model, forKey: .model)
    try container.encode(instructionSet, forKey: .instructionSet)
    try container.encode(weightBytesPerToken, forKey: .weightBytesPerToken)
    try container.encode(context, forKey: .context)
    try container.encode(runs, forKey: .runs)
  }
}
