import ArgumentParser
import Drafters
import Foundation
import LanguageModels
import Losslessness
import Nunchi

/// `nunchi verify`: proves on a model and its drafters that speculation changes nothing.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that speculation changes nothing of a model's output.",
    discussion: """
      Four groups of checks:
        identity  each drafter's output is the plain one, token for token, greedy and with \
      seeds, on texts in many languages; so is the streamed text
        rows      rows of forward passes are, bit for bit, those computed one at a time, \
      whatever the tree, the context, the neighbours and the number of threads
        law       each acceptance rule has the law it promises, by enumeration of all random \
      choices on a tiny vocabulary
        control   rules, drafters and models with known bugs are caught

      Without --drafter, all drafters are checked that have what they draft with: nothing, a \
      drafter trained here or shipped for the model, or what is given. Reference drafters (always \
      right, always wrong, random) are always among them. Files of what drafters learn are read, \
      and left as they are.

      The exit code is 0 when all is as it should be, and 1 when anything is not.

      Examples:
        nunchi verify SmolLM2-135M --quick
        nunchi verify SmolLM2-135M --drafter tiny-lm --drafter suffix,recycling
        nunchi verify Qwen2.5-Coder-1.5B --draft-model Qwen2.5-Coder-0.5B
      """)

  @OptionGroup var target: ModelArguments

  @Option(
    help: ArgumentHelp(
      "A drafter to check; may be given several times, and name several together.",
      discussion: "A trained one with =FOLDER behind it, affine-tree with =FILE."))
  var drafter: [String] = []

  @OptionGroup var drafting: DraftingArguments

  @Flag(help: "Fewer cases: a minute or two on a small model.")
  var quick = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    try drafting.check(with: drafter)
  }

  func run() async throws {
    let start = ContinuousClock.now
    let model = try target.load()
    let verification = try Verification(
      model: model, choice: try drafting.choice(named: "none", for: model), drafters: drafter,
      isQuick: quick)
    let bar = ProgressBar(label: "verifying")
    let results = try verification.run { bar.update(share: $1, saying: $0) }
    bar.clear()
    let report = VerifyReport(
      model: target.model, draftModel: drafting.draftModel,
      threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
      suites: results, seconds: (ContinuousClock.now - start) / .seconds(1))
    if json { try printJSON(report) } else { report.show() }
    if !report.passed { throw ExitCode.failure }
  }
}

/// What `verify --json` prints.
struct VerifyReport: Encodable {
  var model: String
  var draftModel: String?
  var threads: Int
  var instructionSet: String
  var suites: [SuiteResult]
  var seconds: Double
  var passed: Bool
  var cases: Int

  init(
    model: String, draftModel: String?, threads: Int, instructionSet: String,
    suites: [SuiteResult], seconds: Double
  ) {
    self.model = model
    self.draftModel = draftModel
    self.threads = threads
    self.instructionSet = instructionSet
    self.suites = suites
    self.seconds = seconds
    passed = suites.allSatisfy(\.isGood)
    cases = suites.reduce(0) { $0 + $1.cases }
  }

  func show() {
    print("\(model), \(threads) threads, \(instructionSet)")
    var rows = [["suite", "", "cases", "result", "seconds", ""]]
    for suite in suites {
      rows.append([
        suite.group.rawValue, suite.name, formatCount(suite.cases), word(for: suite),
        formatDecimal(suite.seconds, places: 1), suite.note ?? "",
      ])
    }
    printTable(rows)
    for suite in suites where !suite.isGood {
      print("\n\(suite.group.rawValue), \(suite.name): \(suite.checked)")
      if suite.outcome == .missed { print("  the bug was not noticed") }
      for failure in suite.failures { print("  \(failure.place)\n    \(failure.details)") }
      let more = suite.failureCount - suite.failures.count
      if suite.outcome == .failed, more > 0 { print("  and \(formatCount(more)) more") }
    }
    let bad = suites.filter { !$0.isGood }.count
    let skipped = suites.filter { $0.outcome == .skipped }.count
    print(
      "\n\(passed ? "passed" : "FAILED: \(bad) of \(suites.count) suites"), "
        + "\(formatCount(cases)) cases in \(formatDecimal(seconds, places: 0)) s"
        + (skipped > 0 ? ", \(skipped) skipped" : ""))
  }

  private func word(for suite: SuiteResult) -> String {
    switch suite.outcome {
    case .failed: "FAILED (\(formatCount(suite.failureCount)))"
    case .missed: "NOT CAUGHT"
    default: suite.outcome.rawValue
    }
  }
}
