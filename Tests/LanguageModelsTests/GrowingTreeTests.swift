import Testing

@testable import LanguageModels

@Suite("A tree that grows from pass to pass")
struct GrowingTreeTests {
  @Test("has the bits of the whole tree in one pass", arguments: TinyModel.allCases)
  func growth(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    var random = SplitMix(state: 21)
    let whole = try model.cache(of: 0, capacity: 160, seed: 0)
    let growing = try model.cache(of: 0, capacity: 160, seed: 0)
    for step in 0..<8 {
      // Chains too, and chains that turn into trees.
      var tree = RandomTree(
        rows: Int.random(in: 2...20, using: &random), isChain: step % 4 == 1, using: &random)
      if step % 4 == 2 {
        tree.parents[1...] =
          RandomTree(
            rows: tree.tokens.count, isChain: true, using: &random
          ).parents[1...]
        tree.parents[tree.tokens.count - 1] = 0
      }
      let expected = try model.forward(
        tokens: tree.tokens, parents: tree.parents, cache: whole)
      var first = 0
      while first < tree.tokens.count {
        let end = min(tree.tokens.count, first + Int.random(in: 1...6, using: &random))
        let output = try model.forward(
          [tree.rows(first..<end, cache: growing, extending: true)], options: ForwardOptions())[0]
        growing._checkInvariants()
        #expect(growing.pendingCount == end)
        for row in first..<end {
          #expect(
            output.logits.bits(row - first) == expected.logits.bits(row),
            "step \(step), row \(row)")
        }
        first = end
      }
      let path = tree.path(to: Int.random(in: tree.tokens.indices, using: &random))
      for cache in [whole, growing] { cache.commit(path: path) }
      #expect(growing.pendingCount == 0)
    }
    #expect(growing.count == whole.count)
  }

  @Test("beside other sequences, one of which begins anew", arguments: [TinyModel.gemma3, .qwen2])
  func sequences(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    var random = SplitMix(state: 8)
    let trees = [12, 9, 7].map { RandomTree(rows: $0, using: &random) }
    let contexts = [30, 15, 0]
    let caches = try contexts.map { try model.cache(of: $0, capacity: 64, seed: 3) }
    let alone = try contexts.map { try model.cache(of: $0, capacity: 64, seed: 3) }
    _ = try model.forward(
      zip(trees, caches).map { $0.rows(0..<4, cache: $1, extending: false) },
      options: ForwardOptions(logits: .none))
    let outputs = try model.forward(
      [
        trees[0].rows(4..<12, cache: caches[0], extending: true),
        trees[1].rows(4..<9, cache: caches[1], extending: true),
        trees[2].rows(0..<7, cache: caches[2], extending: false),
      ], options: ForwardOptions())
    for (index, first) in [4, 4, 0].enumerated() {
      let tree = trees[index]
      let expected = try model.forward(
        tokens: tree.tokens, parents: tree.parents, cache: alone[index]
      ).logits
      for row in first..<tree.tokens.count {
        #expect(outputs[index].logits.bits(row - first) == expected.bits(row))
      }
    }
    // The caches own what was compared.
    withExtendedLifetime((caches, alone)) {}
  }

  @Test("A long chain is continued, but no tree of so many rows")
  func longChain() throws {
    let model = try TinyModel.llama.load()
    var random = SplitMix(state: 5)
    let chain = RandomTree(rows: 290, isChain: true, using: &random)
    let cache = try model.makeCache(capacity: 300)
    _ = try model.forward(
      [chain.rows(0..<270, cache: cache, extending: false)], options: ForwardOptions(logits: .none))
    #expect(throws: LanguageModelError.treeTooLarge(rows: 271, limit: 256)) {
      try model.forward(
        [SequenceRows(cache: cache, tokens: [1], parents: [3], extendsPending: true)],
        options: ForwardOptions())
    }
    let output = try model.forward(
      [chain.rows(270..<290, cache: cache, extending: true)], options: ForwardOptions())[0]
    let fresh = try model.makeCache(capacity: 300)
    let expected = try model.forward(chain: chain.tokens, cache: fresh).logits
    for row in 0..<20 { #expect(output.logits.bits(row) == expected.bits(270 + row)) }
    cache.commit(path: Array(0..<290))
    #expect(cache.count == 290)
  }

  @Test("What cannot be added is refused, and the pending rows stay")
  func errors() throws {
    let model = try TinyModel.llama.load()
    let cache = try model.cache(of: 10, capacity: 16, seed: 1)
    _ = try model.forward(tokens: [1, 2, 3], parents: [-1, 0, 0], cache: cache)
    func grow(_ tokens: [Int32], _ parents: [Int32]) throws -> ForwardOutput {
      try model.forward(
        [SequenceRows(cache: cache, tokens: tokens, parents: parents, extendsPending: true)],
        options: ForwardOptions())[0]
    }
    #expect(throws: LanguageModelError.cacheFull(rows: 7, count: 10, capacity: 16)) {
      try grow([4, 4, 4, 4], [0, 1, 2, 3])
    }
    #expect(throws: LanguageModelError.malformedTree(row: 4, parent: 4)) {
      try grow([4, 4], [2, 4])
    }
    #expect(cache.pendingCount == 3)
    _ = try grow([4, 5, 6], [2, 3, 1])
    cache.commit(path: [0, 2, 3, 4])
    cache._checkInvariants()
    #expect(cache.count == 14)
  }
}
