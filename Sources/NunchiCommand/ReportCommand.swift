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
        nunchi report --compare results.db --run 1,3 --out report --language ko
      """)

  @Argument(
    help:
      "The database that 'nunchi bench run --output' wrote; with --compare two, or one of two runs."
  )
  var databases: [String]

  @Flag(help: "Show two runs side by side, of two databases or of one.")
  var compare = false

  @Option(
    name: .customLong("run"),
    help: "Which runs of the databases, by the numbers that 'nunchi bench runs' tells.")
  var numbers: NumberList?

  @Option(name: [.short, .long], help: "The folder for the page.")
  var out: String

  @Option(help: "The language of the page and its plots: en or ko.")
  var language = ReportLanguage.en

  func validate() throws {
    if compare {
      guard (1...2).contains(databases.count) else {
        throw ValidationError("\(Self.wanted), found \(databases.count) databases")
      }
    } else if databases.count != 1 {
      throw ValidationError(
        "expected 1 database, found \(databases.count); --compare shows two runs side by side")
    }
    let count = compare ? 2 : 1
    if let numbers, numbers.values.count != count {
      throw ValidationError("--run: expected \(count), found \(numbers.values.count)")
    }
  }

  private static let wanted =
    "--compare: expected two runs, of two databases, or of one (--run 1,2 if it has more)"

  func run() throws {
    var chosen: [(run: StoredRun, database: RunDatabase)] = []
    if compare, databases.count == 1 {
      let database = try RunDatabase(existing: databases[0])
      let runs = try database.runs()
      guard let numbers = numbers?.values ?? (runs.count == 2 ? [1, 2] : nil) else {
        let found = runs.count == 1 ? "1 run" : "\(runs.count) runs"
        throw ValidationError(
          "\(Self.wanted), found \(found) in \(databases[0]); "
            + "'nunchi bench runs \(databases[0])' lists them")
      }
      chosen = try numbers.map {
        (try StoredRunArguments.pick($0, of: runs, in: databases[0]), database)
      }
    } else {
      chosen = try databases.enumerated().map { index, path in
        let database = try RunDatabase(existing: path)
        let run = try StoredRunArguments.pick(
          numbers?.values[index], of: database.runs(), in: path)
        return (run, database)
      }
    }
    for problem in try RunReport(chosen, folder: out, language: language).write() {
      writeError(problem)
    }
    print("\(out)/index.html")
  }
}

extension ReportLanguage: ExpressibleByArgument {}
