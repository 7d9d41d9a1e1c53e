import ArgumentParser
import ChatEndpoints
import Evaluation
import Foundation
import Nunchi

/// `nunchi judge`: how good answers are.
struct JudgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Let a language model judge recorded answers.",
    discussion: """
      Each run of the databases is a player, by its answers of plain decoding: speculation does not \
      change them, so what is compared are models. single rates each answer from 1 to 10; pairs \
      compares with --baseline, all-pairs everybody with everybody, each pair in both orders, and a \
      verdict that follows the order is a tie. Questions in Korean are judged in Korean, others in \
      English; maths by prompts of its own; conversations by their first and their second answer.

      The judge is a server that answers by OpenAI's API (--endpoint and --model), or a model of \
      this machine (--local). Judgements are kept in the first database; the same command goes on \
      where it was stopped. A text without exactly one verdict is a failure: counted, in no mean, \
      and shown; --retry asks the judge once more for each of them.

      Examples:
        nunchi judge results.db --mode single --local Qwen2.5-Coder-1.5B
        nunchi judge results.db --local Qwen2.5-Coder-1.5B --retry
        nunchi judge a.db b.db --mode pairs --baseline SmolLM2-135M --endpoint \
      http://host:8000/v1 --model NAME
      """)

  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case single, pairs
    case allPairs = "all-pairs"
  }

  @Argument(help: "The databases that 'nunchi bench run --output' wrote.")
  var databases: [String]

  @Option(help: "single, pairs or all-pairs.")
  var mode = Mode.single

  @Option(help: "The player that the others are compared with, by its model's name.")
  var baseline: String?

  @Option(help: "The server that judges, such as http://host:8000/v1.")
  var endpoint: String?

  @Option(help: "The name that the server knows its model by.")
  var model: String?

  @Option(help: "The environment variable that holds the server's key.")
  var apiKeyEnv: String?

  @Option(help: "A model of this machine that judges.")
  var local: String?

  @Option(help: "The most tokens of a judgement.")
  var maxTokens = 1024

  @Flag(help: "Ask again where the judge's text has no verdict.")
  var retry = false

  @Flag(help: "Only tell what was judged before.")
  var show = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if !show {
      guard (endpoint != nil) != (local != nil), (endpoint != nil) == (model != nil) else {
        throw ValidationError("expected --endpoint URL with --model NAME, or --local MODEL")
      }
    }
    guard !show || !retry else {
      throw ValidationError("expected one of --show and --retry, found both")
    }
    guard mode != .pairs || baseline != nil || show else {
      throw ValidationError("--mode pairs: expected --baseline NAME, found none")
    }
    guard maxTokens > 0 else {
      throw ValidationError("--max-tokens: expected 1 or more, found \(maxTokens)")
    }
  }

  func run() async throws {
    let stores = try databases.map { try RunDatabase(existing: $0) }
    if !show {
      var players: [Judge.Player] = []
      for store in stores {
        for run in try store.runs() {
          // Two runs of one model are two players.
          var name = run.conditions.model
          let same = players.count { $0.name == name || $0.name.hasPrefix("\(name) (") }
          if same > 0 { name += " (\(same + 1))" }
          players.append(Judge.Player(name: name, run: run, database: store))
        }
      }
      let judge = try Judge(try judgeModel(), store: stores[0])
      judge.maxTokens = maxTokens
      let mode: Judge.Mode =
        mode == .single ? .single : mode == .pairs ? .baseline(baseline ?? "") : .allPairs
      try await resumably("judge") {
        try await judge.run(
          players, mode: mode, isRetrying: retry, isCancelled: $0, report: $1)
      }
    }
    let figures = JudgeFigures(try stores[0].judgements())
    if json { try printJSON(figures) } else { show(figures) }
  }

  private func judgeModel() throws -> JudgeModel {
    if let local {
      let model = try loadModel(local)
      return .local(
        try TextGenerator(
          model: model,
          contextLength: model.contextLength(
            prompt: 8192, maxTokens: maxTokens)))
    }
    return .endpoint(
      try ChatEndpoint(address: endpoint ?? "", model: model ?? "", key: apiKey(apiKeyEnv)))
  }

  private func show(_ figures: JudgeFigures) {
    func decimal(_ value: Double) -> String { formatDecimal(value, places: 2) }
    func interval(_ interval: ConfidenceInterval?) -> String {
      interval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–"
    }
    if !figures.ratings.isEmpty {
      printTable(
        [["judge", "player", "turn", "answers", "rating", "95 %", "failures"]]
          + figures.ratings.map {
            [
              $0.judge, $0.player, "\($0.turn)", "\($0.count)", $0.mean.map(decimal) ?? "–",
              interval($0.interval), "\($0.failures)",
            ]
          })
    }
    if !figures.pairs.isEmpty {
      printTable(
        [
          [
            "judge", "player", "against", "turn", "wins", "losses", "ties", "by order", "win rate",
            "95 %", "failures",
          ]
        ]
          + figures.pairs.map {
            [
              $0.judge, $0.player, $0.other, "\($0.turn)", "\($0.wins)", "\($0.losses)",
              "\($0.ties)", "\($0.inconsistent)", $0.winRate.map(decimal) ?? "–",
              interval($0.interval),
              "\($0.failures)",
            ]
          })
    }
    if !figures.agreements.isEmpty {
      printTable(
        [["judge", "other judge", "judgements", "agree", "kappa"]]
          + figures.agreements.map {
            [$0.judge, $0.other, "\($0.count)", decimal($0.share), decimal($0.kappa)]
          })
    }
    if !figures.failed.isEmpty {
      print("without a verdict: \(figures.failed.count); --retry asks again")
      printTable(
        [["judge", "question", "turn", "player", "against", "the text ends with"]]
          + figures.failed.map {
            let end = $0.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return [
              $0.judge, $0.question, "\($0.turn)", $0.player, $0.other ?? "–",
              end.count > 60 ? "…\(end.suffix(60))" : end,
            ]
          })
    }
    if figures.ratings.isEmpty && figures.pairs.isEmpty { print("nothing was judged") }
  }
}
