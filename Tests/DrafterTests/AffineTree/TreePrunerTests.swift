import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

/// Two children of the root with two children each: path scores 0.8, 0.15; 0.4, 0.24; 0.09, 0.03.
private let tree: DraftTree = {
  var tree = DraftTree()
  let first = tree.add(1, score: 0.8, source: "test")
  let second = tree.add(2, score: 0.15, source: "test")
  tree.add(3, under: first, score: 0.5, source: "test")
  tree.add(4, under: first, score: 0.3, source: "test")
  tree.add(5, under: second, score: 0.6, source: "test")
  tree.add(6, under: second, score: 0.2, source: "test")
  return tree
}()

private func kept(
  _ strategy: PruningConfiguration.Strategy, rest: [Int32] = [],
  _ adjust: (inout PruningConfiguration) -> Void = { _ in }
) -> [Int32] {
  var configuration = PruningConfiguration()
  configuration.strategy = strategy
  adjust(&configuration)
  let pruner = TreePruner(configuration)
  return tree.keeping(pruner.kept(of: tree, rest: rest[...])).tokens
}

@Suite struct TreePrunerTests {
  @Test("a threshold keeps the nodes whose path score reaches it")
  func threshold() {
    #expect(kept(.threshold) { $0.threshold = 0.1 } == [1, 2, 3, 4])
    #expect(kept(.threshold) { $0.threshold = 0.3 } == [1, 3])
    #expect(kept(.threshold) { $0.threshold = 0 } == tree.tokens)
  }

  @Test("a ratio leaves out that share, the worst by path score")
  func ratio() {
    #expect(kept(.ratio) { $0.ratio = 0.5 } == [1, 3, 4])
    #expect(kept(.ratio) { $0.ratio = 0.7 } == [1, 3])
    #expect(kept(.ratio) { $0.ratio = 0 } == tree.tokens)
  }

  @Test("levels are pruned each by itself, and a node goes with its parent")
  func levels() {
    #expect(kept(.perLevel) { $0.perLevel = 2 } == [1, 2, 3, 4])
    #expect(kept(.perLevel) { $0.perLevel = 1 } == [1, 3])
  }

  @Test("the best paths are kept whole")
  func paths() {
    #expect(kept(.topKPaths) { $0.paths = 1 } == [1, 3])
    #expect(kept(.topKPaths) { $0.paths = 3 } == [1, 2, 3, 4, 5])
  }

  @Test("expected gain leaves the choice to the controller; none prunes nothing")
  func everything() {
    #expect(kept(.expectedGain) == tree.tokens)
    #expect(kept(.none) == tree.tokens)
  }

  @Test("the oracle keeps what will come, and nothing else")
  func oracle() {
    #expect(kept(.oracle, rest: [2, 5, 9]) == [2, 5])
    #expect(kept(.oracle, rest: [7]) == [])
  }

  @Test("drawn tokens are pruned level by level, so that no draw decides about itself")
  func drawn() {
    let q = Distribution(weights: [1, 1, 1, 1])
    var drawn = DraftTree()
    let parent = drawn.add(0, proposal: .sampled(q), score: 0.9, source: "test")
    drawn.add(1, proposal: .sampled(q), score: 0.3, source: "test")
    drawn.add(2, under: parent, proposal: .sampled(q), score: 0.8, source: "test")
    drawn.add(3, under: parent, proposal: .sampled(q), score: 0.7, source: "test")
    var configuration = PruningConfiguration()
    configuration.strategy = .ratio
    configuration.ratio = 0.5
    // Of all four, the two best would be 0 and 2: of each level one is kept.
    #expect(TreePruner(configuration).kept(of: drawn) == [true, false, true, false])
    configuration.strategy = .topKPaths
    configuration.paths = 1
    #expect(TreePruner(configuration).kept(of: drawn) == [true, false, true, false])
  }

  @Test("while little is accepted more is pruned, while much is, less; a fixed one stays")
  func adapts() {
    func pruner(adaptive: Bool) -> TreePruner {
      var configuration = PruningConfiguration()
      configuration.strategy = .threshold
      configuration.adaptive = adaptive
      return TreePruner(configuration)
    }
    var (poor, good, fixed) = (
      pruner(adaptive: true), pruner(adaptive: true), pruner(adaptive: false)
    )
    for _ in 0..<60 {
      poor.record(held: 0, missed: true)
      good.record(held: 4, missed: false)
      fixed.record(held: 0, missed: true)
    }
    #expect(poor.acceptance < 0.1 && good.acceptance > 0.9)
    #expect(poor.threshold > 0.25 && good.threshold < 0.04)
    #expect(poor.ratio > 0.7 && good.ratio < 0.3)
    #expect(poor.perLevel < 3 && good.perLevel > 3)
    #expect(fixed.threshold == 0.1)
    // Ordinary acceptance brings the configured setting back.
    for _ in 0..<60 { poor.record(held: 1, missed: true) }
    #expect(poor.threshold == 0.1)
  }
}
