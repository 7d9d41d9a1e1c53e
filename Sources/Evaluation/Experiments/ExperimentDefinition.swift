import Drafters
import Foundation
import ModelFiles

/// What an experiment varies, as its YAML file says: every combination of the lists is measured.
///
///     name: draft-length
///     title: Draft length
///     x: n                          # what the plots have from left to right
///     by: nothing                   # or language, category: rows for each of them
///     targets: [SmolLM2-135M]
///     draft_models: []              # none
///     drafters: [prompt-lookup]     # a trained one with its folder: eagle=FOLDER
///     draft_trees: []               # the drafter's own
///     draft_lengths: [1, 2, 4, 8]   # none leaves it to the controller
///     prompt_lengths: []            # tokens of real text; none takes the questions as they are
///     max_tokens: [128]
///     temperatures: [0]
///     seed: 0
///     suite: multilingual/en
///     languages: []                 # of the suite; none takes all
///     per_category: 0               # the most of each category and language; 0 takes all
///     limit: 0                      # the most in all, the languages in turns; 0 takes all
///     repeats: 1
///     fresh: false                  # whether drafters begin anew at each question
public struct ExperimentDefinition: Codable, Sendable, Equatable {
  /// What a plot has from left to right.
  public enum Axis: String, Codable, Sendable, CaseIterable {
    case promptLength = "prompt_length"
    case maxTokens = "max_tokens"
    case draftLength = "n"
    case temperature, target, drafter, language, category
    case draftModel = "draft_model"
    case draftTree = "draft_tree"

    /// Whether its values are numbers.
    var isNumeric: Bool {
      switch self {
      case .promptLength, .maxTokens, .draftLength, .temperature: true
      default: false
      }
    }
  }

  /// What the rows of the table are divided by.
  public enum Grouping: String, Codable, Sendable, CaseIterable {
    case nothing, language, category
  }

  public var name = ""
  public var title = ""
  public var x = Axis.draftLength
  public var by = Grouping.nothing
  public var targets: [String] = []
  public var draftModels: [String] = []
  public var drafters = ["auto"]
  public var draftTrees: [String] = []
  public var draftLengths: [Int] = []
  public var promptLengths: [Int] = []
  public var maxTokens = [128]
  public var temperatures = [0.0]
  public var seed: UInt64 = 0
  public var suite = "multilingual/en"
  public var languages: [String] = []
  public var perCategory = 0
  public var limit = 0
  public var repeats = 1
  public var fresh = false

  private enum CodingKeys: String, CodingKey {
    case name, title, x, by, targets
    case draftModels = "draft_models"
    case drafters
    case draftTrees = "draft_trees"
    case draftLengths = "draft_lengths"
    case promptLengths = "prompt_lengths"
    case maxTokens = "max_tokens"
    case temperatures, seed, suite, languages
    case perCategory = "per_category"
    case limit, repeats, fresh
  }

  public init() {}

  /// - Parameter name: a file, or one of those that come with Nunchi.
  /// - Throws: `ModelFileError` or `EvaluationError`, naming file and field.
  public init(named name: String) throws {
    guard let path = Self.path(name) else {
      throw EvaluationError.field(
        path: name, field: "experiment",
        expected: "a YAML file, or one of "
          + (Self.shipped.isEmpty
            ? "those in \(ShippedFiles.name)" : Self.shipped.joined(separator: ", ")),
        found: "neither")
    }
    self = try YAMLSettings.read(ExperimentDefinition(), path: path)
    try check(path: path)
  }

  private static let folder = ShippedFiles.folder?.appendingPathComponent("Experiments")

  /// Names of those that come with Nunchi.
  public static var shipped: [String] {
    let names = folder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0.path) }
    return (names ?? []).filter { $0.hasSuffix(".yaml") && $0 != "scaling.yaml" }
      .map { String($0.dropLast(5)) }.sorted()
  }

  /// Of a file, or of one that comes with Nunchi: `size_comparison` is `size-comparison`.
  private static func path(_ name: String) -> String? {
    let shipped = "\(name.replacingOccurrences(of: "_", with: "-")).yaml"
    return [name, folder?.appendingPathComponent(shipped).path].compactMap { $0 }.first {
      FileManager.default.fileExists(atPath: $0)
        && ($0.hasSuffix(".yaml") || KeptInputs.isStream($0))
    }
  }

  /// - Throws: `EvaluationError.field`, naming the first setting that makes no sense.
  public func check(path: String) throws {
    func demand(_ holds: Bool, _ field: String, _ expected: String, _ found: String) throws {
      guard holds else {
        throw EvaluationError.field(path: path, field: field, expected: expected, found: found)
      }
    }
    try demand(!name.isEmpty, "name", "a name", "none")
    for (field, count) in [
      ("targets", targets.count), ("drafters", drafters.count), ("max_tokens", maxTokens.count),
      ("temperatures", temperatures.count),
    ] {
      try demand(count > 0, field, "at least one", "none")
    }
    for (field, values, range) in [
      ("draft_lengths", draftLengths, 0...128), ("prompt_lengths", promptLengths, 1...100_000),
      ("max_tokens", maxTokens, 1...100_000), ("per_category", [perCategory], 0...1_000_000),
      ("limit", [limit], 0...1_000_000), ("repeats", [repeats], 1...1000),
    ] {
      if let value = values.first(where: { !range.contains($0) }) {
        try demand(false, field, "\(range.lowerBound) to \(range.upperBound)", "\(value)")
      }
    }
    try demand(
      temperatures.allSatisfy { $0.isFinite && $0 >= 0 }, "temperatures", "numbers from 0 up",
      "\(temperatures)")
    try demand(
      !drafters.contains("none"), "drafters", "drafters; plain decoding is always measured", "none")
    for tree in draftTrees { _ = try DraftShape(parsing: tree) }
  }
}

/// One way of drafting in an experiment.
struct ExperimentArm: Equatable {
  var drafter: String
  var draftModel: String?
  var draftTree: String?
  /// nil leaves it to the controller.
  var draftLength: Int?

  /// The name of the benchmark's configuration: what differs, in words.
  var name: String {
    ([drafter] + [draftModel, draftTree, draftLength.map { "n=\($0)" }].compactMap { $0 })
      .joined(separator: " ")
  }
}

/// The conditions of one run of an experiment; its arms are measured in it in turns.
struct ExperimentCell: Equatable {
  var target: String
  var promptLength: Int?
  var maxTokens: Int
  var temperature: Double
}

extension ExperimentDefinition {
  /// What stands in a list, or nothing, once.
  private func choices<Value>(_ values: [Value]) -> [Value?] {
    values.isEmpty ? [nil] : values.map { $0 }
  }

  /// `by`, or the axis where that is a property of the questions.
  var grouping: Grouping { Grouping(rawValue: x.rawValue) ?? by }

  /// Whether it compares what drafted tokens cost with what they bring.
  var hasBreakEven: Bool { x == .draftModel || x == .target }

  var arms: [ExperimentArm] {
    var arms: [ExperimentArm] = []
    for model in choices(draftModels) {
      for drafter in drafters {
        for tree in choices(draftTrees) {
          for length in choices(draftLengths) {
            arms.append(
              ExperimentArm(
                drafter: drafter, draftModel: model, draftTree: tree, draftLength: length))
          }
        }
      }
    }
    return arms
  }

  var cells: [ExperimentCell] {
    var cells: [ExperimentCell] = []
    for target in targets {
      for temperature in temperatures {
        for prompt in choices(promptLengths) {
          for tokens in maxTokens {
            cells.append(
              ExperimentCell(
                target: target, promptLength: prompt, maxTokens: tokens, temperature: temperature))
          }
        }
      }
    }
    return cells
  }
}
