import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Synchronization
import Testing

private let prompt: [Int32] = [3, 1, 4, 1, 5]
private let model = TableModel(vocabularySize: 10, seed: 3, sharpness: 2)

/// Shows the caches that it makes.
private final class SpyModel: LanguageModel {
  private struct Made: @unchecked Sendable { var caches: [TableCache] = [] }

  let base: TableModel
  private let made = Mutex(Made())

  init(_ base: TableModel) { self.base = base }

  var cache: TableCache? { made.withLock { $0.caches.last } }
  var vocabularySize: Int { base.vocabularySize }
  var hiddenSize: Int { base.hiddenSize }
  var contextLength: Int { base.contextLength }
  var layerCount: Int { base.layerCount }

  func makeCache(capacity: Int) throws -> TableCache {
    let made = Made(caches: [try base.makeCache(capacity: capacity)])
    self.made.withLock { $0 = made }
    return made.caches[0]
  }

  func forward(
    _ sequences: [SequenceRows<TableCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    try base.forward(sequences, options: options)
  }
}

/// A path of tokens with the product of their probabilities.
private struct Path: Hashable {
  var tokens: [Int32]
  var probability: Double
}

/// The `count` most probable continuations of a path, best first.
private func children(of path: Path, _ count: Int) throws -> [Path] {
  let text = prompt + path.tokens
  var logits = model.logits(after: text)
  let q = try logits.withUnsafeMutableBufferPointer {
    try Sampler(SamplingParameters(temperature: 1)).distribution(logits: $0, context: text)
  }
  return (0..<Int32(10)).map {
    Path(tokens: path.tokens + [$0], probability: path.probability * q[$0])
  }.sorted { $0.probability > $1.probability }.prefix(count).map { $0 }
}

private let root = Path(tokens: [], probability: 1)

private func best(_ count: Int, _ paths: [Path]) -> [Path] {
  Array(paths.sorted { $0.probability > $1.probability }.prefix(count))
}

private func draft(
  _ configuration: DraftModelConfiguration, nodes: Int, depth: Int = 64,
  style: ProposalStyle = .matching, sampling: SamplingParameters = .greedy,
  minimumPathProbability: Double = 0
) throws -> (tree: DraftTree, passes: Int) {
  let spy = SpyModel(model)
  let drafter = try DraftModelDrafter(model: spy, capacity: 512, configuration: configuration)
  try drafter.begin(prompt: prompt)
  let before = spy.cache?.passes ?? 0
  let tree = try drafter.draft(
    after: DraftContext(
      tokens: prompt, vocabularySize: 10, sampler: Sampler(sampling),
      chance: KeyedRandom(seed: 1), style: style,
      minimumPathProbability: minimumPathProbability),
    budget: DraftBudget(nodes: nodes, depth: depth))
  #expect(tree._checkInvariants() == nil && spy.cache?.misuses == [])
  return (tree, (spy.cache?.passes ?? 0) - before)
}

/// A tree's nodes as paths of tokens.
private func paths(_ tree: DraftTree) -> Set<[Int32]> {
  var all: [[Int32]] = []
  for node in 0..<tree.count {
    let parent = tree.parents[node]
    all.append((parent == DraftTree.root ? [] : all[parent]) + [tree.tokens[node]])
  }
  return Set(all)
}

@Suite struct DraftModelTreeTests {
  @Test("without a least gain, the optimal tree is the best one of all", arguments: [1, 2, 7, 20])
  func optimal(nodes: Int) throws {
    // The three best levels of everything: 10 + 100 + 1,000 nodes.
    let first = try children(of: root, 10)
    let second = try first.flatMap { try children(of: $0, 10) }
    let third = try second.flatMap { try children(of: $0, 10) }
    let (tree, passes) = try draft(
      .init(shape: .optimal(minimumGain: 0), length: 3), nodes: nodes)
    #expect(paths(tree) == Set(best(nodes, first + second + third).map(\.tokens)))
    #expect(passes <= 3)
  }

  @Test("the optimal tree ends with the level that adds too little")
  func minimumGain() throws {
    for gain in [0.05, 0.2, 0.5, 0.9] {
      var candidates = try children(of: root, 8)
      var kept = best(8, candidates)
      var levels = 1
      var sum = 0.0
      func total(_ paths: [Path]) -> Double { paths.reduce(0) { $0 + $1.probability } }
      while total(kept) - sum >= gain && levels < 6 {
        sum = total(kept)
        let last = kept.filter { $0.tokens.count == levels }
        guard !last.isEmpty else { break }
        candidates += try last.flatMap { try children(of: $0, 8) }
        kept = best(8, candidates)
        levels += 1
      }
      let (tree, passes) = try draft(
        .init(shape: .optimal(minimumGain: gain), length: 6), nodes: 8)
      #expect(paths(tree) == Set(kept.map(\.tokens)))
      #expect(passes == levels)
    }
  }

  @Test("the dynamic tree follows EAGLE-2's rule", arguments: [1, 2, 3, 4])
  func dynamic(topK: Int) throws {
    for nodes in [5, 12, 100] {
      var level = try children(of: root, topK)
      var all = level
      for _ in 2...4 {
        level = best(topK, try best(topK, level).flatMap { try children(of: $0, topK) })
        // Children that do not grow further are candidates too.
        let parents = best(topK, all.filter { $0.tokens.count == level[0].tokens.count - 1 })
        all += try parents.flatMap { try children(of: $0, topK) }
      }
      let (tree, passes) = try draft(.init(shape: .dynamic(topK: topK), length: 4), nodes: nodes)
      #expect(paths(tree) == Set(best(nodes, all).map(\.tokens)))
      #expect(passes <= 4 && (nodes < 100 || passes == 4))
    }
  }

  @Test("a static tree has the shape given, with the most probable tokens by rank")
  func fixed() throws {
    let (wide, passes) = try draft(.init(shape: .widths([4, 2, 1])), nodes: 64)
    #expect(wide.count == 20 && wide.depth == 3 && passes == 3)
    #expect(wide.children(of: DraftTree.root).count == 4)
    let chosen = [[0], [1], [0, 0], [0, 1], [1, 0], [0, 1, 0]]
    let (tree, _) = try draft(.init(shape: .paths(chosen)), nodes: 64)
    let expected = try chosen.map { ranks in
      try ranks.reduce(root) { try children(of: $0, 10)[$1] }
    }
    #expect(paths(tree) == Set(expected.map(\.tokens)))
    // In a budget too small, the most probable nodes stay.
    let (small, _) = try draft(.init(shape: .paths(chosen)), nodes: 3)
    #expect(paths(small) == Set(best(3, expected).map(\.tokens)))
    #expect(try draft(.init(shape: .widths([4, 2, 1])), nodes: 64, depth: 2).tree.depth == 2)
  }

  @Test("scores are the draft model's probabilities, and improbable paths are left out")
  func scores() throws {
    for shape in [DraftShape.chain, .dynamic(topK: 3), .optimal(), .widths([3, 3, 3])] {
      for minimum in [0, 0.05, 0.2] {
        let (tree, _) = try draft(.init(shape: shape), nodes: 32, minimumPathProbability: minimum)
        var found: [Path] = []
        for node in 0..<tree.count {
          let above = tree.parents[node]
          let path = above == DraftTree.root ? root : found[above]
          let child = try #require(
            try children(of: path, 10).first { $0.tokens.last == tree.tokens[node] })
          #expect(abs(tree.scores[node] - child.probability / path.probability) < 1e-6)
          #expect(child.probability >= minimum - 1e-6)
          found.append(child)
        }
      }
    }
  }

  @Test("drawn trees take one pass a level, and places do not depend on the tokens drawn")
  func drawn() throws {
    let shape = DraftShape.widths([3, 2])
    for replacement in [false, true] {
      let (tree, passes) = try draft(
        .init(shape: shape, drawsWithReplacement: replacement), nodes: 64, style: .sampled,
        sampling: SamplingParameters(temperature: 1))
      #expect(passes == 2)
      let siblings = tree.children(of: DraftTree.root)
      #expect(siblings.count == 3)
      guard case .sampled(let q) = tree.proposals[siblings[0]] else {
        Issue.record("no q is recorded")
        return
      }
      for (rank, node) in siblings.enumerated() {
        let before = siblings.prefix(rank).map { tree.tokens[$0] }
        let expected = replacement ? q : try #require(q.without(before))
        guard case .sampled(let recorded) = tree.proposals[node] else { continue }
        #expect(
          zip(recorded.probabilities, expected.probabilities).allSatisfy {
            abs($0 - $1) < 1e-12
          })
        #expect(tree.scores[node] == q.mostProbable(3)[rank].probability)
      }
    }
  }

  @Test("with a seed, the candidates are what the target would draw first")
  func matching() throws {
    let sampling = try SamplingParameters(temperature: 1)
    let (tree, _) = try draft(
      .init(shape: .widths([3])), nodes: 8, sampling: sampling)
    var logits = model.logits(after: prompt)
    let q = try logits.withUnsafeMutableBufferPointer {
      try Sampler(sampling).distribution(logits: $0, context: prompt)
    }
    let race = KeyedRandom(seed: 1).race(position: prompt.count, stream: .target, draw: 0)
    #expect(tree.tokens == race?.first(3, of: q).map(\.token))
    #expect(tree.scores == tree.scores.sorted(by: >) && tree.foreseesDraws)
    #expect(tree.proposals.allSatisfy { $0 == .deterministic })
    #expect(tree.scores.reduce(0, +) <= 1 + 1e-12)
  }

  @Test(
    "every shape gives the plain output, and its cache is never wrong",
    arguments: [
      DraftShape.chain, .dynamic(topK: 1), .dynamic(topK: 3), .optimal(), .optimal(minimumGain: 0),
      .widths([3, 2, 1]), .paths([[0], [1], [0, 0], [0, 0, 0]]),
    ])
  func identity(shape: DraftShape) throws {
    let target = TableModel(vocabularySize: 16, seed: 5, order: 3)
    for sampling in [
      .greedy, try SamplingParameters(temperature: 0.5, seed: 2),
      try SamplingParameters(temperature: 1, topK: 5, repetitionPenalty: 1.3, seed: 3),
    ] {
      for (depth, capacity) in [(1, 512), (3, 512), (6, 512), (6, 30)] {
        let spy = SpyModel(target.noisy(0.8, contextLength: capacity))
        let drafter = try DraftModelDrafter(
          model: spy, capacity: 512, configuration: .init(shape: shape))
        let setup = GenerationSetup(
          drafter: drafter, draftLength: .fixed(depth), draftNodes: 12, sampling: sampling,
          limits: GenerationLimits(maxTokens: 60))
        #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
        #expect(spy.cache?.misuses == [])
      }
    }
  }

  @Test("what is accepted of a tree is not computed again")
  func reuse() throws {
    let spy = SpyModel(model)
    let drafter = try DraftModelDrafter(
      model: spy, capacity: 512, configuration: .init(shape: .dynamic(topK: 2), length: 4))
    let generator = try SpeculativeGenerator(target: model, capacity: 512)
    let setup = GenerationSetup(
      drafter: drafter, draftLength: .fixed(4), limits: GenerationLimits(maxTokens: 40))
    try generator.begin(prompt: prompt, setup: setup)
    _ = try generator.next()
    while try generator.next() != nil {
      // The model agrees with itself: all but the last drafted token and the bonus token, which
      // the next draft computes, are in its cache.
      guard let cache = spy.cache, generator.finishReason == nil else { continue }
      #expect(cache.pendingCount == 0)
      #expect(cache.tokens == Array(generator.tokens.prefix(cache.count)))
      #expect(cache.count == generator.tokens.count - 2)
    }
    #expect(SpeculationStatistics(generator.traces).acceptanceLength > 4)
  }

  @Test("tokens that others drafted are caught up with in one pass")
  func othersTokens() throws {
    let sequence = prompt + [1, 2, 3, 4, 5, 6]
    let spy = SpyModel(model)
    let drafter = try DraftModelDrafter(
      model: spy, capacity: 512, configuration: .init(shape: .dynamic(topK: 2), length: 2))
    try drafter.begin(prompt: prompt)
    func context(_ count: Int) -> DraftContext {
      DraftContext(
        tokens: Array(sequence.prefix(count)), vocabularySize: 10, sampler: Sampler(.greedy),
        chance: KeyedRandom(seed: 1), style: .matching)
    }
    let budget = DraftBudget(nodes: 8, depth: 2)
    _ = try drafter.draft(after: context(prompt.count), budget: budget)
    let cache = try #require(spy.cache)
    let before = cache.passes
    let nothing = ForwardOutput(
      logits: FloatRows(base: UnsafeMutablePointer(bitPattern: 8)!, rows: 0, columns: 0))
    try drafter.commit(
      Array(sequence.dropFirst(prompt.count)), states: TargetStates(output: nothing, rows: []))
    #expect(cache.passes == before && cache.pendingCount == 0)
    _ = try drafter.draft(after: context(sequence.count), budget: budget)
    #expect(cache.passes == before + 2 && cache.tokens == sequence && cache.misuses == [])
  }

  @Test("shapes are read from text, and impossible ones refused")
  func parsing() throws {
    #expect(try DraftShape(parsing: "chain") == .chain)
    #expect(try DraftShape(parsing: "dynamic") == .dynamic())
    #expect(try DraftShape(parsing: "opt") == .optimal())
    #expect(try DraftShape(parsing: "4,2,1") == .widths([4, 2, 1]))
    for text in ["", "bush", "4,", "4,0", "4,-1", "1000,1000", "9999999999999999999"] {
      #expect(throws: SpeculationError.self) { try DraftShape(parsing: text) }
    }
    for shape in [
      DraftShape.dynamic(topK: 0), .optimal(minimumGain: -1), .optimal(minimumGain: .nan),
      .widths([]), .paths([]), .paths([[1]]), .paths([[0], [0, 0, 0]]), .paths([[0], [0]]),
      .widths([.max, .max]), .paths([[]]), .paths([[-1]]),
    ] {
      #expect(throws: SpeculationError.self) {
        try DraftModelDrafter(model: model, capacity: 8, configuration: .init(shape: shape))
      }
    }
  }
}
