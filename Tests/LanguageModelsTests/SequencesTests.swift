import Testing

@testable import LanguageModels

/// A random tree: tokens and, for each row, its parent.
struct RandomTree {
  var tokens: [Int32]
  var parents: [Int32]

  /// - Parameter isChain: each row follows the one before it.
  init(rows: Int, isChain: Bool = false, using random: inout SplitMix) {
    tokens = (0..<rows).map { _ in Int32.random(in: 0..<96, using: &random) }
    parents = (0..<Int32(rows)).map { row in
      isChain ? row - 1 : Int32.random(in: -1..<row, using: &random)
    }
  }

  /// A chain of these tokens.
  init(tokens: [Int32]) {
    self.tokens = tokens
    parents = tokens.indices.map { Int32($0) - 1 }
  }

  /// The rows from the root down to `row`.
  func path(to row: Int) -> [Int] {
    var path = [row]
    while parents[path[0]] >= 0 { path.insert(Int(parents[path[0]]), at: 0) }
    return path
  }

  func rows(
    _ range: Range<Int>, cache: TransformerCache, extending: Bool
  ) -> SequenceRows<TransformerCache> {
    SequenceRows(
      cache: cache, tokens: Array(tokens[range]), parents: Array(parents[range]),
      extendsPending: extending)
  }
}

extension TransformerModel {
  /// A cache that holds `count` tokens.
  func cache(of count: Int, capacity: Int, seed: UInt64) throws -> TransformerCache {
    var random = SplitMix(state: seed)
    let cache = try makeCache(capacity: capacity)
    guard count > 0 else { return cache }
    let tokens = RandomTree(rows: count, isChain: true, using: &random).tokens
    _ = try forward(chain: tokens, cache: cache, logits: .none)
    cache.commit(path: Array(0..<count))
    return cache
  }
}

@Suite("Several sequences in one pass")
struct SequencesTests {
  private static let contexts = [17, 0, 40, 3, 64, 15, 31, 258]

  @Test(
    "Each gives the bits of a pass of its own, step after step",
    arguments: TinyModel.allCases, [1, 2, 4, 8])
  func alone(_ tiny: TinyModel, count: Int) throws {
    let model = try tiny.load()
    var random = SplitMix(state: UInt64(count))
    let together = try (0..<count).map {
      try model.cache(of: Self.contexts[$0], capacity: 300, seed: UInt64($0))
    }
    let alone = try (0..<count).map {
      try model.cache(of: Self.contexts[$0], capacity: 300, seed: UInt64($0))
    }
    for step in 0..<3 {
      let trees = (0..<count).map { index in
        RandomTree(
          rows: Int.random(in: 1...9, using: &random), isChain: (step + index) % 3 == 0,
          using: &random)
      }
      let outputs = try model.forward(
        zip(trees, together).map { $0.rows(0..<$0.tokens.count, cache: $1, extending: false) },
        options: ForwardOptions(observing: Observation(finalHidden: true, layers: [1])))
      #expect(outputs.count == count)
      for (index, tree) in trees.enumerated() {
        let expected = try model.forward(
          tokens: tree.tokens, parents: tree.parents, cache: alone[index],
          observing: Observation(finalHidden: true, layers: [1]))
        let output = outputs[index]
        #expect(output.logits.rows == tree.tokens.count)
        for row in tree.tokens.indices {
          #expect(output.logits.bits(row) == expected.logits.bits(row), "\(index), row \(row)")
          #expect(output.finalHidden?.bits(row) == expected.finalHidden?.bits(row))
          #expect(output.layers[0].bits(row) == expected.layers[0].bits(row))
        }
        let path = tree.path(to: Int.random(in: tree.tokens.indices, using: &random))
        for cache in [together[index], alone[index]] {
          cache.commit(path: path)
          cache._checkInvariants()
        }
      }
    }
  }

  @Test("`.last` gives each sequence its last row, `.none` none", arguments: TinyModel.allCases)
  func logitRows(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    var random = SplitMix(state: 4)
    let caches = try (0..<3).map { try model.cache(of: 7 * $0, capacity: 40, seed: 1) }
    let rows = [4, 1, 6].enumerated().map { index, rows in
      RandomTree(rows: rows, using: &random)
        .rows(0..<rows, cache: caches[index], extending: false)
    }
    let all = try model.forward(rows, options: ForwardOptions()).map {
      $0.logits.bits($0.logits.rows - 1)
    }
    for observing in [Observation.nothing, Observation(finalHidden: true)] {
      let last = try model.forward(
        rows, options: ForwardOptions(logits: .last, observing: observing))
      #expect(last.map(\.logits.rows) == [1, 1, 1])
      #expect(last.map { $0.logits.bits(0) } == all)
    }
    let none = try model.forward(rows, options: ForwardOptions(logits: .none))
    #expect(none.map(\.logits.rows) == [0, 0, 0])
    #expect(try model.forward([], options: ForwardOptions()).isEmpty)
  }

  @Test("Outputs outlive the first sequence's cache")
  func lifetime() throws {
    let model = try TinyModel.llama.load()
    let second = try model.makeCache(capacity: 16)
    var random = SplitMix(state: 2)
    let tree = RandomTree(rows: 3, using: &random)
    weak var buffers: OutputBuffers?
    do {
      let first = try model.makeCache(capacity: 16)
      _ = try model.forward(
        [first, second].map { tree.rows(0..<3, cache: $0, extending: false) },
        options: ForwardOptions())
      buffers = first.outputs
    }
    #expect(buffers != nil)
    _ = try model.forward(chain: [1], cache: second)
    #expect(buffers == nil)
  }

  @Test("The same cache twice, another model's cache and too many rows are refused")
  func errors() throws {
    let model = try TinyModel.llama.load()
    let cache = try model.cache(of: 3, capacity: 300, seed: 1)
    let other = try model.cache(of: 5, capacity: 300, seed: 2)
    var random = SplitMix(state: 1)
    let tree = RandomTree(rows: 150, isChain: true, using: &random)
    func refused(_ rows: [SequenceRows<TransformerCache>], _ error: LanguageModelError) {
      #expect(throws: error) { try model.forward(rows, options: ForwardOptions()) }
    }
    _ = try model.forward(chain: [4, 5], cache: other)
    let one = tree.rows(0..<1, cache: cache, extending: false)
    refused(
      [one, tree.rows(0..<2, cache: other, extending: false), one],
      .repeatedCache(sequence: 2))
    refused(
      [cache, other].map { tree.rows(0..<150, cache: $0, extending: false) },
      .tooManyRows(rows: 300, limit: 256))
    let foreign = try TinyModel.llama.load().makeCache(capacity: 16)
    refused([one, tree.rows(0..<1, cache: foreign, extending: false)], .foreignCache)
    // Nothing has changed.
    #expect(cache.count == 3)
    #expect(other.pendingCount == 2)
    // A hundred and fifty rows do fit beside a hundred and six.
    _ = try model.forward(
      [
        tree.rows(0..<150, cache: cache, extending: false),
        tree.rows(0..<106, cache: other, extending: false),
      ], options: ForwardOptions(logits: .none))
  }
}
