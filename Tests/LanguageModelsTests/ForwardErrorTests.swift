import Testing

@testable import LanguageModels

@Suite("A forward pass that cannot be done is refused, and changes nothing")
struct ForwardErrorTests {
  private let model: TransformerModel
  private let cache: TransformerCache

  init() throws {
    model = try TinyModel.llama.load(threads: 1)
    cache = try model.makeCache(capacity: 30)  // rounded up to 32
    _ = try model.forward(chain: [5, 6, 7], cache: cache)
    cache.commit(path: [0, 1, 2])
  }

  @Test("for a token outside the vocabulary", arguments: [Int32(-1), 96, .max, .min])
  func vocabulary(token: Int32) {
    #expect(
      throws: LanguageModelError.tokenOutsideVocabulary(
        token: Int(token), row: 1, vocabularySize: 96)
    ) { try model.forward(chain: [3, token], cache: cache) }
    #expect(cache.count == 3)
  }

  @Test("for rows that do not fit, while the last free slots can be used")
  func capacity() throws {
    #expect(cache.capacity == 32)
    #expect(throws: LanguageModelError.cacheFull(rows: 30, count: 3, capacity: 32)) {
      try model.forward(chain: Array(repeating: 4, count: 30), cache: cache)
    }
    _ = try model.forward(chain: Array(repeating: 4, count: 29), cache: cache)
    #expect(cache.pendingCount == 29)
    cache.commit(path: Array(0..<29))
    cache._checkInvariants()
    #expect(throws: LanguageModelError.cacheFull(rows: 1, count: 32, capacity: 32)) {
      try model.forward(chain: [4], cache: cache)
    }
  }

  @Test("for a parent that is no earlier row")
  func parents() {
    for (parents, row) in [([-1, 1], 1), ([0, 0], 0), ([-2, 0], 0)] as [([Int32], Int)] {
      #expect(
        throws: LanguageModelError.malformedTree(row: row, parent: Int(parents[row]))
      ) {
        try model.forward(
          tokens: [3, 4], parents: parents, cache: cache, logits: .all, observing: .nothing)
      }
    }
  }

  @Test("for a tree of more rows than one chunk")
  func largeTree() throws {
    let large = try model.makeCache(capacity: 300)
    #expect(throws: LanguageModelError.treeTooLarge(rows: 257, limit: 256)) {
      try model.forward(
        tokens: Array(repeating: 3, count: 257), parents: Array(repeating: -1, count: 257),
        cache: large, logits: .none, observing: .nothing)
    }
  }

  @Test("for no tokens, an unknown layer, another model's cache, an absurd capacity")
  func others() throws {
    #expect(throws: LanguageModelError.emptyInput) { try model.forward(chain: [], cache: cache) }
    #expect(throws: LanguageModelError.layerOutOfRange(layer: 3, layerCount: 2)) {
      try model.forward(chain: [3], cache: cache, observing: Observation(layers: [3]))
    }
    let other = try TinyModel.llama.load(threads: 1)
    #expect(throws: LanguageModelError.foreignCache) {
      try other.forward(chain: [3], cache: cache)
    }
    for capacity in [0, -5, Int.max] {
      #expect(throws: LanguageModelError.self) { try model.makeCache(capacity: capacity) }
    }
    #expect {
      _ = try model.makeCache(capacity: 134_217_728)
    } throws: { "\($0)".contains("MB") }
  }

  @Test("a new pass drops the pending rows of the one before")
  func pending() throws {
    let first = try model.forward(chain: [9], cache: cache).logits.bits(0)
    _ = try model.forward(chain: [8, 8, 8], cache: cache)
    #expect(cache.pendingCount == 3)
    #expect(try model.forward(chain: [9], cache: cache).logits.bits(0) == first)
    #expect(cache.pendingCount == 1)
    cache.commit(path: [])
    #expect(cache.pendingCount == 0)
    #expect(cache.count == 3)
  }
}
