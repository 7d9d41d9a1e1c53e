import Foundation
import ModelFiles
import Plotting

/// The plots of an experiment: time, acceptance rate and speedup along its axis; for draft models of
/// several sizes also where they break even.
struct ExperimentPlots {
  private let definitions: [ExperimentDefinition]
  private let rows: [ExperimentRow]
  private let folder: String

  init(_ definitions: [ExperimentDefinition], rows: [ExperimentRow], folder: String) {
    self.definitions = definitions
    self.rows = rows
    self.folder = folder
  }

  /// One line of a plot.
  private struct Series {
    var label: String
    var points: [(x: String, row: ExperimentRow)]
  }

  private struct Quantity: Sendable {
    var name: String
    var title: String
    var isPlain: Bool
    var value: @Sendable (ExperimentRow) -> (Double, Double, Double)
  }

  private static let time = Quantity(name: "time", title: "seconds an answer", isPlain: true) {
    ($0.time, $0.time - $0.timeDeviation, $0.time + $0.timeDeviation)
  }
  private static let acceptance = Quantity(
    name: "acceptance_rate", title: "accepted share of drafted tokens", isPlain: false
  ) { ($0.acceptanceRate, $0.acceptanceRate, $0.acceptanceRate) }
  private static let speedup = Quantity(name: "speedup", title: "speedup", isPlain: false) {
    ($0.speedup, $0.speedupInterval?.low ?? $0.speedup, $0.speedupInterval?.high ?? $0.speedup)
  }

  /// Draws all; also gives the page's sections.
  func draw() throws -> (sections: [ReportPage.Section], problems: [String]) {
    var sections: [ReportPage.Section] = []
    var problems: [String] = []
    func add(_ picture: GnuplotPicture, _ title: String, _ text: String = "") {
      if let problem = picture.draw() { return problems.append(problem) }
      sections.append(
        ReportPage.Section(title, text: text, figure: RunReport.dataURL(of: picture)))
    }
    for definition in definitions {
      let mine = rows.filter { $0.experiment == definition.name }
      add(
        try picture(
          Self.time, "\(definition.x.rawValue)_effect", series(mine, definition.x, Self.time),
          definition.x), definition.title,
        "Seconds of an answer with its prompt, mean and standard "
          + "deviation over repetitions.")
      if definition.x == .draftModel || definition.x == .target {
        if let picture = try breakEven(mine) {
          add(
            picture, "Break-even",
            "Above the line one drafted token pays: P₁ > c + V(2) − 1, with c the time of a drafted "
              + "token by that of one of plain decoding, and V(2) what verification of two rows "
              + "costs here.")
        }
      }
    }
    for definition in definitions where definition.x == .language {
      add(
        try fertility(rows.filter { $0.experiment == definition.name }), "Fertility and acceptance",
        "Tokens a character, which say how dear a language is to the tokenizer, against tokens a pass "
          + "of the target.")
    }
    let isMixed = definitions.count > 1
    for quantity in [Self.acceptance, Self.speedup] {
      let all = definitions.flatMap { definition in
        series(rows.filter { $0.experiment == definition.name }, definition.x, quantity).map {
          isMixed ? Series(label: "\(definition.name): \($0.label)", points: $0.points) : $0
        }
      }
      let axis = definitions[0].x
      add(try picture(quantity, quantity.name, all, axis), quantity.title)
    }
    return (sections, problems)
  }

  private func series(
    _ rows: [ExperimentRow], _ axis: ExperimentDefinition.Axis, _ quantity: Quantity
  ) -> [Series] {
    var series: [Series] = []
    let values = rows.filter { $0.method != "plain" }.map { $0.value(axis) }.uniqued()
    for row in rows where quantity.isPlain || row.method != "plain" {
      let label = row.label(without: axis, among: rows)
      // Plain decoding drafts nothing: beside draft lengths it is a line from left to right.
      let isEverywhere =
        row.method == "plain" && [.draftLength, .drafter, .draftModel, .draftTree].contains(axis)
      for x in isEverywhere ? values : [row.value(axis)] {
        if let place = series.firstIndex(where: { $0.label == label }) {
          series[place].points.append((x, row))
        } else {
          series.append(Series(label: label, points: [(x, row)]))
        }
      }
    }
    return series
  }

  private func picture(
    _ quantity: Quantity, _ name: String, _ series: [Series], _ axis: ExperimentDefinition.Axis
  ) throws -> GnuplotPicture {
    let xs = series.flatMap { $0.points.map(\.x) }.uniqued()
    let isNumeric = xs.allSatisfy { Double($0) != nil }
    var lines = [[axis.rawValue] + series.flatMap { [$0.label, "low", "high"] }]
    for x in isNumeric ? xs.sorted(by: { (Double($0) ?? 0) < (Double($1) ?? 0) }) : xs {
      lines.append(
        [x]
          + series.flatMap { line in
            guard let row = line.points.first(where: { $0.x == x })?.row else {
              return ["", "", ""]
            }
            let (value, low, high) = quantity.value(row)
            return ["\(value)", "\(low)", "\(high)"]
          })
    }
    try AtomicFile.write(
      Data(lines.map(CSV.line).joined().utf8), to: "\(folder)/\(name).csv")
    let curves = series.enumerated().map { index, line in
      let column = 2 + 3 * index
      let values = "\(column):\(column + 1):\(column + 2)"
      let title = "title \(GnuplotPicture.quoted(line.label))"
      return isNumeric
        ? "'\(name).csv' using 1:\(values) with yerrorlines pt 7 lw 1.5 \(title)"
        : "'\(name).csv' using \(values):xtic(1) \(title)"
    }
    let isWide = isNumeric && (xs.compactMap(Double.init).min() ?? 0) > 0 && xs.count > 3
    return GnuplotPicture(
      folder: folder, name: name,
      settings: """
        set ylabel '\(quantity.title)'
        set xlabel '\(definitions.count > 1 && name != "\(axis.rawValue)_effect" ? "tokens" : axis.rawValue)' noenhanced
        set yrange [0:*]
        set key outside bottom center horizontal noenhanced height 0.7
        \(isWide ? "set logscale x 2" : "")
        \(isNumeric ? "" : "set style data histograms\nset style histogram errorbars gap 2 lw 1.5\nset style fill solid 0.7\nset xtics rotate by -35 noenhanced")
        """,
      plot: (curves + (quantity.name == "speedup" ? ["1 lc rgb '#c0392b' notitle"] : []))
        .joined(separator: ", "))
  }

  /// How dear each language is to the tokenizer against what drafts bring in it.
  private func fertility(_ rows: [ExperimentRow]) throws -> GnuplotPicture {
    let mine = rows.filter { $0.method != "plain" }
    let labels = mine.map { $0.label(without: .language, among: rows) }.uniqued()
    var curves: [String] = []
    for (index, label) in labels.enumerated() {
      let points = mine.filter { $0.label(without: .language, among: rows) == label }.map {
        [$0.group ?? "", "\($0.fertility)", "\($0.acceptanceLength)"]
      }
      let name = "fertility-\(index + 1).csv"
      try AtomicFile.write(
        Data(
          ([["language", "tokens_per_character", "acceptance_length"]] + points)
            .map(CSV.line).joined().utf8), to: "\(folder)/\(name)")
      curves += [
        "'\(name)' using 2:3 with points pt 7 lc \(index + 1) title \(GnuplotPicture.quoted(label))",
        "'\(name)' using 2:3:1 with labels left offset 0.7,0.3 tc lt \(index + 1) noenhanced notitle",
      ]
    }
    return GnuplotPicture(
      folder: folder, name: "fertility",
      settings: """
        set xlabel 'tokens a character'
        set ylabel 'tokens a pass of the target'
        set key outside bottom center horizontal noenhanced height 0.7
        """, plot: curves.joined(separator: ", "))
  }

  /// Draft cost against first acceptance, with the line above which drafting one token pays.
  private func breakEven(_ rows: [ExperimentRow]) throws -> GnuplotPicture? {
    let mine = rows.filter { $0.method != "plain" && $0.n == 1 }
    guard !mine.isEmpty else { return nil }
    let hasTargets = Set(mine.map(\.target)).count > 1
    let labels = mine.map {
      [hasTargets ? $0.target : nil, $0.draftModel ?? $0.drafter].compactMap { $0 }
        .joined(separator: " ")
    }
    // From speedup = (1 + P₁)/(c + V(2)).
    let costs = mine.map { (1 + $0.firstAcceptance) / $0.speedup - $0.draftCost }
    let v2 = costs.reduce(0, +) / Double(costs.count)
    var table = [["series", "group", "c", "p1", "v2"]]
    for (index, row) in mine.enumerated() {
      table.append([
        labels[index], row.group ?? "", "\(row.draftCost)", "\(row.firstAcceptance)",
        "\(costs[index])",
      ])
    }
    try AtomicFile.write(
      Data(table.map(CSV.line).joined().utf8), to: "\(folder)/break_even.csv")
    let curves = labels.uniqued().enumerated().flatMap { index, label in
      let chosen = "(strcol(1) eq \(GnuplotPicture.quoted(label)) ? $3 : NaN)"
      return [
        "'break_even.csv' using \(chosen):4 with points pt 7 ps 1.5 lc \(index + 1) "
          + "title \(GnuplotPicture.quoted(label))",
        "'' using \(chosen):4:2 with labels left offset 1,0 tc lt \(index + 1) noenhanced notitle",
      ]
    }
    return GnuplotPicture(
      folder: folder, name: "break_even",
      settings: """
        set xlabel 'c: seconds of a drafted token by those of a plain one'
        set ylabel 'share of passes that accepted the drafted token'
        set yrange [0:1]
        set xrange [0:*]
        set offsets 0, graph 0.08, 0, 0
        set key outside bottom center horizontal noenhanced height 0.7
        """,
      plot: (curves + ["x + \(v2) - 1 lc rgb '#c0392b' lw 2 notitle"]).joined(separator: ", "))
  }
}
