import Drafters
import Foundation
import ModelFiles
import Nunchi
import Plotting
import Speculation

/// Measures what definitions say, and keeps everything in a folder: `run.db`, `results.csv`,
/// `results.json`, plots and `index.html`. One that was stopped goes on where it was.
public final class Experiment {
  private let definitions: [ExperimentDefinition]
  private let folder: String
  private let database: RunDatabase
  private let command: [String]
  private let version: String
  /// Gives a model by its name; a draft model shares the threads of its target.
  private let load: (_ name: String, _ target: Model?) throws -> Model
  /// What of the suites was asked, where that is not everything: a line each.
  public private(set) var selections: [String] = []
  /// The runs so far, in the order of definitions and cells.
  private var runs: [(definition: ExperimentDefinition, cell: ExperimentCell, run: StoredRun)] = []

  /// - Parameter definitions: one, or several that end in one table.
  /// - Throws: what is wrong with the folder.
  public init(
    _ definitions: [ExperimentDefinition], folder: String, command: [String], version: String,
    load: @escaping (_ name: String, _ target: Model?) throws -> Model
  ) throws {
    self.definitions = definitions
    self.folder = folder
    self.command = command
    self.version = version
    self.load = load
    try makeFolder(folder)
    database = try RunDatabase(path: "\(folder)/run.db")
  }

  /// Asks what has not been asked yet.
  /// - Throws: `CancellationError` when it was cancelled; finished answers are kept.
  public func run(
    isCancelled: @escaping () -> Bool, report: @escaping (String) -> Void
  ) throws {
    runs = []
    selections = []
    for definition in definitions {
      let suite = try Suite(path: definition.suite)
      for target in definition.targets {
        let model = try load(target, nil)
        let questions = try Questions(definition, suite, model)
        if let caption = questions.caption { selections.append("\(suite.name): \(caption)") }
        // The break-even line is drawn from it.
        if definition.hasBreakEven { _ = try model.verificationCosts() }
        var drafts: [String: Model] = [:]
        for name in definition.draftModels { drafts[name] = try load(name, model) }
        for cell in definition.cells where cell.target == target {
          let session = try record(
            definition, cell, suite, questions, model, drafts, isCancelled: isCancelled,
            report: report)
          runs.append((definition, cell, session.run))
        }
      }
    }
    selections = selections.uniqued()
  }

  /// What is asked of a target, prompts of a length or questions as they are.
  private struct Questions {
    private let selected: [Question]
    private let texts: PromptTexts?
    /// What of the suite that is; nil for all of it.
    let caption: String?

    init(_ definition: ExperimentDefinition, _ suite: Suite, _ model: Model) throws {
      let known = Set(suite.questions.map(\.language))
      for language in definition.languages where !known.contains(language) {
        throw EvaluationError.field(
          path: definition.name, field: "languages", expected: "languages of \(suite.name)",
          found: language)
      }
      let most = definition.perCategory > 0 ? definition.perCategory : nil
      let limit = definition.limit > 0 ? definition.limit : nil
      guard let longest = definition.promptLengths.max() else {
        selected = suite.selection(
          languages: definition.languages, perCategory: most, limit: limit)
        texts = nil
        caption = suite.caption(of: selected)
        return
      }
      selected = suite.selection(languages: definition.languages, perCategory: most)
      let texts = try PromptTexts(
        selected, longest: longest, limit: limit, byCategory: definition.grouping == .category,
        suite: definition.suite, encode: { model.tokens(of: $0) },
        decode: { model.tokenizer.decode($0) })
      self.texts = texts
      caption =
        "\(texts.texts.count) prompt\(texts.texts.count == 1 ? "" : "s") of texts of their own"
        + (suite.caption(of: selected).map { ", from \($0)" } ?? "")
    }

    func asked(_ length: Int?) throws -> [Question] {
      try length.flatMap { try texts?.prompts(of: $0) } ?? selected
    }
  }

  private func record(
    _ definition: ExperimentDefinition, _ cell: ExperimentCell, _ suite: Suite,
    _ questions: Questions, _ model: Model, _ drafts: [String: Model],
    isCancelled: @escaping () -> Bool, report: @escaping (String) -> Void
  ) throws -> RunSession {
    let selected = try questions.asked(cell.promptLength)
    let settings = BenchmarkSettings(
      promptForm: cell.promptLength != nil ? .text : PromptForm(for: model),
      maxTokens: cell.maxTokens,
      sampling: try SamplingParameters(temperature: cell.temperature, seed: definition.seed),
      drafterMemory: DrafterMemory(isFresh: definition.fresh))
    let configurations = try definition.arms.map { arm in
      var choice = try NamedDrafter(arm.drafter).choice(
        draftModel: arm.draftModel.flatMap { drafts[$0] })
      if let tree = arm.draftTree {
        choice.settings.draftModelConfiguration.shape = try DraftShape(parsing: tree)
        choice.settings.trainedShape = choice.settings.draftModelConfiguration.shape
      }
      return BenchmarkConfiguration(
        name: arm.name, drafter: choice, draftLength: arm.draftLength)
    }
    let conditions = BenchmarkConditions(
      model: cell.target, modelSHA256: try model.fileChecksum(),
      draftModel: drafts.isEmpty ? nil : definition.draftModels.joined(separator: " "),
      draftModelSHA256: drafts.isEmpty
        ? nil
        : try definition.draftModels.compactMap { try drafts[$0]?.fileChecksum() }
          .joined(separator: " "),
      suite: cell.promptLength.map { "\(suite.name), prompts of \($0) tokens" } ?? suite.name,
      suiteSHA256: try suite.checksum() + (cell.promptLength.map { ", \($0) tokens" } ?? ""),
      questionsSHA256: try selected.checksum(), selection: questions.caption,
      drafterMemory: settings.drafterMemory, drafters: configurations.map(\.name),
      promptForm: settings.promptForm,
      maxTokens: cell.maxTokens, temperature: cell.temperature, seed: definition.seed,
      threads: model.transformer.pool.threads, instructionSet: ComputePool.instructionSet,
      version: version, date: Date.now.formatted(.iso8601))
    let numbered = Shard.whole.questions(of: selected)
    let session = try RunSession(
      database, conditions: conditions, command: command, questions: numbered)
    let run = try BenchmarkRun(
      model: model, drafters: configurations, settings: settings, questions: selected)
    run.isCancelled = isCancelled
    let place = runs.count + 1
    try run.record(numbered, repetitions: definition.repeats, session: session) {
      report("\(definition.name), run \(place): \($0)")
    }
    return session
  }

  /// What drafters knew, and the order of the questions, in words: a line each.
  public var drafterMemory: [String] { runs.compactMap(\.run.drafterMemory).uniqued() }

  /// The table: for every run plain decoding and each arm, for all questions, or for each language
  /// or category where that is wanted.
  public func rows() throws -> [ExperimentRow] {
    try runs.flatMap { definition, cell, run in
      let all = try database.records(of: run)
      var groups: [String?] = [nil]
      func group(_ record: QuestionRecord) -> String? {
        switch definition.grouping {
        case .language: record.language ?? "–"
        case .category: record.category
        case .nothing: nil
        }
      }
      if definition.grouping != .nothing {
        groups = []
        for record in all where !groups.contains(group(record)) { groups.append(group(record)) }
      }
      return groups.flatMap { name in
        let mine = all.filter { group($0) == name }
        let plain = mine.filter { $0.configuration == BenchmarkConfiguration.plain.name }
        let arms: [ExperimentArm?] = [nil] + definition.arms
        return arms.map { arm in
          let configuration = arm?.name ?? BenchmarkConfiguration.plain.name
          return ExperimentRow(
            experiment: definition.name, cell: cell, arm: arm, group: name,
            records: mine.filter { $0.configuration == configuration }, plain: plain)
        }
      }
    }
  }

  private struct Report: Encodable {
    var definitions: [ExperimentDefinition]
    /// Of each run, in the order of the rows.
    var conditions: [BenchmarkConditions]
    var rows: [ExperimentRow]
  }

  /// Writes the table, the plots and the page.
  /// - Parameter language: of the plots and the page.
  /// - Returns: why there are plots missing, a line each.
  public func write(
    _ rows: [ExperimentRow], language: ReportLanguage = .en
  ) throws -> [String] {
    let table = ([ExperimentRow.columns] + rows.map(\.cells)).map(CSV.line).joined()
    try AtomicFile.write(Data(table.utf8), to: "\(folder)/results.csv")
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(
        Report(definitions: definitions, conditions: runs.map(\.run.conditions), rows: rows)),
      to: "\(folder)/results.json")
    let command = ShellCommand.line(command)
    let costs = runs.compactMap { part in
      (try? VerificationCosts(points: part.run.costs)).map { (part.cell.target, $0) }
    }
    let plots = ExperimentPlots(
      definitions: definitions, rows: rows,
      costs: Dictionary(costs, uniquingKeysWith: { first, _ in first }), folder: folder,
      language: language, command: command)
    let (sections, problems) = try plots.draw()
    let page = ReportPage(
      title: definitions.map { language.word($0.title) }.joined(separator: "; "),
      subtitle: definitions.flatMap(\.targets).uniqued().joined(separator: ", "),
      sections: sections + [
        ReportPage.Section(
          language(.table),
          table: ReportPage.Table(
            columns: ExperimentRow.columns.map { language.word($0) },
            rows: rows.map { $0.cells.map { language.word($0) } }),
          command: command)
      ], conditions: runs.map { RunReport.conditions($0.run, language) }, language: language)
    try AtomicFile.write(Data(try page.html().utf8), to: "\(folder)/index.html")
    return problems
  }
}

extension Sequence where Element: Hashable {
  /// Each once, in the order in which they come first.
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
