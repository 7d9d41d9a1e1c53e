import Foundation
import ModelFiles
import Plotting

/// What speculation would bring from the smallest targets to the largest, on named accelerators.
public struct ScalingStudy: Sendable {
  /// All that the study's YAML file says.
  public struct Definition: Codable, Sendable, Equatable {
    public struct Pair: Codable, Sendable, Equatable {
      public var target: String
      public var draft: String
    }

    public struct Published: Codable, Sendable, Equatable {
      public var method: String
      public var target: String
      public var accelerator: String
      /// Empty where nothing is computed to draft.
      public var draft: String
      public var passes: Int
      public var rows: Int
      public var acceptanceLength: Double
      public var speedup: Double

      private enum CodingKeys: String, CodingKey {
        case method, target, accelerator, draft, passes, rows
        case acceptanceLength = "acceptance_length"
        case speedup
      }
    }

    public var acceptance = 0.8
    public var context = 1024
    public var bytesPerWeight = 2.0
    public var bandwidthShare = 0.8
    public var computeShare = 0.6
    /// Microseconds a layer, in the study and in the published systems.
    public var overhead = 0.0
    public var publishedOverhead = 0.0
    public var accelerators: [Accelerator] = []
    public var models: [ModelSize] = []
    public var pairs: [Pair] = []
    public var published: [Published] = []

    private enum CodingKeys: String, CodingKey {
      case acceptance, context
      case bytesPerWeight = "bytes_per_weight"
      case bandwidthShare = "bandwidth_share"
      case computeShare = "compute_share"
      case overhead
      case publishedOverhead = "published_overhead"
      case accelerators, models, pairs, published
    }
  }

  /// A pair of models on one machine.
  public struct Row: Codable, Sendable, Equatable {
    public var accelerator: String
    public var target: String
    public var draft: String
    /// Billions.
    public var parameters: Double
    public var plainTokensPerSecond: Double
    public var bestDraftLength: Int
    public var acceptanceLength: Double
    public var speedup: Double
    /// GB: weights of both, and caches of one sequence.
    public var memory: Double
    public var fits: Bool
    /// The batch at which speculation stops to pay; nil above 4096.
    public var crossover: Int?
  }

  /// A published figure against the model's.
  public struct Check: Codable, Sendable, Equatable {
    public var method: String
    public var published: Double
    /// By the roofline alone, and with what the layers of such systems take beside it.
    public var roofline: Double
    public var withOverhead: Double

    public var error: Double { withOverhead / published - 1 }
  }

  public let definition: Definition
  private let path: String

  /// - Parameter path: a YAML file; nil takes the one that comes with Nunchi.
  /// - Throws: `ModelFileError` or `EvaluationError`, naming file and field.
  public init(path: String? = nil) throws {
    self.path = try path ?? ShippedFiles.path(of: "Experiments/scaling.yaml")
    definition = try YAMLSettings.read(Definition(), path: self.path)
    func demand(_ holds: Bool, _ field: String, _ expected: String, _ found: Any) throws {
      guard holds else {
        throw EvaluationError.field(
          path: self.path, field: field, expected: expected, found: "\(found)")
      }
    }
    try demand(
      definition.acceptance > 0 && definition.acceptance < 1, "acceptance",
      "above 0, below 1", definition.acceptance)
    try demand(definition.context >= 0, "context", "0 or more", definition.context)
    for (field, value) in [
      ("bytes_per_weight", definition.bytesPerWeight),
      ("bandwidth_share", definition.bandwidthShare), ("compute_share", definition.computeShare),
    ] {
      try demand(value > 0 && value.isFinite, field, "above 0", value)
    }
    for accelerator in definition.accelerators {
      try demand(
        accelerator.arithmetic > 0 && accelerator.bandwidth > 0 && accelerator.memory > 0,
        "accelerators.\(accelerator.name)", "numbers above 0", accelerator)
    }
    for model in definition.models {
      try demand(
        model.parameters > 0 && model.layers > 0, "models.\(model.name)", "numbers above 0", model)
    }
    // Every name is one that is there.
    for pair in definition.pairs {
      _ = try (model(pair.target), model(pair.draft))
    }
    for figure in definition.published {
      _ = try (model(figure.target), accelerator(figure.accelerator))
      if !figure.draft.isEmpty { _ = try model(figure.draft) }
    }
  }

  private func model(_ name: String) throws -> ModelSize {
    try named(name, "models", definition.models, \.name)
  }

  private func accelerator(_ name: String) throws -> Accelerator {
    try named(name, "accelerators", definition.accelerators, \.name)
  }

  private func named<Value>(
    _ name: String, _ field: String, _ values: [Value], _ key: (Value) -> String
  ) throws -> Value {
    guard let value = values.first(where: { key($0) == name }) else {
      throw EvaluationError.field(
        path: path, field: field, expected: name,
        found: values.map(key).joined(separator: ", "))
    }
    return value
  }

  private func roofline(_ accelerator: Accelerator, overhead: Double) -> Roofline {
    Roofline(
      accelerator: accelerator, bytesPerWeight: definition.bytesPerWeight,
      context: definition.context, bandwidthShare: definition.bandwidthShare,
      computeShare: definition.computeShare, overheadPerLayer: overhead * 1e-6)
  }

  /// Every pair on every accelerator.
  /// - Parameter acceptance: measured, in place of the file's.
  public func rows(acceptance: Double? = nil) throws -> [Row] {
    let acceptance = acceptance ?? definition.acceptance
    return try definition.accelerators.flatMap { accelerator in
      let roofline = roofline(accelerator, overhead: definition.overhead)
      return try definition.pairs.map { pair in
        let (target, draft) = (try model(pair.target), try model(pair.draft))
        let best = roofline.best(target: target, draft: draft, acceptance: acceptance)
        let memory =
          roofline.weights(target) + roofline.weights(draft) + roofline.cache(target)
          + roofline.cache(draft)
        return Row(
          accelerator: accelerator.name, target: target.name, draft: draft.name,
          parameters: target.parameters,
          plainTokensPerSecond: 1 / roofline.seconds(target, rows: 1),
          bestDraftLength: best.length,
          acceptanceLength: Roofline.acceptanceLength(acceptance, length: best.length),
          speedup: best.speedup, memory: memory, fits: memory <= accelerator.memory,
          crossover: roofline.crossover(target: target, draft: draft, acceptance: acceptance))
      }
    }
  }

  /// The published figures against the model's.
  public func checks() throws -> [Check] {
    try definition.published.map { figure in
      let (target, accelerator) = (
        try model(figure.target), try accelerator(figure.accelerator)
      )
      let draft = figure.draft.isEmpty ? nil : try model(figure.draft)
      func speedup(_ overhead: Double) -> Double {
        roofline(accelerator, overhead: overhead).speedup(
          target: target, draft: draft, passes: figure.passes, rows: figure.rows,
          acceptanceLength: figure.acceptanceLength)
      }
      return Check(
        method: figure.method, published: figure.speedup, roofline: speedup(0),
        withOverhead: speedup(definition.publishedOverhead))
    }
  }

  private struct Report: Encodable {
    var definition: Definition
    var rows: [Row]
    var checks: [Check]
  }

  /// Writes tables, plots and a page.
  /// - Returns: why there are plots missing, a line each.
  public func write(
    to folder: String, acceptance: Double? = nil, source: String? = nil, command: [String]
  ) throws -> [String] {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    func decimal(_ value: Double, _ places: Int = 2) -> String {
      String(format: "%.\(places)f", locale: Locale(identifier: "en_US_POSIX"), value)
    }
    let (rows, checks) = (try rows(acceptance: acceptance), try checks())
    let columns = [
      "accelerator", "target", "draft", "parameters", "plain_tokens_per_second",
      "best_draft_length", "acceptance_length", "speedup", "memory", "fits", "batch_crossover",
    ]
    let cells = rows.map { row in
      [
        row.accelerator, row.target, row.draft, decimal(row.parameters, 3),
        decimal(row.plainTokensPerSecond, 1), "\(row.bestDraftLength)",
        decimal(row.acceptanceLength), decimal(row.speedup), decimal(row.memory, 1),
        row.fits ? "yes" : "no", row.crossover.map(String.init) ?? "above 4096",
      ]
    }
    try AtomicFile.write(
      Data(([columns] + cells).map(CSV.line).joined().utf8), to: "\(folder)/results.csv")
    let checkColumns = ["method", "published", "roofline", "with_overhead", "error"]
    let checkCells = checks.map {
      [
        $0.method, decimal($0.published), decimal($0.roofline), decimal($0.withOverhead),
        "\($0.error >= 0 ? "+" : "")\(decimal($0.error * 100, 0)) %",
      ]
    }
    try AtomicFile.write(
      Data(([checkColumns] + checkCells).map(CSV.line).joined().utf8),
      to: "\(folder)/published.csv")
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try encoder.encode(Report(definition: definition, rows: rows, checks: checks)),
      to: "\(folder)/results.json")

    // One table a plot, a column an accelerator.
    let names = definition.accelerators.map(\.name)
    let bySize = definition.pairs.compactMap { pair in
      rows.first { $0.target == pair.target }.map { first in
        [decimal(first.parameters, 3)]
          + names.map { name in
            rows.first { $0.target == pair.target && $0.accelerator == name }
              .map { decimal($0.speedup, 4) } ?? ""
          }
      }
    }
    try AtomicFile.write(
      Data(([["parameters"] + names] + bySize).map(CSV.line).joined().utf8),
      to: "\(folder)/speedup.csv")
    let largest = try definition.pairs.last.map { (try model($0.target), try model($0.draft)) }
    let byBatch = (0...10).map { 1 << $0 }.map { batch in
      ["\(batch)"]
        + definition.accelerators.map { accelerator in
          largest.map { target, draft in
            decimal(
              roofline(accelerator, overhead: definition.overhead).best(
                target: target, draft: draft, acceptance: acceptance ?? definition.acceptance,
                batch: batch
              ).speedup, 4)
          } ?? ""
        }
    }
    try AtomicFile.write(
      Data(([["batch"] + names] + byBatch).map(CSV.line).joined().utf8), to: "\(folder)/batch.csv")
    func curves(_ file: String) -> String {
      names.indices.map {
        "'\(file).csv' using 1:\($0 + 2) with linespoints pt 7 lw 1.5 title "
          + GnuplotPicture.quoted(names[$0])
      }.joined(separator: ", ")
    }
    let style = """
      set logscale x 2
      set yrange [0:*]
      set ylabel 'speedup with the best draft length'
      set key outside bottom center horizontal noenhanced height 0.7
      """
    let pictures = [
      (
        GnuplotPicture(
          folder: folder, name: "speedup",
          settings: style + "\nset xlabel 'billions of parameters of the target'",
          plot: curves("speedup")), "Speedup by the target's size"
      ),
      (
        GnuplotPicture(
          folder: folder, name: "batch", settings: style + "\nset xlabel 'sequences at once'",
          plot: curves("batch")),
        "Speedup by batch, \(largest?.0.name ?? "")"
      ),
    ]
    var problems: [String] = []
    var sections = [
      ReportPage.Section(
        "What is assumed",
        text: "Acceptance \(acceptance ?? definition.acceptance)"
          + (source.map { " (measured in \($0))" } ?? "")
          + ", each token as likely as the one before it; \(definition.context) tokens in the "
          + "cache; \(decimal(definition.bytesPerWeight, 1)) bytes a weight; kernels reach "
          + "\(decimal(definition.bandwidthShare * 100, 0)) % of the bandwidth and "
          + "\(decimal(definition.computeShare * 100, 0)) % of the arithmetic.",
        table: ReportPage.Table(
          columns: ["accelerator", "tera-operations/s", "GB/s", "GB", "source"],
          rows: definition.accelerators.map {
            [$0.name, "\($0.arithmetic)", "\($0.bandwidth)", "\($0.memory)", $0.source]
          }))
    ]
    for (picture, title) in pictures {
      if let problem = picture.draw() {
        problems.append(problem)
      } else {
        sections.append(ReportPage.Section(title, figure: RunReport.dataURL(of: picture)))
      }
    }
    sections += [
      ReportPage.Section(
        "Every pair", table: ReportPage.Table(columns: columns, rows: cells),
        command: command.joined(separator: " ")),
      ReportPage.Section(
        "Against published figures",
        text: "With the published τ, the time of a step by the roofline alone and with "
          + "\(decimal(definition.publishedOverhead, 0)) µs a layer.",
        table: ReportPage.Table(columns: checkColumns, rows: checkCells)),
    ]
    let page = ReportPage(
      title: "Scaling", subtitle: "A model, not a measurement", sections: sections, conditions: [])
    try AtomicFile.write(Data(try page.html().utf8), to: "\(folder)/index.html")
    return problems
  }
}
