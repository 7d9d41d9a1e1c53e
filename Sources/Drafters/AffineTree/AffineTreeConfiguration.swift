import Foundation
import ModelFiles
import Speculation

/// All that a YAML file of the affine-aligned draft tree can say; what it leaves out keeps its
/// default.
///
///     tree:
///       strategy: top-k              # top-p, beam, diverse-beam
///       max_candidates: 5            # children of a node
///       max_depth: 4
///       max_paths_per_level: 4       # nodes of a level that get children
///       temperature: 0.8             # of draws; with top_k and top_p
///       top_k: 50
///       top_p: 0.9
///       diversity: 0.5               # of diverse-beam
///     alignment: alignment.safetensors
///     predictor: predictor.safetensors
///     pruning:
///       strategy: expected-gain      # threshold, ratio, per-level, top-k-paths, none
///       threshold: 0.1
///       ratio: 0.5
///       per_level: 3
///       paths: 3
///       adaptive: true
public struct AffineTreeConfiguration: Codable, Sendable, Equatable {
  public var tree = Tree()
  /// The file of the affine map from the draft model's states to the target's; empty: none. A
  /// relative path is one from the configuration's folder.
  public var alignment = ""
  /// The file of the acceptance predictor; empty: the draft model's probabilities are the scores.
  public var predictor = ""
  public var pruning = PruningConfiguration()

  /// How the draft model grows trees.
  public struct Tree: Codable, Sendable, Equatable {
    public var strategy = LevelExpansion.Strategy.topK
    public var maxCandidates = 5
    public var maxDepth = 4
    public var maxPathsPerLevel = 4
    /// Of the distribution that proposals are drawn from, where the acceptance rule wants draws.
    public var temperature = 0.8
    public var topK = 50
    /// The share of the probability that draws are made from, and with the strategy top-p that of
    /// a node's children.
    public var topP = 0.9
    public var diversity = 0.5

    private enum CodingKeys: String, CodingKey {
      case strategy
      case maxCandidates = "max_candidates"
      case maxDepth = "max_depth"
      case maxPathsPerLevel = "max_paths_per_level"
      case temperature
      case topK = "top_k"
      case topP = "top_p"
      case diversity
    }

    public init() {}

    var shape: DraftShape {
      .levels(
        LevelExpansion(
          strategy: strategy, candidates: maxCandidates, paths: maxPathsPerLevel, topP: topP,
          diversity: diversity))
    }
  }

  public init() {}

  /// Reads a file. The paths in it begin in its folder.
  /// - Throws: `ModelFileError`, naming file and field; `SpeculationError.invalidSetting` for a
  ///   value out of range.
  public init(path: String) throws {
    self = try YAMLSettings.read(AffineTreeConfiguration(), path: path)
      .resolved(in: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    try check()
  }

  /// The same with the paths of files made absolute.
  private func resolved(in folder: String) -> AffineTreeConfiguration {
    func path(_ name: String) -> String {
      guard !name.isEmpty else { return name }
      return URL(fileURLWithPath: name, relativeTo: URL(fileURLWithPath: folder, isDirectory: true))
        .path
    }
    var result = self
    (result.alignment, result.predictor) = (path(alignment), path(predictor))
    return result
  }

  /// - Throws: `SpeculationError.invalidSetting`, naming the first setting that makes no sense.
  public func check() throws {
    func demand(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws {
      guard holds else {
        throw SpeculationError.invalidSetting(
          name: name, expected: expected, found: "\(found)")
      }
    }
    func demand(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws {
      try demand(
        range.contains(value), name, "\(range.lowerBound) to \(range.upperBound)", value)
    }
    try demand(tree.maxCandidates, 1...64, "tree.max_candidates")
    try demand(tree.maxDepth, 1...64, "tree.max_depth")
    try demand(tree.maxPathsPerLevel, 1...64, "tree.max_paths_per_level")
    try demand(
      tree.temperature > 0 && tree.temperature <= 10, "tree.temperature", "above 0, at most 10",
      tree.temperature)
    try demand(tree.topK, 0...1_000_000, "tree.top_k")
    try demand(tree.topP > 0 && tree.topP <= 1, "tree.top_p", "above 0, at most 1", tree.topP)
    try demand((0...10).contains(tree.diversity), "tree.diversity", "0 to 10", tree.diversity)
    try demand(
      (0...1).contains(pruning.threshold), "pruning.threshold", "0 to 1", pruning.threshold)
    try demand(
      (0..<1).contains(pruning.ratio), "pruning.ratio", "at least 0, below 1", pruning.ratio)
    try demand(pruning.perLevel, 1...1024, "pruning.per_level")
    try demand(pruning.paths, 1...1024, "pruning.paths")
  }
}

/// Which nodes of a tree are verified.
public struct PruningConfiguration: Codable, Sendable, Equatable {
  public enum Strategy: String, Codable, Sendable, CaseIterable {
    /// Those whose expected tokens are worth their rows of the target's pass, by the controller's
    /// V(k). With a fixed draft length there is no controller, and all are.
    case expectedGain = "expected-gain"
    /// Those with a path score of at least `threshold`.
    case threshold
    /// The best but for the share `ratio`.
    case ratio
    /// The best of each level.
    case perLevel = "per-level"
    /// Those on the best paths.
    case topKPaths = "top-k-paths"
    /// All.
    case none
    /// Those that will be accepted: an upper bound, for experiments that know the output.
    case oracle
  }

  public var strategy = Strategy.expectedGain
  public var threshold = 0.1
  /// The share of the nodes that is left out.
  public var ratio = 0.5
  public var perLevel = 3
  public var paths = 3
  /// Whether more is pruned while little is accepted, and less while much is.
  public var adaptive = true

  private enum CodingKeys: String, CodingKey {
    case strategy, threshold, ratio
    case perLevel = "per_level"
    case paths, adaptive
  }

  public init() {}
}
