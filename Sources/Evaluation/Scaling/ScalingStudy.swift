import Foundation
import ModelFiles

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
    /// How many sequences fit beside the weights.
    public var largestBatch: Int
    /// The batch at which speculation stops to pay; nil where it pays with all that fit.
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
        let memory = roofline.memory(target: target, draft: draft)
        return Row(
          accelerator: accelerator.name, target: target.name, draft: draft.name,
          parameters: target.parameters,
          plainTokensPerSecond: 1 / roofline.seconds(target, rows: 1),
          bestDraftLength: best.length,
          acceptanceLength: Roofline.acceptanceLength(acceptance, length: best.length),
          speedup: best.speedup, memory: memory, fits: memory <= accelerator.memory,
          largestBatch: roofline.largestBatch(target: target, draft: draft),
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

  /// The speedup with the best draft length by the number of sequences, on each accelerator by its
  /// name, as far as its memory goes.
  func speedups(
    of pair: Definition.Pair, acceptance: Double
  ) throws -> [String: [(batch: Int, speedup: Double)]] {
    let (target, draft) = (try model(pair.target), try model(pair.draft))
    return Dictionary(
      definition.accelerators.map { accelerator in
        let roofline = roofline(accelerator, overhead: definition.overhead)
        return (
          accelerator.name,
          roofline.batches(target: target, draft: draft).map { batch in
            (
              batch,
              roofline.best(target: target, draft: draft, acceptance: acceptance, batch: batch)
                .speedup
            )
          }
        )
      }, uniquingKeysWith: { first, _ in first })
  }

  /// Writes tables, plots and a page.
  /// - Returns: why there are plots missing, a line each.
  public func write(
    to folder: String, acceptance: Double? = nil, source: String? = nil, command: [String],
    language: ReportLanguage = .en
  ) throws -> [String] {
    try ScalingReport(
      study: self, acceptance: acceptance ?? definition.acceptance, source: source,
      folder: folder, command: command, language: language
    ).write()
  }
}
