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
  /// How many answers the step viewer has.
  public var answerLimit = 24

  /// - Parameter folder: gets `index.html`, and `plots` with PNG, SVG and CSV files.
  /// - Throws: `EvaluationError`.
  public init(
    _ runs: [(run: StoredRun, database: RunDatabase)], folder: String
  ) throws {
    parts = try runs.enumerated().map { index, part in
      Part(
        label: runs.count == 1 ? "" : ["A", "B", "C", "D"][min(index, 3)], run: part.run,
        database: part.database, report: try BenchmarkReport(part.run, in: part.database))
    }
    self.folder = folder
  }

  /// Writes everything; the page last, so that where it is, all is.
  /// - Returns: why there are plots missing, a line each.
  public func write() throws -> [String] {
    let plots = "\(folder)/plots"
    try FileManager.default.createDirectory(atPath: plots, withIntermediateDirectories: true)
    var problems: [String] = []
    var sections = [summary()]
    for (kind, title) in [(GroupFigures.Kind.category, "task"), (.language, "language")] {
      guard let section = try speedups(kind, title, plots, &problems) else { continue }
      sections.append(section)
    }
    if let section = try positions(plots, &problems) { sections.append(section) }
    if let section = try costs(plots, &problems) { sections.append(section) }
    for part in parts { sections += try analysis(part, plots, &problems) }
    for part in parts { sections.append(try viewer(part)) }
    let conditions = parts.map(\.run.conditions)
    let page = ReportPage(
      title: "Speculative decoding: "
        + conditions.map { "\($0.model) on \($0.suite)" }.joined(separator: " and "),
      subtitle: conditions.map(Self.subtitle).joined(separator: " · "), sections: sections,
      conditions: parts.map { part in
        var table = Self.conditions(part.run)
        if !part.label.isEmpty { table.columns[0] = part.label }
        return table
      })
    try AtomicFile.write(Data(try page.html().utf8), to: "\(folder)/index.html")
    return problems
  }

  private static func subtitle(_ conditions: BenchmarkConditions) -> String {
    "\(conditions.date.prefix(10)), \(conditions.threads) threads, "
      + (conditions.temperature == 0
        ? "greedy" : "temperature \(conditions.temperature), seed \(conditions.seed)")
      + ", at most \(conditions.maxTokens) tokens"
  }

  private func decimal(_ value: Double, _ places: Int = 2) -> String {
    String(format: "%.\(places)f", locale: Locale(identifier: "en_US_POSIX"), value)
  }

  private func percent(_ share: Double) -> String { "\(decimal(share * 100, 1)) %" }

  private func name(_ method: String, _ part: Part) -> String {
    part.label.isEmpty ? method : "\(part.label): \(method)"
  }

  private func export(_ part: Part, _ form: String) -> String {
    "nunchi bench export \(part.database.path ?? "results.db") --form \(form)"
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
          method.isIdentical ? "yes" : "NO: \(method.mismatches)",
        ])
      }
    }
    let left = parts.reduce(0) { $0 + $1.report.questions - $1.report.asked }
    return ReportPage.Section(
      "Summary",
      text:
        "Plain decoding and every drafter took turns at each question. Speedup is plain time by "
        + "the drafter's, after the first token, summed over questions; its interval is a 95 % "
        + "bootstrap over questions. τ is the tokens that a pass of the target brings."
        + (left > 0
          ? " \(left) questions were not answered by everybody and are not in here." : ""),
      table: Self.filled(
        columns: [
          "drafter", "speedup", "95 %", "deviation", "with prompt", "τ", "accepted", "tokens/s",
          "characters/s", "draft time", "wasted rows", "regret", "energy", "questions",
          "identical",
        ], rows: rows),
      command: parts.map { $0.run.command.joined(separator: " ") }
        .joined(separator: "\n"))
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
    _ kind: GroupFigures.Kind, _ title: String, _ plots: String, _ problems: inout [String]
  ) throws -> ReportPage.Section? {
    var names: [String] = []
    for part in parts {
      for group in part.report.groups where group.kind == kind && !names.contains(group.name) {
        names.append(group.name)
      }
    }
    let series = parts.flatMap { part in part.report.conditions.drafters.map { (part, $0) } }
    guard names.count > (kind == .language ? 1 : 0), !series.isEmpty else { return nil }
    var (lines, rows): ([[String]], [[String]]) = ([], [])
    for name in names {
      var (line, row) = ([name], [name])
      for (part, drafter) in series {
        let method = part.report.groups.first { $0.kind == kind && $0.name == name }?
          .methods.first { $0.drafter == drafter }
        let interval = method?.speedupInterval
        line += [
          method.map { decimal($0.speedup, 4) } ?? "",
          (interval?.low ?? method?.speedup).map { decimal($0, 4) } ?? "",
          (interval?.high ?? method?.speedup).map { decimal($0, 4) } ?? "",
        ]
        row.append(
          method.map {
            "\(decimal($0.speedup)) (τ \(decimal($0.acceptanceLength)), "
              + "\(decimal($0.charactersPerSecond, 0)) c/s)"
          } ?? "–")
      }
      lines.append(line)
      rows.append(row)
    }
    let labels = series.map { self.name($0.1, $0.0) }
    try table(
      [[title] + labels.flatMap { [$0, "\($0) low", "\($0) high"] }] + lines, "speedup-\(title)",
      plots)
    let bars = labels.indices.map { index in
      let column = 2 + 3 * index
      return "'speedup-\(title).csv' using \(column):\(column + 1):\(column + 2):xtic(1) "
        + "title \(GnuplotPicture.quoted(labels[index]))"
    }
    let picture = GnuplotPicture(
      folder: plots, name: "speedup-\(title)",
      settings: """
        set style data histograms
        set style histogram errorbars gap 2 lw 1.5
        set style fill solid 0.7
        set boxwidth 0.9
        set xtics rotate by -35 noenhanced
        set key outside bottom center horizontal noenhanced height 0.7
        set yrange [0:*]
        set ylabel 'speedup'
        """, plot: (bars + ["1 lc rgb '#c0392b' notitle"]).joined(separator: ", "))
    return ReportPage.Section(
      "Speedup by \(title)",
      text: "The line at 1 is plain decoding. In the table also τ and characters a second, which "
        + "compare across languages where tokens do not.",
      figure: figure(picture, &problems),
      table: ReportPage.Table(columns: [title] + labels, rows: rows), command: exports)
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
      folder: plots, name: "positions",
      settings: """
        set xlabel 'tokens of a draft'
        set ylabel 'share of passes that accepted as many'
        set yrange [0:1]
        set xtics 1
        set key outside bottom center horizontal noenhanced height 0.7
        """,
      plot: series.indices.map {
        "'positions.csv' using 1:\($0 + 2) with linespoints lw 2 pt 7 "
          + "title \(GnuplotPicture.quoted(series[$0].0))"
      }.joined(separator: ", "))
    return ReportPage.Section(
      "Acceptance by position",
      text: "The share of all passes that accepted at least so many tokens.",
      figure: figure(picture, &problems),
      table: ReportPage.Table(
        columns: ["drafter"] + (1...longest).map(String.init),
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
    let picture = GnuplotPicture(
      folder: plots, name: "costs",
      settings: """
        set xlabel 'rows of a pass'
        set ylabel 'time, as a multiple of one row'
        set key left top noenhanced
        """, plot: (curves + ["x lc rgb '#999999' title 'no gain'"]).joined(separator: ", "))
    return ReportPage.Section(
      "What verification costs",
      text: "V(k): the time of the target's pass over k rows by that over one, as measured on this "
        + "machine at the start. k by V(k) is the most that drafting k − 1 tokens could bring, if "
        + "all were free and accepted.",
      figure: figure(picture, &problems),
      table: ReportPage.Table(columns: ["rows", "ms", "V(k)", "k / V(k)"], rows: rows),
      command: known.map { "nunchi bench speed \($0.run.conditions.model)" }
        .joined(separator: "\n"))
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
        ("script", analysis.scripts), ("place", analysis.positions), ("Korean", analysis.korean),
      ] {
        for (kind, count) in counts.sorted(by: { $0.value.tokens > $1.value.tokens }) {
          kinds.append([
            name(drafter, part), group, kind, "\(count.tokens)", "\(count.drafted)",
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
    let of = part.label.isEmpty ? "" : " (\(part.label))"
    var sections: [ReportPage.Section] = []
    if !curves.isEmpty {
      let picture = GnuplotPicture(
        folder: plots, name: "calibration\(part.label)",
        settings: """
          set xlabel "the drafter's own score"
          set ylabel 'share that was the next token'
          set xrange [0:1]
          set yrange [0:1]
          set key outside bottom center horizontal noenhanced height 0.7
          """,
        plot: (curves + ["x lc rgb '#999999' title 'perfect'"]).joined(separator: ", "))
      sections.append(
        ReportPage.Section(
          "Calibration\(of)",
          text:
            "What drafters say of their candidates for the next token, verified or not, against "
            + "how often they were right; ten bins. The controller learns the difference while it "
            + "runs.", figure: figure(picture, &problems),
          table: ReportPage.Table(
            columns: ["drafter", "candidates", "expected calibration error"], rows: calibration),
          command: export(part, "traces")))
    }
    if !kinds.isEmpty {
      sections.append(
        ReportPage.Section(
          "Where drafts are right\(of)",
          text: "By the token that the target wrote: its script, whether it begins a word, and in "
            + "Korean words whether it is of the stem, a particle or an ending (told by the written "
            + "form, so that adnominal endings count as particles). Drafted are those at whose "
            + "place something was verified after accepted tokens.",
          table: ReportPage.Table(
            columns: ["drafter", "by", "kind", "tokens", "drafted", "accepted", "rate"],
            rows: kinds), command: export(part, "json")))
    }
    if !rejections.isEmpty {
      sections.append(
        ReportPage.Section(
          "What was rejected most\(of)", text: "And what the target wrote instead.",
          table: ReportPage.Table(
            columns: ["drafter", "drafted", "wanted", "times"], rows: rejections),
          command: export(part, "traces")))
    }
    return sections
  }

  /// A token with its white space shown.
  private static func visible(_ text: String) -> String {
    let shown = text.replacing("\n", with: "↵").replacing("\t", with: "⇥").replacing(
      " ", with: "␣")
    return "“\(shown)”"
  }

  /// Texts of the first questions of each category and language.
  private func viewer(_ part: Part) throws -> ReportPage.Section {
    var view = TraceView(bytes: try part.database.tokens(of: part.run))
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
            note: "\(question.category), τ \(decimal(figures.acceptanceLength))",
            prompt: question.turns[0], pieces: view.pieces(steps)))
      }
    }
    return ReportPage.Section(
      "Step by step\(part.label.isEmpty ? "" : " (\(part.label))")",
      text: "The first turn of the first question of each kind, coloured by who proposed each "
        + "token. Point at one to see its pass.", legend: view.legend, answers: answers,
      command: export(part, "traces"))
  }

  /// What the figures of a run depend on.
  static func conditions(_ run: StoredRun) -> ReportPage.Table {
    let conditions = run.conditions
    var rows = [
      ["model", conditions.model], ["model's SHA-256", conditions.modelSHA256 ?? "–"],
      ["suite", conditions.suite], ["suite's SHA-256", conditions.suiteSHA256],
      ["questions", conditions.selection ?? "all of the suite"],
      ["questions' SHA-256", conditions.questionsSHA256 ?? "–"],
      ["drafters' memory", run.drafterMemory ?? "–"],
      ["drafters", conditions.drafters.joined(separator: ", ")],
      ["prompts", conditions.promptForm.rawValue], ["most tokens", "\(conditions.maxTokens)"],
      ["temperature", "\(conditions.temperature)"], ["seed", "\(conditions.seed)"],
      ["stops at", conditions.stopPolicy],
      ["tokens", "all that the target wrote, stop token included, nothing after it"],
      ["threads", "\(conditions.threads)"], ["instruction set", conditions.instructionSet],
      ["processor", conditions.processor ?? "–"], ["Nunchi", conditions.version],
      ["began", conditions.date], ["command", run.command.joined(separator: " ")],
    ]
    if let draft = conditions.draftModel {
      rows.insert(["draft model", "\(draft) \(conditions.draftModelSHA256 ?? "")"], at: 2)
    }
    if let memory = run.peakMemory {
      rows.append(["peak memory", "\(memory / 1_000_000) MB"])
    }
    return ReportPage.Table(columns: ["Run", ""], rows: rows)
  }
}
