import LanguageModels
import Testing

@testable import Drafters

@Suite("Models that take states") struct StateModelTests {
  private struct Rows {
    let tokens: [Int32]
    /// (tokens, width)
    let states: [Float]
    let width: Int

    init(_ count: Int, model: TransformerModel) {
      width = model.hiddenSize
      tokens = (0..<count).map { Int32(($0 * 37 + 5) % model.vocabularySize) }
      states = (0..<count * width).map { Float((($0 &* 7919) % 211) - 105) / 50 }
    }

    /// The states that come out of some rows, bit by bit. (rows)
    func compute(
      _ rows: Range<Int>, parents: [Int32], _ cache: TransformerCache, _ model: TransformerModel,
      extending: Bool = false
    ) throws -> [[UInt32]] {
      let output = try states.withUnsafeBufferPointer { states in
        try model.forward(
          [
            SequenceRows(
              cache: cache, tokens: Array(tokens[rows]), parents: parents,
              extendsPending: extending,
              states: states.baseAddress.map { $0 + rows.lowerBound * width })
          ],
          options: ForwardOptions(
            logits: .none, observing: Observation(finalHidden: true, layers: [1])))[0]
      }
      let final = try #require(output.finalHidden)
      return rows.indices.map { row in
        let row = row - rows.lowerBound
        return (Array(final[row]) + Array(output.layers[0][row])).map(\.bitPattern)
      }
    }
  }

  @Test(
    "a row's result does not depend on how many are computed with it",
    arguments: EagleVersion.allCases, [1, 2])
  func invariance(version: EagleVersion, threads: Int) throws {
    let target = try EagleGolden.target(threads: threads)
    let model = try EagleGolden.weights(version, target: target).model
    // More than one chunk of a pass.
    let count = TransformerModel.chunkRows + 20
    let rows = Rows(count, model: model)
    let chain = (0..<Int32(count)).map { $0 - 1 }
    let whole = try rows.compute(
      0..<count, parents: chain, model.makeCache(capacity: count), model)
    let cache = try model.makeCache(capacity: count)
    var start = 0
    for size in [1, 2, 3, 8, 17, 64, count] where start < count {
      let end = min(start + size, count)
      let found = try rows.compute(
        start..<end, parents: Array(chain[0..<end - start]), cache, model)
      #expect(found == Array(whole[start..<end]))
      cache.commit(path: Array(0..<end - start))
      start = end
    }
  }

  @Test("a tree's rows have the states of their paths", arguments: EagleVersion.allCases)
  func trees(version: EagleVersion) throws {
    let model = try EagleGolden.weights(version, target: EagleGolden.target()).model
    let rows = Rows(6, model: model)
    // 0 - 1 - 3, 0 - 2 - 4, and 5 alone.
    let parents: [Int32] = [-1, 0, 0, 1, 2, -1]
    let cache = try model.makeCache(capacity: 32)
    var tree = try rows.compute(0..<3, parents: Array(parents[0..<3]), cache, model)
    tree += try rows.compute(
      3..<6, parents: Array(parents[3...]), cache, model, extending: true)
    for path in [[0, 1, 3], [0, 2, 4], [5]] {
      let alone = try model.makeCache(capacity: 32)
      for (place, row) in path.enumerated() {
        let found = try rows.compute(
          row..<row + 1, parents: [-1], alone, model)
        alone.commit(path: [0])
        #expect(found[0] == tree[row], "row \(row), place \(place)")
      }
    }
  }

  @Test("passes without states, and logits without a head, are errors")
  func errors() throws {
    let target = try EagleGolden.target()
    let model = try EagleGolden.weights(.eagle1, target: target).model
    let cache = try model.makeCache(capacity: 16)
    #expect(throws: LanguageModelError.statesMissing(sequence: 0)) {
      try model.forward(chain: [3], cache: cache, logits: .none)
    }
    let states = [Float](repeating: 0, count: model.hiddenSize)
    #expect(throws: LanguageModelError.noHead) {
      try states.withUnsafeBufferPointer { states in
        _ = try model.forward(
          [SequenceRows(cache: cache, tokens: [3], parents: [-1], states: states.baseAddress)],
          options: ForwardOptions())
      }
    }
  }
}
