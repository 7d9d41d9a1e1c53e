import Foundation
import ModelFiles
import Plotting

/// What a scaling study leaves in a folder: tables, plots and a page.
struct ScalingReport {
  let study: ScalingStudy
  let acceptance: Double
  /// Where the acceptance was measured; nil if it is the file's.
  let source: String?
  let folder: String
  let command: [String]
  let language: ReportLanguage

  private struct Content: Encodable {
    var definition: ScalingStudy.Definition
    var rows: [ScalingStudy.Row]
    var checks: [ScalingStudy.Check]
  }

  /// A line of a plot: accelerators whose figures are the same.
  struct Curve: Equatable {
    var names: [String]
    var points: [Double: Double]
  }

  static let columns = [
    "accelerator", "target", "draft", "parameters", "plain_tokens_per_second",
    "best_draft_length", "acceptance_length", "speedup", "memory", "fits", "largest_batch",
    "batch_crossover",
  ]
  static let checkColumns = ["method", "published", "roofline", "with_overhead", "error"]

  private func decimal(_ value: Double, _ places: Int = 2) -> String {
    String(format: "%.\(places)f", locale: Locale(identifier: "en_US_POSIX"), value)
  }

  private func table(_ lines: [[String]], _ name: String) throws {
    try AtomicFile.write(Data(lines.map(CSV.line).joined().utf8), to: "\(folder)/\(name).csv")
  }

  /// - Returns: why there are plots missing, a line each.
  func write() throws -> [String] {
    try makeFolder(folder)
    let (rows, checks) = (try study.rows(acceptance: acceptance), try study.checks())
    let cells = rows.map { row in
      [
        row.accelerator, row.target, row.draft, decimal(row.parameters, 3),
        decimal(row.plainTokensPerSecond, 1), "\(row.bestDraftLength)",
        decimal(row.acceptanceLength), decimal(row.speedup), decimal(row.memory, 1),
        row.fits ? "yes" : "no", "\(row.largestBatch)",
        row.fits ? row.crossover.map(String.init) ?? "none" : "",
      ]
    }
    try table([Self.columns] + cells, "results")
    let checkCells = checks.map {
      [
        $0.method, decimal($0.published), decimal($0.roofline), decimal($0.withOverhead),
        "\($0.error >= 0 ? "+" : "")\(decimal($0.error * 100, 0)) %",
      ]
    }
    try table([Self.checkColumns] + checkCells, "published")
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(Content(definition: study.definition, rows: rows, checks: checks)),
      to: "\(folder)/results.json")

    let command = ShellCommand.line(command)
    var problems: [String] = []
    var sections = [assumptions()]
    for (picture, text) in [try bySize(rows), try byBatch(rows)] {
      if let problem = picture.draw() { problems.append(problem) }
      sections.append(
        ReportPage.Section(
          picture.title, text: text, figure: RunReport.dataURL(of: picture), command: command))
    }
    func words(_ columns: [String]) -> [String] { columns.map { language.word($0) } }
    sections += [
      ReportPage.Section(
        language(.everyPair), text: language(.everyPairText),
        table: ReportPage.Table(columns: words(Self.columns), rows: cells.map(words)),
        command: command),
      ReportPage.Section(
        language(.published),
        text: language(.publishedText, decimal(study.definition.publishedOverhead, 0)),
        table: ReportPage.Table(columns: words(Self.checkColumns), rows: checkCells.map(words)),
        command: command),
    ]
    let page = ReportPage(
      title: language(.scaling), subtitle: language(.modelNotMeasured), sections: sections,
      conditions: [], language: language)
    try AtomicFile.write(Data(try page.html().utf8), to: "\(folder)/index.html")
    return problems
  }

  private func assumptions() -> ReportPage.Section {
    let definition = study.definition
    return ReportPage.Section(
      language(.assumed),
      text: language(
        .assumedText,
        "\(acceptance)" + (source.map { " (\(language(.measuredIn, $0)))" } ?? ""),
        "\(definition.context)", decimal(definition.bytesPerWeight, 1),
        decimal(definition.bandwidthShare * 100, 0), decimal(definition.computeShare * 100, 0)),
      table: ReportPage.Table(
        columns: [language(.accelerator), language(.operations), "GB/s", "GB", language(.source)],
        rows: definition.accelerators.map {
          [$0.name, "\($0.arithmetic)", "\($0.bandwidth)", "\($0.memory)", $0.source]
        }))
  }

  /// Speedup by the size of the target, where both models fit.
  private func bySize(_ rows: [ScalingStudy.Row]) throws -> (GnuplotPicture, String) {
    let curves = Self.joined(
      study.definition.accelerators.map { accelerator in
        let fitting = rows.filter { $0.accelerator == accelerator.name && $0.fits }
        return Curve(
          names: [accelerator.name],
          points: Dictionary(
            fitting.map { ($0.parameters, $0.speedup) }, uniquingKeysWith: { first, _ in first }))
      })
    let nowhere = study.definition.pairs.map(\.target).filter { target in
      !rows.contains { $0.target == target && $0.fits }
    }.uniqued()
    return (
      try picture(
        "speedup", curves, rows: rows.map(\.parameters), axis: "parameters",
        title: language(.scalingBySize), label: language(.parameters)),
      language(.coinciding)
        + (nowhere.isEmpty
          ? "" : " " + language(.fitsNowhere, nowhere.joined(separator: ", ")))
    )
  }

  /// Speedup by the number of sequences, of the largest pair of those that the most machines hold.
  private func byBatch(_ rows: [ScalingStudy.Row]) throws -> (GnuplotPicture, String) {
    func places(_ pair: ScalingStudy.Definition.Pair) -> Int {
      rows.count { $0.target == pair.target && $0.draft == pair.draft && $0.fits }
    }
    let most = study.definition.pairs.map(places).max() ?? 0
    let pair = study.definition.pairs.filter { places($0) == most }.last
    let speedups = try pair.map { try study.speedups(of: $0, acceptance: acceptance) } ?? [:]
    let curves = Self.joined(
      study.definition.accelerators.map { accelerator in
        let points = (speedups[accelerator.name] ?? []).map { (Double($0.batch), $0.speedup) }
        return Curve(
          names: [accelerator.name], points: Dictionary(uniqueKeysWithValues: points))
      })
    let batches = speedups.values.flatMap { $0.map { Double($0.batch) } }
    return (
      try picture(
        "batch", curves, rows: batches, axis: "batch",
        title: language(.scalingByBatch, pair?.target ?? "–", pair?.draft ?? "–"),
        label: language(.sequences)),
      language(.batchText)
    )
  }

  /// Accelerators whose figures are equal within 1 % wherever both have some are one line, with the
  /// points of the one that has the most; at the names of the others stands how far theirs go.
  static func joined(_ curves: [Curve]) -> [Curve] {
    var result: [Curve] = []
    for curve in curves.filter({ !$0.points.isEmpty }).sorted(by: {
      $0.points.count > $1.points.count
    }) {
      let place = result.firstIndex { known in
        curve.points.allSatisfy { x, y in
          known.points[x].map { abs($0 / y - 1) < 0.01 } ?? false
        }
      }
      guard let place else {
        result.append(curve)
        continue
      }
      let (end, far) = (curve.points.keys.max() ?? 0, result[place].points.keys.max() ?? 0)
      result[place].names += curve.names.map {
        end < far ? "\($0) (≤ \(end == end.rounded() ? "\(Int(end))" : "\(end)"))" : $0
      }
    }
    return result
  }

  private func picture(
    _ name: String, _ curves: [Curve], rows: [Double], axis: String, title: String, label: String
  ) throws -> GnuplotPicture {
    let xs = Set(rows).sorted()
    let lines = xs.map { x in
      ["\(x)"] + curves.map { $0.points[x].map { decimal($0, 4) } ?? "" }
    }
    try table([[axis] + curves.map { $0.names.joined(separator: ", ") }] + lines, name)
    let shown = curves.flatMap(\.points)
    // Each name has an entry of its own, in its line's colour.
    let entries = curves.enumerated().flatMap { index, curve in
      curve.names.enumerated().map { place, title in
        (place == 0 ? "'\(name).csv' using 1:\(index + 2)" : "NaN")
          + " with linespoints pt 7 lw 1.5 lc \(index + 1) "
          + "title \(GnuplotPicture.quoted(title))"
      }
    }
    return GnuplotPicture(
      folder: folder, name: name, title: title,
      settings: """
        set logscale x 2
        \(GnuplotPicture.range(
          "x", GnuplotPicture.padded(shown.map(\.key), isLogarithmic: true)))
        \(GnuplotPicture.range("y", GnuplotPicture.fromZero(shown.map(\.value) + [1])))
        \(GnuplotPicture.label("x", label))
        \(GnuplotPicture.label("y", language(.bestSpeedup)))
        \(GnuplotPicture.keyBelow)
        """,
      plot: (entries + [GnuplotPicture.lineAtOne]).joined(separator: ", "))
  }
}
