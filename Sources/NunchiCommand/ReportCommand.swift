import ArgumentParser
import Evaluation
import Foundation

/// `nunchi report`: a page of a run, or of two.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Make a page of a benchmark: tables, plots, texts step by step.",
    discussion: """
      The folder gets index.html, which needs no other file, and the plots as PNG, SVG and CSV.

      Examples:
        nunchi report results.db --out report
        nunchi report --compare before.db after.db --out report
      """)

  @Argument(help: "The database that 'nunchi bench run --output' wrote; two with --compare.")
  var databases: [String]

  @Flag(help: "Show two runs side by side.")
  var compare = false

  @Option(
    name: .customLong("run"),
    help: "Which runs of the databases, by the numbers that 'nunchi bench runs' tells.")
  var numbers: NumberList?

  @Option(name: [.short, .long], help: "The folder for the page.")
  var out: String

  func validate() throws {
    let count = compare ? 2 : 1
    guard databases.count == count || (compare && databases.count == 1) else {
      throw ValidationError(
        "expected \(count) database\(count == 1 ? "" : "s"), found \(databases.count)")
    }
    if let numbers, numbers.values.count != count {
      throw ValidationError("--run: expected \(count), found \(numbers.values.count)")
    }
  }

  func run() throws {
    let paths = compare && databases.count == 1 ? databases + databases : databases
    let runs = try paths.enumerated().map { index, path in
      let database = try RunDatabase(existing: path)
      let run = try StoredRunArguments.pick(
        numbers?.values[index], of: database.runs(), in: path)
      return (run, database)
    }
    for problem in try RunReport(runs, folder: out).write() { writeError(problem) }
    print("\(out)/index.html")
  }
}
