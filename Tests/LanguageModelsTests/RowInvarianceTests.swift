@testable import LanguageModels
import Testing

/// Row i of a pass over many rows is bitwise what the same row gives alone.
@Suite("A row's logits depend on its ancestors only, bitwise")
struct RowInvarianceTests {
  @Test("tree rows equal the rows of each path run alone", arguments: TinyModel.allCases)
  func trees(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    let tokens = try tiny.tokens()
    var random = SplitMix(state: 7)
    let cache = try model.makeCache(capacity: 80)
    for round in 0..<6 {
      // A prompt of random length, then a random tree.
      let prompt = Array(tokens.prefix(Int.random(in: 0...30, using: &random)))
      cache.truncate(to: 0)
      if !prompt.isEmpty {
        _ = try model.forward(chain: prompt, cache: cache, logits: .none)
        cache.commit(path: Array(prompt.indices))
      }
      let rows = Int.random(in: 2...24, using: &random)
      let tree = (0..<rows).map { _ in Int32.random(in: 0..<96, using: &random) }
      let parents = (0..<rows).map { Int32.random(in: -1..<Int32($0), using: &random) }
      let logits = try model.forward(
        tokens: tree, parents: parents, cache: cache, logits: .all, observing: .nothing
      ).logits
      cache._checkInvariants()

      for row in 0..<rows {
        let path = ancestors(of: row, parents) + [row]
        let alone = try model.makeCache(capacity: 80)
        let chain = prompt + path.map { tree[$0] }
        let expected = try model.forward(chain: chain, cache: alone, logits: .last).logits
        #expect(logits.bits(row) == expected.bits(0), "round \(round), row \(row)")
      }
    }
  }

  @Test("decoding after commits and truncations equals a fresh run", arguments: TinyModel.allCases)
  func commits(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    var random = SplitMix(state: 11)
    let cache = try model.makeCache(capacity: 120)
    var text: [Int32] = []
    for step in 0..<40 {
      let rows = Int.random(in: 1...12, using: &random)
      let tree = (0..<rows).map { _ in Int32.random(in: 0..<96, using: &random) }
      let parents = (0..<rows).map { Int32.random(in: -1..<Int32($0), using: &random) }
      let logits = try model.forward(
        tokens: tree, parents: parents, cache: cache, logits: .all, observing: .nothing
      ).logits
      let last = Int.random(in: 0..<rows, using: &random)
      let path = ancestors(of: last, parents) + [last]
      text += path.map { tree[$0] }

      let fresh = try model.makeCache(capacity: 120)
      let expected = try model.forward(chain: text, cache: fresh, logits: .last).logits
      #expect(logits.bits(last) == expected.bits(0), "step \(step)")

      cache.commit(path: path)
      cache._checkInvariants()
      #expect(cache.count == text.count)
      if step % 5 == 4 || text.count > 100 {
        text.removeLast(Int.random(in: 0...min(text.count, 30), using: &random))
        cache.truncate(to: text.count)
        cache._checkInvariants()
      }
    }
  }

  @Test("a prompt in pieces equals one token at a time", arguments: TinyModel.allCases)
  func pieces(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    var random = SplitMix(state: 3)
    let count = 300  // more than one chunk
    let tokens = (0..<count).map { _ in Int32.random(in: 0..<96, using: &random) }
    let whole = try model.makeCache(capacity: count)
    let observation = Observation(
      finalHidden: true, layers: [0, model.configuration.layerCount, 1])
    let output = try model.forward(chain: tokens, cache: whole, observing: observation)
    #expect(output.logits.rows == count)
    #expect(whole.pendingCount == count)
    let hidden = try #require(output.finalHidden)

    let single = try model.makeCache(capacity: count)
    for (row, token) in tokens.enumerated() {
      let one = try model.forward(chain: [token], cache: single, observing: observation)
      #expect(output.logits.bits(row) == one.logits.bits(0), "row \(row)")
      #expect(hidden.bits(row) == one.finalHidden?.bits(0))
      for index in observation.layers.indices {
        #expect(output.layers[index].bits(row) == one.layers[index].bits(0))
      }
      single.commit(path: [0])
    }
  }

  @Test("`.last` is the last row of `.all`, and `.none` has no rows")
  func logitRows() throws {
    let model = try TinyModel.gemma3.load()
    let tokens = try TinyModel.gemma3.tokens()
    let cache = try model.makeCache(capacity: 64)
    let all = try model.forward(chain: tokens, cache: cache).logits.bits(tokens.count - 1)
    #expect(try model.forward(chain: tokens, cache: cache, logits: .last).logits.bits(0) == all)
    #expect(try model.forward(chain: tokens, cache: cache, logits: .none).logits.rows == 0)
  }

  @Test("the thread count changes nothing", arguments: TinyModel.allCases)
  func threads(_ tiny: TinyModel) throws {
    let tokens = try tiny.tokens()
    let results = try [1, 2, 3].map { threads in
      let model = try tiny.load(threads: threads)
      let cache = try model.makeCache(capacity: 64)
      return try model.forward(chain: tokens, cache: cache).logits.values.map(\.bitPattern)
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  @Test("models that share a pool do not disturb each other, on several threads either")
  func sharedPool() async throws {
    let pool = try ComputePool(threads: 2)
    let expected = try TinyModel.allCases.map { tiny in
      let model = try tiny.load(threads: 1)
      return try logits(of: model, tiny)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, tiny) in TinyModel.allCases.enumerated() {
        group.addTask {
          let model = try TransformerModel(folder: tiny.folder, pool: pool)
          for _ in 0..<5 { #expect(try logits(of: model, tiny) == expected[index]) }
        }
      }
      try await group.waitForAll()
    }
  }

  private func logits(of model: TransformerModel, _ tiny: TinyModel) throws -> [UInt32] {
    let cache = try model.makeCache(capacity: 64)
    return try model.forward(chain: tiny.tokens(), cache: cache).logits.values.map(\.bitPattern)
  }

  private func ancestors(of row: Int, _ parents: [Int32]) -> [Int] {
    var path: [Int] = []
    var parent = Int(parents[row])
    while parent >= 0 {
      path.insert(parent, at: 0)
      parent = Int(parents[parent])
    }
    return path
  }
}
