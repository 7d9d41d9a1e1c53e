import ArgumentParser
import Evaluation
import Foundation
import ModelFiles
import Nunchi

/// Which run of a database.
struct StoredRunArguments: ParsableArguments {
  @Argument(help: "The database that 'nunchi bench run --output' wrote.")
  var database: String

  @Option(help: "Which of its runs, by the number that 'nunchi bench runs' tells.")
  var run: Int?

  /// - Throws: `ValidationError` when the run is not there, or it is not clear which.
  func load() throws -> (RunDatabase, StoredRun) {
    let database = try RunDatabase(existing: database)
    return (database, try Self.pick(run, of: database.runs(), in: self.database))
  }

  static func pick(_ number: Int?, of runs: [StoredRun], in path: String) throws -> StoredRun {
    guard !runs.isEmpty else { throw ValidationError("\(path): expected a run, found none") }
    if let number {
      guard runs.indices.contains(number - 1) else {
        throw ValidationError("--run: expected 1 to \(runs.count), found \(number)")
      }
      return runs[number - 1]
    }
    guard runs.count == 1 else {
      throw ValidationError(
        "\(path) has \(runs.count) runs: expected --run 1 to \(runs.count), found none; "
          + "'nunchi bench runs \(path)' lists them")
    }
    return runs[0]
  }
}

extension BenchCommand {
  /// `nunchi bench runs`.
  struct Runs: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "runs", abstract: "List the runs of a database.")

    @Argument(help: "The database that 'nunchi bench run --output' wrote.")
    var database: String

    func run() throws {
      let database = try RunDatabase(existing: database)
      var rows = [["run", "began", "model", "suite", "drafters", "temperature", "answers"]]
      for (index, run) in try database.runs().enumerated() {
        let conditions = run.conditions
        rows.append([
          "\(index + 1)", conditions.date, conditions.model, conditions.suite,
          conditions.drafters.joined(separator: " "), "\(conditions.temperature)",
          "\(try database.answers(of: run).count)",
        ])
      }
      printTable(rows)
    }
  }

  /// `nunchi bench merge`.
  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "merge", abstract: "Make one database of several.",
      discussion: """
        Runs of the same conditions become one: the shards of a suite, for example. An answer that \
        both have counts once; if its tokens differ, nothing is merged and the exit code is 1.

        Example:
          nunchi bench merge shard-*.db --output all.db
        """)

    @Argument(help: "The databases.")
    var databases: [String]

    @Option(
      name: [.short, .long], help: "The database that gets everything; may be there already.")
    var output: String

    func validate() throws { try validateOutput(output, isNoneOf: databases) }

    func run() throws {
      let sources = try databases.map { try RunDatabase(existing: $0) }
      let merge = try RunDatabase(path: output).merge(sources)
      print(
        "\(merge.added) answers of \(databases.count) databases to \(output)"
          + (merge.known > 0 ? "; \(merge.known) were there already" : ""))
    }
  }

  /// `nunchi bench export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Write a run in another form.",
      discussion: """
        spec-bench: a folder with an answer file for each method, as Spec-Bench's own tools read \
        them. csv: a line for each answer. json: figures and answers. traces: a folder with the \
        steps of each answer, for 'nunchi replay'.
        """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
      case specBench = "spec-bench"
      case csv, json, traces
    }

    @OptionGroup var source: StoredRunArguments

    @Option(help: "spec-bench, csv, json or traces.")
    var form: Form

    @Option(
      name: [.short, .long],
      help: "The file or folder to write; - is standard output, for csv and json.")
    var output: String

    func validate() throws {
      try validateOutput(output, isNoneOf: [source.database])
      if output == "-", form == .traces || form == .specBench {
        throw ValidationError("--output -: expected a folder for --form \(form.rawValue)")
      }
    }

    func run() throws {
      let (database, run) = try source.load()
      let export = RunExport(run, in: database)
      switch form {
      case .csv: try AtomicFile.write(try export.csv(), to: output)
      case .json:
        try AtomicFile.write(try jsonData(try BenchmarkReport(run, in: database)), to: output)
      case .traces: try export.traces(to: output)
      case .specBench:
        try makeFolder(output)
        for configuration in run.configurations {
          let name = RunExport.fileName("\(run.conditions.model)-\(configuration)")
          try AtomicFile.write(
            try export.specBench(configuration: configuration), to: "\(output)/\(name).jsonl")
        }
      }
    }
  }
}
