import Drafters
import Nunchi

/// One way of growing and pruning the affine-aligned draft tree that the experiment compares.
public struct AffineTreeVariant: Sendable {
  /// What a variant is there to show.
  public enum Group: String, Sendable, Codable, CaseIterable {
    /// Depth by candidates, with all parts, under the controller.
    case shape
    /// The share that is pruned, fixed or adaptive.
    case ratio
    /// The parts left out one by one, other ways of pruning, and the bounds.
    case parts
    /// The same draft model as a chain.
    case chain
  }

  public var name: String
  public var group: Group
  /// nil for a chain, which the draft-model drafter drafts.
  public var configuration: AffineTreeConfiguration?
  /// nil leaves it to the controller.
  public var draftLength: Int?

  /// All variants of the experiment.
  /// - Parameters:
  ///   - base: the tree with its alignment and predictor.
  ///   - unaligned: a predictor that sees the draft model's own states; nil leaves out the variant
  ///     without alignment.
  public static func all(
    base: AffineTreeConfiguration, unaligned: String? = nil
  ) -> [AffineTreeVariant] {
    var variants: [AffineTreeVariant] = []
    func add(
      _ name: String, _ group: Group, length: Int? = nil,
      _ adjust: (inout AffineTreeConfiguration) -> Void
    ) {
      var configuration = base
      adjust(&configuration)
      variants.append(
        AffineTreeVariant(
          name: name, group: group, configuration: configuration, draftLength: length))
    }
    let depth = base.tree.maxDepth
    for depth in [2, 3, 4] {
      for candidates in [3, 5, 7] {
        add("depth \(depth), \(candidates) candidates", .shape) {
          ($0.tree.maxDepth, $0.tree.maxCandidates) = (depth, candidates)
          $0.pruning.strategy = .expectedGain
        }
      }
    }
    for ratio in [0.3, 0.5, 0.7] {
      for adaptive in [false, true] {
        add("\(adaptive ? "adaptive" : "fixed") ratio \(ratio)", .ratio, length: depth) {
          ($0.pruning.strategy, $0.pruning.ratio, $0.pruning.adaptive) = (.ratio, ratio, adaptive)
        }
      }
    }
    add("expected gain", .parts) { $0.pruning.strategy = .expectedGain }
    if let unaligned {
      add("without alignment", .parts) {
        ($0.alignment, $0.predictor, $0.pruning.strategy) = ("", unaligned, .expectedGain)
      }
    }
    add("without predictor", .parts) {
      ($0.alignment, $0.predictor, $0.pruning.strategy) = ("", "", .expectedGain)
    }
    for (name, strategy) in [
      ("threshold", PruningConfiguration.Strategy.threshold), ("per level", .perLevel),
      ("top-k paths", .topKPaths), ("unpruned", .none), ("oracle", .oracle),
    ] {
      add(name, .parts, length: depth) { $0.pruning.strategy = strategy }
    }
    for length in [1, 2, 3, 4] {
      variants.append(
        AffineTreeVariant(
          name: "chain of \(length)", group: .chain, configuration: nil, draftLength: length))
    }
    variants.append(
      AffineTreeVariant(
        name: "chain, controlled", group: .chain, configuration: nil, draftLength: nil))
    return variants
  }
}
