import Drafters
import Foundation
import ModelFiles
import Nunchi
import Plotting

/// Compares variants of the affine-aligned draft tree on questions, and keeps everything in a
/// folder: `run.db`, `results.csv`, `results.json` and plots. One that was stopped goes on where it
/// was.
public final class AffineTreeExperiment {
  private let variants: [AffineTreeVariant]
  private let questions: [Question]
  private let folder: String
  private let run: BenchmarkRun
  private let session: RunSession
  private let knownText = KnownText()

  /// - Parameters:
  ///   - draft: the draft model; nil where `trained` is the folder of a tiny-lm.
  /// - Throws: what is wrong with the models, the questions or the folder.
  public init(
    variants: [AffineTreeVariant], model: Model, draft: Model?, trained: String?,
    settings: BenchmarkSettings, questions: [Question], conditions: BenchmarkConditions,
    command: [String], folder: String
  ) throws {
    self.variants = variants
    self.questions = questions
    self.folder = folder
    session = try RunSession(
      RunDatabase(path: "\(folder)/run.db"), conditions: conditions, command: command,
      questions: Shard.whole.questions(of: questions))
    let knownText = knownText
    run = try BenchmarkRun(
      model: model,
      drafters: variants.map { variant in
        let name =
          variant.configuration != nil ? "affine-tree" : draft == nil ? "tiny-lm" : "draft-model"
        var choice = DrafterChoice(named: name, draftModel: draft)
        choice.affineTree = variant.configuration
        choice.trainedFolders = trained.map { [$0] } ?? []
        choice.settings.trainedShape = variant.configuration == nil ? .chain : nil
        choice.settings.knownText = knownText
        return BenchmarkConfiguration(
          name: variant.name, drafter: choice, draftLength: variant.draftLength)
      }, settings: settings, questions: questions)
    // The oracle knows what will be said: it is said once more, outside of all times.
    let generator = try TextGenerator(
      model: model, contextLength: run.contextLength)
    let hasOracle = variants.contains { $0.configuration?.pruning.strategy == .oracle }
    run.willAsk = { prompt in
      guard hasOracle else { return }
      try generator.begin(
        prompt: prompt,
        options: GenerationOptions(
          drafter: .none, sampling: settings.sampling, maxTokens: settings.maxTokens),
        continuing: settings.promptForm == .text)
      while try generator.next() != nil {}
      knownText.set(prompt + generator.result.tokens)
    }
  }

  /// Asks what has not been asked yet.
  /// - Throws: `CancellationError` when it was cancelled; finished answers are kept.
  public func run(
    isCancelled: @escaping () -> Bool, report: @escaping (String) -> Void
  ) throws {
    run.isCancelled = isCancelled
    try run.record(
      Shard.whole.questions(of: questions), session: session,
      report: report)
  }

  /// Questions that were left out, their prompts being longer than the model's context.
  public var tooLong: [String] {
    get throws { try session.database.questions(of: session.run).tooLong }
  }

  /// What the drafters knew, and the order of the questions, in words.
  public var drafterMemory: String? { session.run.drafterMemory }

  /// The figures of all variants, from the answers and steps that are recorded.
  /// - Throws: `EvaluationError`.
  public func figures() throws -> [AffineTreeFigures] {
    let all = try session.database.records(of: session.run)
    let plain = all.filter { $0.configuration == BenchmarkConfiguration.plain.name }
    return try variants.map { variant in
      let records = all.filter { $0.configuration == variant.name }
      let answers = try records.flatMap { record in
        try record.turns.indices.map {
          try session.database.steps(
            of: AnswerKey(
              question: record.question, turn: $0, repetition: record.repetition,
              configuration: variant.name), run: session.run)
        }
      }
      return AffineTreeFigures(
        variant: variant.name, group: variant.group, answers: answers,
        method: MethodFigures(records, plain: plain), memory: try memory(of: variant))
    }
  }

  private func memory(of variant: AffineTreeVariant) throws -> AffineTreeFigures.Memory {
    guard let drafter = run.options(of: variant.name)?.drafter else { return .init() }
    let settings = try drafter.settings(for: run.model)
    let draft = drafter.draftModel?.transformer ?? settings.tinyLM
    return AffineTreeFigures.Memory(
      overhead: settings.affineTree?.byteCount ?? 0,
      models: run.model.transformer.weightBytesPerPass + (draft?.weightBytesPerPass ?? 0))
  }

  private struct Report: Encodable {
    var conditions: BenchmarkConditions
    var variants: [AffineTreeFigures]
  }

  /// Writes the table, the report and the plots.
  /// - Parameter language: of the plots.
  /// - Returns: why there are plots missing, a line each.
  public func write(
    _ figures: [AffineTreeFigures], language: ReportLanguage = .en
  ) throws -> [String] {
    let lines = [AffineTreeFigures.columns] + figures.map(\.cells)
    let table = lines.map(CSV.line).joined()
    try AtomicFile.write(Data(table.utf8), to: "\(folder)/results.csv")
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(Report(conditions: session.run.conditions, variants: figures)),
      to: "\(folder)/results.json")
    return Self.pictures(figures, folder: folder, language: language).compactMap { $0.draw() }
  }

  /// The plots of a folder's `results.csv`.
  static func pictures(
    _ figures: [AffineTreeFigures], folder: String, language: ReportLanguage
  ) -> [GnuplotPicture] {
    func column(_ name: String) -> Int {
      1 + (AffineTreeFigures.columns.firstIndex(of: name) ?? 0)
    }
    let names = figures.map(\.variant)
    let parts = ["draft_ms", "align_ms", "predict_ms", "prune_ms", "verify_ms", "commit_ms"]
    let (speedup, low, high) = (column("speedup"), column("speedup_low"), column("speedup_high"))
    let highest = figures.map { max($0.speedup, $0.speedupInterval?.high ?? 0) }
    let (pruned, lost) = (figures.map(\.prunedShare), figures.map(\.lostAcceptance))
    let (x, y) = (GnuplotPicture.padded(pruned + [0, 1]), GnuplotPicture.padded(lost + [0, 0.2]))
    // A colour for each group of variants.
    let points = figures.map {
      PlotLabels.Point(
        x: $0.prunedShare, y: $0.lostAcceptance, text: $0.variant,
        colour: 1 + (AffineTreeVariant.Group.allCases.firstIndex(of: $0.group) ?? 0))
    }
    return [
      GnuplotPicture(
        folder: folder, name: "speedup", title: language(.variantSpeedup),
        settings: """
          \(GnuplotPicture.bars(names, hasErrors: true))
          \(GnuplotPicture.range("y", GnuplotPicture.fromZero(highest + [1])))
          \(GnuplotPicture.label("y", language(.speedup)))
          unset key
          """,
        plot: "'results.csv' using \(speedup):\(low):\(high) lc rgb '#1f4e9c', "
          + GnuplotPicture.lineAtOne),
      GnuplotPicture(
        folder: folder, name: "pruning", title: language(.pruning),
        settings: """
          \(GnuplotPicture.label("x", language(.prunedShare)))
          \(GnuplotPicture.label("y", language(.lostShare)))
          \(GnuplotPicture.range("x", x))
          \(GnuplotPicture.range("y", y))
          unset key
          \(PlotLabels.commands(points, x: x, y: y).joined(separator: "\n"))
          """,
        plot: "'results.csv' using \(column("pruned_share")):\(column("lost_acceptance")) "
          + "with points pt 7 lc rgb '#1f4e9c'"),
      GnuplotPicture(
        folder: folder, name: "latency", title: language(.roundTime),
        settings: """
          \(GnuplotPicture.bars(names, hasErrors: false))
          set style histogram rowstacked
          \(GnuplotPicture.label("y", "ms"))
          \(GnuplotPicture.keyBelow)
          """,
        plot: parts.map {
          let name = language.word($0).replacing("_ms", with: "")
          return "'results.csv' using \(column($0)) title \(GnuplotPicture.quoted(name))"
        }.joined(separator: ", ")),
    ]
  }
}
