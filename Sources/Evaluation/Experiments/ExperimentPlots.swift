import Foundation
import ModelFiles
import Plotting
import Speculation

/// The plots of an experiment: time, acceptance rate and speedup along its axis; for draft models of
/// several sizes also where they break even.
struct ExperimentPlots {
  let definitions: [ExperimentDefinition]
  let rows: [ExperimentRow]
  /// What verification costs each target, by its name, as its run measured it.
  let costs: [String: VerificationCosts]
  let folder: String
  let language: ReportLanguage
  /// Makes the figures again.
  let command: String

  /// One line of a plot.
  private struct Series {
    var label: String
    var isPlain: Bool
    /// Whether it is the same from left to right.
    var isConstant: Bool
    var points: [(x: String, row: ExperimentRow)]
  }

  private struct Quantity: Sendable {
    var name: String
    var title: Phrase
    var isPlain: Bool
    var hasErrors: Bool
    var value: @Sendable (ExperimentRow) -> (middle: Double, low: Double, high: Double)
  }

  private static let time = Quantity(
    name: "time", title: .secondsPerAnswer, isPlain: true, hasErrors: true
  ) { ($0.time, max(0, $0.time - $0.timeDeviation), $0.time + $0.timeDeviation) }
  private static let acceptance = Quantity(
    name: "acceptance_rate", title: .acceptedShare, isPlain: false, hasErrors: false
  ) { ($0.acceptanceRate, $0.acceptanceRate, $0.acceptanceRate) }
  private static let speedup = Quantity(
    name: "speedup", title: .speedup, isPlain: false, hasErrors: true
  ) {
    ($0.speedup, $0.speedupInterval?.low ?? $0.speedup, $0.speedupInterval?.high ?? $0.speedup)
  }

  /// Draws all; also gives the page's sections.
  func draw() throws -> (sections: [ReportPage.Section], problems: [String]) {
    var sections: [ReportPage.Section] = []
    var problems: [String] = []
    func add(_ picture: GnuplotPicture, _ text: Phrase) {
      if let problem = picture.draw() { return problems.append(problem) }
      sections.append(
        ReportPage.Section(
          picture.title, text: language(text), figure: RunReport.dataURL(of: picture),
          command: command))
    }
    for definition in definitions {
      let mine = rows.filter { $0.experiment == definition.name }
      add(try picture(Self.time, "\(definition.x.rawValue)_effect", definition), .timeText)
      if definition.hasBreakEven, let picture = try breakEven(mine, definition) {
        add(picture, .breakEvenText)
      }
      if definition.x == .language { add(try fertility(mine, definition), .fertilityText) }
    }
    // Of several experiments these are against the draft length alone.
    if let definition = definitions.first(where: { $0.x == .draftLength }) ?? definitions.first {
      add(try picture(Self.acceptance, Self.acceptance.name, definition), .acceptedText)
      add(try picture(Self.speedup, Self.speedup.name, definition), .speedupText)
    }
    return (sections, problems)
  }

  /// The name of an experiment with what a plot shows of it.
  private func title(_ definition: ExperimentDefinition, _ phrase: Phrase) -> String {
    let targets = definition.targets.count == 1 ? " (\(definition.targets[0]))" : ""
    return "\(language.word(definition.title)): \(language(phrase))\(targets)"
  }

  private func series(
    _ rows: [ExperimentRow], _ axis: ExperimentDefinition.Axis, _ quantity: Quantity
  ) -> [Series] {
    var series: [Series] = []
    let values = rows.filter { !$0.isPlain }.map { $0.value(axis) }.uniqued()
    for row in rows where quantity.isPlain || !row.isPlain {
      let label = row.label(without: axis, among: rows, language: language)
      // Plain decoding drafts nothing: beside draft lengths it is a line from left to right.
      let isConstant =
        row.isPlain && [.draftLength, .drafter, .draftModel, .draftTree].contains(axis)
      for x in isConstant ? values : [row.value(axis)] {
        if let place = series.firstIndex(where: { $0.label == label }) {
          series[place].points.append((x, row))
        } else {
          series.append(
            Series(
              label: label, isPlain: row.isPlain, isConstant: isConstant, points: [(x, row)]))
        }
      }
    }
    return series
  }

  private func picture(
    _ quantity: Quantity, _ name: String, _ definition: ExperimentDefinition
  ) throws -> GnuplotPicture {
    let axis = definition.x
    let series = series(rows.filter { $0.experiment == definition.name }, axis, quantity)
    var xs = series.flatMap { $0.points.map(\.x) }.uniqued()
    let numbers = xs.compactMap(Double.init)
    let isNumeric = numbers.count == xs.count
    if isNumeric { xs.sort { (Double($0) ?? 0) < (Double($1) ?? 0) } }
    let points = series.map { line in
      xs.map { x in line.points.first { $0.x == x }.map { quantity.value($0.row) } }
    }
    try table(
      [[axis.rawValue] + series.flatMap { [$0.label, "low", "high"] }]
        + xs.indices.map { index in
          [xs[index]]
            + points.flatMap { values in
              values[index].map { ["\($0.middle)", "\($0.low)", "\($0.high)"] } ?? ["", "", ""]
            }
        }, name)
    let curves = series.enumerated().map { index, line in
      let column = 2 + 3 * index
      // A drafter has one colour in all plots, and plain decoding none.
      let place = series[...index].count { $0.isPlain == line.isPlain }
      let colour = line.isPlain ? "rgb '#777777'" : "\(place)"
      let style = "lc \(colour) title \(GnuplotPicture.quoted(line.label))"
      if line.isConstant, let value = points[index].compactMap({ $0 }).first {
        return "\(value.middle) with lines lw 2 dt \(place) \(style)"
      }
      let columns = "\(column)" + (quantity.hasErrors ? ":\(column + 1):\(column + 2)" : "")
      guard isNumeric else { return "'\(name).csv' using \(columns) \(style)" }
      return "'\(name).csv' using 1:\(columns) with "
        + (quantity.hasErrors ? "yerrorlines" : "linespoints") + " pt 7 lw 1.5 \(style)"
    }
    let isLogarithmic = isNumeric && (numbers.min() ?? 0) > 0 && xs.count > 3
    let across =
      isNumeric
      ? """
      \(isLogarithmic ? "set logscale x 2" : "")
      \(GnuplotPicture.range(
        "x", GnuplotPicture.padded(numbers, isLogarithmic: isLogarithmic)))
      set xtics (\(xs.joined(separator: ", ")))
      """
      : GnuplotPicture.bars(xs.map { language.word($0) }, hasErrors: quantity.hasErrors)
    let isSpeedup = quantity.name == Self.speedup.name
    return GnuplotPicture(
      folder: folder, name: name, title: title(definition, quantity.title),
      settings: """
        \(GnuplotPicture.label("x", language(axis.phrase)))
        \(GnuplotPicture.label("y", language(quantity.title)))
        \(GnuplotPicture.range(
          "y", GnuplotPicture.fromZero(
            points.flatMap { $0.compactMap { $0?.high } } + (isSpeedup ? [1] : []))))
        \(GnuplotPicture.keyBelow)
        \(across)
        """,
      plot: (curves + (isSpeedup ? [GnuplotPicture.lineAtOne] : [])).joined(separator: ", "))
  }

  /// How dear each language is to the tokenizer against what drafts bring in it.
  private func fertility(
    _ rows: [ExperimentRow], _ definition: ExperimentDefinition
  ) throws -> GnuplotPicture {
    let mine = rows.filter { !$0.isPlain }
    func label(_ row: ExperimentRow) -> String {
      row.label(without: .language, among: rows, language: language)
    }
    let labels = mine.map(label).uniqued()
    var curves: [String] = []
    for (index, name) in labels.enumerated() {
      try table(
        [["language", "tokens_per_character", "acceptance_length"]]
          + mine.filter { label($0) == name }.map {
            [$0.group ?? "", "\($0.fertility)", "\($0.acceptanceLength)"]
          }, "fertility-\(index + 1)")
      curves.append(
        "'fertility-\(index + 1).csv' using 2:3 with points pt 7 lc \(index + 1) "
          + "title \(GnuplotPicture.quoted(name))")
    }
    // A language's points lie above each other: its name stands once, at the highest.
    let highest = Dictionary(grouping: mine, by: { $0.group ?? "" }).compactMapValues { rows in
      rows.max { $0.acceptanceLength < $1.acceptanceLength }
    }
    return scattered(
      "fertility", title(definition, .fertility), curves,
      mine.map { row in
        PlotLabels.Point(
          x: row.fertility, y: row.acceptanceLength,
          text: highest[row.group ?? ""] == row ? row.group : nil,
          colour: 1 + (labels.firstIndex(of: label(row)) ?? 0))
      },
      x: GnuplotPicture.padded(mine.map(\.fertility)),
      y: GnuplotPicture.padded(mine.map(\.acceptanceLength)),
      labels: (language(.tokensPerCharacter), language(.tokensPerPass)))
  }

  /// Draft cost against first acceptance, with the line above which drafting one token pays.
  private func breakEven(
    _ rows: [ExperimentRow], _ definition: ExperimentDefinition
  ) throws -> GnuplotPicture? {
    let mine = rows.filter { !$0.isPlain && $0.n == 1 }
    guard !mine.isEmpty else { return nil }
    let targets = mine.map(\.target).uniqued()
    let labels = mine.map {
      [targets.count > 1 ? $0.target : nil, $0.draftModel ?? $0.drafter].compactMap { $0 }
        .joined(separator: " ")
    }
    let names = labels.uniqued()
    func v2(_ target: String) -> Double? { costs[target]?.ratio(rows: 2) }
    try table(
      [["series", "group", "c", "p1", "v2"]]
        + zip(mine, labels).map { row, label in
          [
            label, row.group ?? "", "\(row.draftCost)", "\(row.firstAcceptance)",
            v2(row.target).map { "\($0)" } ?? "",
          ]
        }, "break_even")
    let points = names.enumerated().map { index, label in
      "'break_even.csv' using (strcol(1) eq \(GnuplotPicture.quoted(label)) ? $3 : NaN):4 "
        + "with points pt 7 ps 1.5 lc \(index + 1) title \(GnuplotPicture.quoted(label))"
    }
    // From speedup = (1 + P₁)/(c + V(2)) = 1.
    let lines = targets.enumerated().compactMap { index, target in
      v2(target).map { v2 in
        let value = String(format: "%.2f", locale: Locale(identifier: "en_US_POSIX"), v2)
        let title = (targets.count > 1 ? "\(target): " : "") + language(.breakEvenAt, value)
        return "x + \(v2) - 1 lc rgb '#c0392b' lw 2 dt \(index + 1) "
          + "title \(GnuplotPicture.quoted(title))"
      }
    }
    let x = GnuplotPicture.fromZero(mine.map(\.draftCost) + [0.2])
    return scattered(
      "break_even", title(definition, .breakEven), points + lines,
      zip(mine, labels).map { row, label in
        PlotLabels.Point(
          x: row.draftCost, y: row.firstAcceptance, text: row.group,
          colour: 1 + (names.firstIndex(of: label) ?? 0))
      }, x: x, y: 0...1.02, labels: (language(.costOfDraft), language(.firstAccepted)))
  }

  private func scattered(
    _ name: String, _ title: String, _ curves: [String], _ points: [PlotLabels.Point],
    x: ClosedRange<Double>, y: ClosedRange<Double>, labels: (x: String, y: String)
  ) -> GnuplotPicture {
    GnuplotPicture(
      folder: folder, name: name, title: title,
      settings: """
        \(GnuplotPicture.label("x", labels.x))
        \(GnuplotPicture.label("y", labels.y))
        \(GnuplotPicture.range("x", x))
        \(GnuplotPicture.range("y", y))
        \(GnuplotPicture.keyBelow)
        \(PlotLabels.commands(points, x: x, y: y).joined(separator: "\n"))
        """, plot: curves.joined(separator: ", "))
  }

  private func table(_ lines: [[String]], _ name: String) throws {
    try AtomicFile.write(Data(lines.map(CSV.line).joined().utf8), to: "\(folder)/\(name).csv")
  }
}

extension ExperimentDefinition.Axis {
  /// What stands at it.
  fileprivate var phrase: Phrase {
    switch self {
    case .promptLength: .promptAxis
    case .maxTokens: .answerAxis
    case .draftLength: .draftAxis
    case .temperature: .temperature
    case .target: .target
    case .drafter: .drafter
    case .language: .language
    case .category: .category
    case .draftModel: .draftModel
    case .draftTree: .treeAxis
    }
  }
}
