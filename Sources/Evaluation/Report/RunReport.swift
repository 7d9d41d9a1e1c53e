import Foundation
import ModelFiles
import Nunchi
import Plotting
import Speculation

/// The report of a run, or of two side by side: a page, and the plots and tables that it shows.
public struct RunReport {
  /// A run with what it is called in the report.
  struct Part {
    var label: String
    var run: StoredRun
    var database: RunDatabase
    var report: BenchmarkReport

    var costs: VerificationCosts? { try? VerificationCosts(points: run.costs) }
  }

  private let parts: [Part]
  private let folder: String
  private let language: ReportLanguage
  /// How many answers the step viewer has.
  public var answerLimit = 24

  /// - Parameters:
  ///   - folder: gets `index.html`, and `plots` with PNG, SVG and CSV files.
  ///   - language: of the page and the plots.
  /// - Throws: `EvaluationError`.
  public init(
    _ runs: [(run: StoredRun, database: RunDatabase)], folder: String,
    language: ReportLanguage = .en
  ) throws {
    parts = try runs.enumerated().map { index, part in
      Part(
        label: runs.count == 1 ? "" : Self.label(index), run: part.run,
        database: part.database, report: try BenchmarkReport(part.run, in: part.database))
    }
    self.folder = folder
    self.language = language
  }

  /// A, B and so on to Z, then A2.
  static func label(_ index: Int) -> String {
    let letter = Character(UnicodeScalar(UInt8(ascii: "A") + UInt8(index % 26)))
    return index < 26 ? "\(letter)" : "\(letter)\(index / 26 + 1)"
  }

  /// Writes everything; the page last, so that where it is, all is.
  /// - Returns: why there are plots missing, a line each.
  public func write() throws -> [String] {
    let plots = "\(folder)/plots"
    try makeFolder(plots)
    var problems: [String] = []
    var sections = [summary()]
    for kind in [GroupFigures.Kind.category, .language] {
      guard let section = try speedups(kind, plots, &problems) else { continue }
      sections.append(section)
    }
    if let section = try positions(plots, &problems) { sections.append(section) }
    if let section = try costs(plots, &problems) { sections.append(section) }
    for part in parts { sections += try analysis(part, plots, &problems) }
    for part in parts { sections.append(try viewer(part)) }
    let conditions = parts.map(\.run.conditions)
    let page = ReportPage(
      title: language(
        .pageTitle,
        conditions.map { language(.modelOnSuite, $0.model, $0.suite) }
          .joined(separator: language(.and))),
      subtitle: conditions.map(subtitle).joined(separator: " · "), sections: sections,
      conditions: parts.map { part in
        var table = Self.conditions(part.run, language)
        if !part.label.isEmpty { table.columns[0] = part.label }
        return table
      }, language: language)
    try AtomicFile.write(Data(try page.html().utf8), to: "\(folder)/index.html")
    return problems
  }

  private func subtitle(_ conditions: BenchmarkConditions) -> String {
    [
      "\(conditions.date.prefix(10))", language(.threads, "\(conditions.threads)"),
      conditions.temperature == 0
        ? language(.greedy)
        : language(.sampled, "\(conditions.temperature)", "\(conditions.seed)"),
      language(.mostTokens, "\(conditions.maxTokens)"),
    ].joined(separator: ", ")
  }

  private func decimal(_ value: Double, _ places: Int = 2) -> String {
    String(format: "%.\(places)f", locale: Locale(identifier: "en_US_POSIX"), value)
  }

  private func percent(_ share: Double) -> String { "\(decimal(share * 100, 1)) %" }

  private func name(_ method: String, _ part: Part) -> String {
    let method = method == BenchmarkConfiguration.plain.name ? language(.plain) : method
    return part.label.isEmpty ? method : "\(part.label): \(method)"
  }

  /// The command that writes what a figure of a run is drawn from.
  private func export(_ part: Part, _ form: String) -> String {
    let path = part.database.path ?? "results.db"
    let runs = (try? part.database.runs()) ?? []
    let number = (runs.firstIndex { $0.id == part.run.id } ?? 0) + 1
    let name = (form == "json" ? "figures" : form) + (part.label.isEmpty ? "" : "-\(part.label)")
    return ShellCommand.line(
      ["nunchi", "bench", "export", path]
        + (runs.count > 1 ? ["--run", "\(number)"] : [])
        + ["--form", form, "--output", form == "json" ? "\(name).json" : name])
  }

  /// What a plot shows, with the models it is of.
  private func plotTitle(_ title: String, _ shown: [Part]? = nil) -> String {
    let models = (shown ?? parts).map { name($0.run.conditions.model, $0) }
    return "\(title) (\(models.joined(separator: ", ")))"
  }

  private var exports: String { parts.map { export($0, "json") }.joined(separator: "\n") }

  // MARK: Sections

  private func summary() -> ReportPage.Section {
    var rows: [[String]] = []
    for part in parts {
      let overall = part.report.groups.last
      for method in [overall?.plain].compactMap({ $0 }) + (overall?.methods ?? []) {
        let regret = part.report.regrets.first { $0.drafter == method.drafter }
        rows.append([
          name(method.drafter, part), decimal(method.speedup),
          method.speedupInterval.map { "\(decimal($0.low))–\(decimal($0.high))" } ?? "–",
          method.speedupDeviation.map { decimal($0) } ?? "–", decimal(method.speedupWithPrompt),
          decimal(method.acceptanceLength), percent(method.draftAcceptanceRate),
          decimal(method.tokensPerSecond, 1), decimal(method.charactersPerSecond, 1),
          percent(method.draftShare), percent(method.wastedRows),
          regret.map { percent($0.regret) } ?? "–",
          method.energyRatio.map { decimal($0) } ?? "–", "\(method.questions)",
          method.isIdentical
            ? language(.yes) : language(.notIdentical, "\(method.mismatches)"),
        ])
      }
    }
    let left = parts.reduce(0) { $0 + $1.report.questions - $1.report.asked }
    return ReportPage.Section(
      language(.summary),
      text: language(.summaryText) + (left > 0 ? " " + language(.leftOut, "\(left)") : ""),
      table: Self.filled(
        columns: [
          Phrase.drafter, .speedup, .interval, .deviation, .withPrompt, .acceptanceLength,
          .accepted, .tokensPerSecond, .charactersPerSecond, .draftTime, .wastedRows, .regret,
          .energy, .questions, .identical,
        ].map { language($0) }, rows: rows),
      command: parts.map { ShellCommand.line($0.run.command) }.joined(separator: "\n"))
  }

  /// A table without the columns in which nothing stands.
  private static func filled(columns: [String], rows: [[String]]) -> ReportPage.Table {
    let kept = columns.indices.filter { column in rows.contains { $0[column] != "–" } }
    return ReportPage.Table(
      columns: kept.map { columns[$0] }, rows: rows.map { row in kept.map { row[$0] } })
  }

  /// A picture as the page has it.
  private func figure(_ picture: GnuplotPicture, _ problems: inout [String]) -> String? {
    if let problem = picture.draw() {
      problems.append(problem)
      return nil
    }
    return Self.dataURL(of: picture)
  }

  /// A picture that was drawn, for a page that needs nothing but itself.
  static func dataURL(of picture: GnuplotPicture) -> String? {
    let path = "\(picture.folder)/\(picture.name).svg"
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return "data:image/svg+xml;base64,\(data.base64EncodedString())"
  }

  private func table(_ lines: [[String]], _ name: String, _ plots: String) throws {
    try AtomicFile.write(Data(lines.map(CSV.line).joined().utf8), to: "\(plots)/\(name).csv")
  }

  private func speedups(
    _ kind: GroupFigures.Kind, _ plots: String, _ problems: inout [String]
  ) throws -> ReportPage.Section? {
    let axis = kind == .language ? "language" : "task"
    var names: [String] = []
    for part in parts {
      for group in part.report.groups where group.kind == kind && !names.contains(group.name) {
        names.append(group.name)
      }
    }
    let series = parts.flatMap { part in part.report.conditions.drafters.map { (part, $0) } }
    guard names.count > (kind == .language ? 1 : 0), !series.isEmpty else { return nil }
    var (lines, rows): ([[String]], [[String]]) = ([], [])
    var highest: [Double] = [1]
    for name in names {
      var (line, row) = ([name], [language.word(name)])
      for (part, drafter) in series {
        let method = part.report.groups.first { $0.kind == kind && $0.name == name }?
          .methods.first { $0.drafter == drafter }
        let interval = method?.speedupInterval
        let values = [
          method?.speedup, interval?.low ?? method?.speedup, interval?.high ?? method?.speedup,
        ]
        line += values.map { $0.map { decimal($0, 4) } ?? "" }
        highest += values.compactMap { $0 }
        row.append(
          method.map {
            language(
              .speedupCell, decimal($0.speedup), decimal($0.acceptanceLength),
              decimal($0.charactersPerSecond, 0))
          } ?? "–")
      }
      lines.append(line)
      rows.append(row)
    }
    let labels = series.map { self.name($0.1, $0.0) }
    try table(
      [[axis] + labels.flatMap { [$0, "\($0) low", "\($0) high"] }] + lines, "speedup-\(axis)",
      plots)
    let bars = labels.indices.map { index in
      let column = 2 + 3 * index
      return "'speedup-\(axis).csv' using \(column):\(column + 1):\(column + 2) "
        + "title \(GnuplotPicture.quoted(labels[index]))"
    }
    let title = language(kind == .language ? .speedupByLanguage : .speedupByTask)
    let picture = GnuplotPicture(
      folder: plots, name: "speedup-\(axis)", title: plotTitle(title),
      settings: """
        \(GnuplotPicture.bars(names.map { language.word($0) }, hasErrors: true))
        \(GnuplotPicture.range("y", GnuplotPicture.fromZero(highest)))
        \(GnuplotPicture.label("y", language(.speedup)))
        \(GnuplotPicture.keyBelow)
        """, plot: (bars + [GnuplotPicture.lineAtOne]).joined(separator: ", "))
    return ReportPage.Section(
      title, text: language(.speedupByText), figure: figure(picture, &problems),
      table: ReportPage.Table(columns: [language.word(axis)] + labels, rows: rows),
      command: exports)
  }

  private func positions(
    _ plots: String, _ problems: inout [String]
  ) throws -> ReportPage.Section? {
    let series = parts.flatMap { part in
      (part.report.groups.last?.methods ?? []).map { (name($0.drafter, part), $0.perPositionRates) }
    }.filter { !$0.1.isEmpty }
    guard !series.isEmpty else { return nil }
    let longest = min(16, series.map(\.1.count).max() ?? 0)
    func cell(_ rates: [Double], _ position: Int) -> String {
      decimal(position < rates.count ? rates[position] : 0, 4)
    }
    let lines = (0..<longest).map { position in
      ["\(position + 1)"] + series.map { cell($0.1, position) }
    }
    try table([["position"] + series.map(\.0)] + lines, "positions", plots)
    let picture = GnuplotPicture(
      folder: plots, name: "positions", title: plotTitle(language(.positions)),
      settings: """
        \(GnuplotPicture.label("x", language(.draftTokens)))
        \(GnuplotPicture.label("y", language(.acceptedAsMany)))
        \(GnuplotPicture.range("x", GnuplotPicture.padded([1, Double(longest)])))
        set yrange [0:1.02]
        set xtics 1
        \(GnuplotPicture.keyBelow)
        """,
      plot: series.indices.map {
        "'positions.csv' using 1:\($0 + 2) with linespoints lw 2 pt 7 "
          + "title \(GnuplotPicture.quoted(series[$0].0))"
      }.joined(separator: ", "))
    return ReportPage.Section(
      language(.positions), text: language(.positionsText),
      figure: figure(picture, &problems),
      table: ReportPage.Table(
        columns: [language(.drafter)] + (1...longest).map(String.init),
        rows: series.map { part in
          [part.0] + (0..<longest).map { percent($0 < part.1.count ? part.1[$0] : 0) }
        }), command: exports)
  }

  private func costs(_ plots: String, _ problems: inout [String]) throws -> ReportPage.Section? {
    let known = parts.filter { !$0.run.costs.isEmpty }
    guard !known.isEmpty else { return nil }
    var curves: [String] = []
    var rows: [[String]] = []
    for (index, part) in known.enumerated() {
      let points = part.run.costs.sorted { $0.rows < $1.rows }
      let first = points[0].seconds
      try table(
        [["rows", "milliseconds", "ratio"]]
          + points.map {
            ["\($0.rows)", decimal($0.seconds * 1000, 3), decimal($0.seconds / first, 4)]
          }, "costs-\(index + 1)", plots)
      curves.append(
        "'costs-\(index + 1).csv' using 1:3 with linespoints lw 2 pt 7 title "
          + GnuplotPicture.quoted(name("\(part.run.conditions.model), V(k)", part)))
      rows += points.map {
        [
          name("\($0.rows)", part), decimal($0.seconds * 1000, 2), decimal($0.seconds / first),
          decimal(Double($0.rows) * first / $0.seconds),
        ]
      }
    }
    let most = known.flatMap { $0.run.costs.map { Double($0.rows) } }
    let ratios = known.compactMap(\.costs).flatMap { costs in
      costs.points.map { $0.seconds / costs.rowSeconds }
    }
    let noGain = "x lc rgb '#999999' title \(GnuplotPicture.quoted(language(.noGain)))"
    let picture = GnuplotPicture(
      folder: plots, name: "costs", title: plotTitle(language(.costs)),
      settings: """
        \(GnuplotPicture.label("x", language(.rowsOfPass)))
        \(GnuplotPicture.label("y", language(.timesOneRow)))
        \(GnuplotPicture.range("x", GnuplotPicture.padded(most + [1])))
        \(GnuplotPicture.range("y", GnuplotPicture.fromZero(ratios + [2])))
        \(GnuplotPicture.keyBelow)
        """, plot: (curves + [noGain]).joined(separator: ", "))
    return ReportPage.Section(
      language(.costs), text: language(.costsText), figure: figure(picture, &problems),
      table: ReportPage.Table(
        columns: [language(.rows), "ms", "V(k)", "k / V(k)"], rows: rows),
      command: known.map {
        let conditions = $0.run.conditions
        return ShellCommand.line(
          ["nunchi", "bench", "speed", conditions.model, "--threads", "\(conditions.threads)"])
      }.joined(separator: "\n"))
  }

  /// Calibration, and acceptance by kind of token, of each drafter of a run.
  private func analysis(
    _ part: Part, _ plots: String, _ problems: inout [String]
  ) throws -> [ReportPage.Section] {
    var (kinds, rejections, calibration): ([[String]], [[String]], [[String]]) = ([], [], [])
    var curves: [String] = []
    for drafter in part.report.conditions.drafters {
      guard let analysis = part.report.analyses[drafter] else { continue }
      for (group, counts) in [
        (Phrase.script, analysis.scripts), (.place, analysis.positions), (.korean, analysis.korean),
      ] {
        for (kind, count) in counts.sorted(by: { $0.value.tokens > $1.value.tokens }) {
          kinds.append([
            name(drafter, part), language(group), word(kind), "\(count.tokens)",
            "\(count.drafted)",
            "\(count.accepted)", percent(count.acceptanceRate),
          ])
        }
      }
      rejections += analysis.rejections.prefix(12).map {
        [name(drafter, part), Self.visible($0.drafted), Self.visible($0.wanted), "\($0.count)"]
      }
      for scores in part.report.calibrations[drafter] ?? [] {
        let label = "\(name(drafter, part)): \(scores.drafter)"
        calibration.append([
          label, "\(scores.bins.reduce(0) { $0 + $1.count })", decimal(scores.error, 3),
        ])
        let file = "calibration-\(part.label)\(calibration.count)"
        try table(
          [["score", "accepted", "count"]]
            + scores.bins.filter { $0.count > 0 }.map {
              [decimal($0.score, 4), decimal($0.accepted, 4), "\($0.count)"]
            }, file, plots)
        curves.append(
          "'\(file).csv' using 1:2 with linespoints pt 7 lw 1.5 title "
            + GnuplotPicture.quoted(label))
      }
    }
    var sections: [ReportPage.Section] = []
    if !curves.isEmpty {
      let perfect = "x lc rgb '#999999' title \(GnuplotPicture.quoted(language(.perfect)))"
      let picture = GnuplotPicture(
        folder: plots, name: "calibration\(part.label)",
        title: plotTitle(language(.calibration), [part]),
        settings: """
          \(GnuplotPicture.label("x", language(.ownScore)))
          \(GnuplotPicture.label("y", language(.wasNext)))
          set xrange [0:1.02]
          set yrange [0:1.02]
          \(GnuplotPicture.keyBelow)
          """,
        plot: (curves + [perfect]).joined(separator: ", "))
      sections.append(
        ReportPage.Section(
          title(.calibration, part), text: language(.calibrationText),
          figure: figure(picture, &problems),
          table: ReportPage.Table(
            columns: [Phrase.drafter, .candidates, .calibrationError].map { language($0) },
            rows: calibration),
          command: export(part, "traces")))
    }
    if !kinds.isEmpty {
      sections.append(
        ReportPage.Section(
          title(.kinds, part), text: language(.kindsText),
          table: ReportPage.Table(
            columns: [Phrase.drafter, .by, .kind, .tokens, .drafted, .accepted, .rate]
              .map { language($0) }, rows: kinds), command: export(part, "json")))
    }
    if !rejections.isEmpty {
      sections.append(
        ReportPage.Section(
          title(.rejections, part), text: language(.rejectionsText),
          table: ReportPage.Table(
            columns: [Phrase.drafter, .drafted, .wanted, .times].map { language($0) },
            rows: rejections),
          command: export(part, "traces")))
    }
    return sections
  }

  /// What a kind of tokens is called.
  private func word(_ kind: String) -> String {
    // "stem" is also a category of MT-bench's questions.
    kind == KoreanWords.Part.stem.rawValue ? language(.stem) : language.word(kind)
  }

  /// The title of a section that each run has.
  private func title(_ phrase: Phrase, _ part: Part) -> String {
    language(phrase) + (part.label.isEmpty ? "" : " (\(part.label))")
  }

  /// A token with its white space shown.
  private static func visible(_ text: String) -> String {
    let shown = text.replacing("\n", with: "↵").replacing("\t", with: "⇥").replacing(
      " ", with: "␣")
    return "“\(shown)”"
  }

  /// Texts of the first questions of each category and language.
  private func viewer(_ part: Part) throws -> ReportPage.Section {
    var view = TraceView(
      bytes: try part.database.tokens(of: part.run), language: language)
    let drafters = part.report.conditions.drafters
    let questions = try part.database.questions(of: part.run).questions
    let answered = Set(part.report.records.map(\.question))
    var seen: Set<[String]> = []
    let chosen = questions.filter {
      answered.contains($0.id) && seen.insert([$0.category, $0.language ?? ""]).inserted
    }.prefix(max(1, answerLimit / max(1, drafters.count)))
    var answers: [ReportPage.Answer] = []
    for question in chosen {
      for drafter in drafters {
        let key = AnswerKey(
          question: question.id, turn: 0, repetition: 0, configuration: drafter)
        let steps = try part.database.steps(of: key, run: part.run)
        let figures = SpeculationStatistics(steps)
        answers.append(
          ReportPage.Answer(
            title: "\(question.id), \(drafter)",
            note: "\(language.word(question.category)), τ \(decimal(figures.acceptanceLength))",
            prompt: question.turns[0], pieces: view.pieces(steps)))
      }
    }
    return ReportPage.Section(
      title(.stepByStep, part), text: language(.stepByStepText), legend: view.legend,
      answers: answers, command: export(part, "traces"))
  }

  /// What the figures of a run depend on.
  static func conditions(_ run: StoredRun, _ language: ReportLanguage) -> ReportPage.Table {
    let conditions = run.conditions
    var rows: [(Phrase, String)] = [
      (.model, conditions.model), (.modelChecksum, conditions.modelSHA256 ?? "–"),
      (.suite, conditions.suite), (.suiteChecksum, conditions.suiteSHA256),
      (.questions, conditions.selection ?? language(.wholeSuite)),
      (.questionsChecksum, conditions.questionsSHA256 ?? "–"),
      (.drafterMemory, run.drafterMemory.map { language.word($0) } ?? "–"),
      (.drafters, conditions.drafters.joined(separator: ", ")),
      (.prompts, language.word(conditions.promptForm.rawValue)),
      (.answerLength, "\(conditions.maxTokens)"),
      (.temperature, "\(conditions.temperature)"), (.seed, "\(conditions.seed)"),
      (.stopsAt, language.word(conditions.stopPolicy)),
      (.tokens, language(.countedTokens)),
      (.threadCount, "\(conditions.threads)"), (.instructionSet, conditions.instructionSet),
      (.processor, conditions.processor ?? "–"), (.version, conditions.version),
      (.began, conditions.date), (.command, ShellCommand.line(run.command)),
    ]
    if let draft = conditions.draftModel {
      rows.insert((.draftModel, "\(draft) \(conditions.draftModelSHA256 ?? "")"), at: 2)
    }
    if let memory = run.peakMemory {
      rows.append((.peakMemory, "\(memory / 1_000_000) MB"))
    }
    return ReportPage.Table(
      columns: [language(.run), ""], rows: rows.map { [language($0), $1] })
  }
}
