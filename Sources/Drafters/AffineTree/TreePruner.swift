import Foundation
import Speculation

/// Chooses which nodes of a draft tree are verified, and follows how much is accepted.
///
/// A node's path score is the product of the scores from the root down, none of which looks at the
/// node's own token. Where tokens are drawn, what is kept must not depend on them, nor on anything
/// that comes after them: then each level is judged by itself.
struct TreePruner {
  let configuration: PruningConfiguration
  /// How often a level of the draft held the token that came; the more recent, the heavier.
  private(set) var acceptance = 0.5
  /// From -1, prune little, to 1, prune much.
  private(set) var pressure = 0.0

  /// Below and above these rates of acceptance more and less is pruned.
  private static let few = 0.3
  private static let many = 0.7
  private static let step = 0.05
  /// The weight of one more level.
  private static let weight = 1.0 / 16

  init(_ configuration: PruningConfiguration) {
    self.configuration = configuration
  }

  // MARK: - Adapting

  /// Takes note of what became of the levels of a draft.
  /// - Parameters:
  ///   - held: levels that had the target's token.
  ///   - missed: whether a level did not have it.
  mutating func record(held: Int, missed: Bool) {
    for _ in 0..<held { acceptance += Self.weight * (1 - acceptance) }
    if missed { acceptance -= Self.weight * acceptance }
    guard configuration.adaptive else { return }
    if acceptance < Self.few {
      pressure = min(1, pressure + Self.step)
    } else if acceptance > Self.many {
      pressure = max(-1, pressure - Self.step)
    } else {
      pressure -= max(-Self.step, min(Self.step, pressure))
    }
  }

  var threshold: Double { min(0.9, configuration.threshold * pow(3, pressure)) }
  var ratio: Double { max(0, min(0.95, configuration.ratio + 0.25 * pressure)) }
  var perLevel: Int { adapted(configuration.perLevel) }
  var paths: Int { adapted(configuration.paths) }

  private func adapted(_ count: Int) -> Int {
    max(1, Int((Double(count) * pow(2, -pressure)).rounded()))
  }

  /// The setting in force, for the trace; nil for a strategy without one.
  var setting: Double? {
    switch configuration.strategy {
    case .threshold: threshold
    case .ratio: ratio
    case .perLevel: Double(perLevel)
    case .topKPaths: Double(paths)
    case .expectedGain, .none, .oracle: nil
    }
  }

  // MARK: - Pruning

  /// For each node whether it is to be verified; one whose parent is not, is not either.
  /// - Parameter rest: the tokens that will follow, where they are known.
  func kept(of tree: DraftTree, rest: ArraySlice<Int32> = []) -> [Bool] {
    var scores: [Double] = []
    for node in 0..<tree.count {
      let parent = tree.parents[node]
      scores.append((parent == DraftTree.root ? 1 : scores[parent]) * tree.scores[node])
    }
    func best(_ count: Int, of nodes: [Int]) -> Set<Int> {
      Set(nodes.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(count))
    }
    let levels = (1...max(1, tree.depth)).map { depth in
      (0..<tree.count).filter { tree.depths[$0] == depth }
    }
    let draws = tree.proposals.contains { $0 != .deterministic }
    let chosen: Set<Int>
    switch configuration.strategy {
    case .expectedGain, .none:
      return [Bool](repeating: true, count: tree.count)
    case .threshold:
      chosen = Set((0..<tree.count).filter { scores[$0] >= threshold })
    case .ratio where !draws:
      chosen = best(Self.kept(of: tree.count, ratio), of: Array(0..<tree.count))
    case .ratio:
      chosen = levels.reduce(into: []) {
        $0.formUnion(best(Self.kept(of: $1.count, ratio), of: $1))
      }
    case .topKPaths where !draws:
      chosen = self.paths(tree, best(paths, of: Self.leaves(of: tree)))
    case .perLevel, .topKPaths:
      let count = configuration.strategy == .perLevel ? perLevel : paths
      chosen = levels.reduce(into: []) { $0.formUnion(best(count, of: $1)) }
    case .oracle:
      chosen = Self.path(tree, rest)
    }
    var kept: [Bool] = []
    for node in 0..<tree.count {
      let parent = tree.parents[node]
      kept.append(chosen.contains(node) && (parent == DraftTree.root || kept[parent]))
    }
    return kept
  }

  private static func kept(of count: Int, _ ratio: Double) -> Int {
    Int((Double(count) * (1 - ratio)).rounded(.up))
  }

  private static func leaves(of tree: DraftTree) -> [Int] {
    let parents = Set(tree.parents)
    return (0..<tree.count).filter { !parents.contains($0) }
  }

  /// Some nodes and all above them.
  private func paths(_ tree: DraftTree, _ ends: Set<Int>) -> Set<Int> {
    var all: Set<Int> = []
    for end in ends {
      var node = end
      while node != DraftTree.root, all.insert(node).inserted { node = tree.parents[node] }
    }
    return all
  }

  /// The nodes that the tokens to come follow.
  private static func path(_ tree: DraftTree, _ rest: ArraySlice<Int32>) -> Set<Int> {
    var path: Set<Int> = []
    var node = DraftTree.root
    for token in rest {
      guard let next = tree.child(of: node, token: token) else { break }
      path.insert(next)
      node = next
    }
    return path
  }
}
