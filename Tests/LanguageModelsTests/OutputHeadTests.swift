import Foundation
@testable import LanguageModels
import ModelFiles
import Testing

/// Final states and whole logits of a tiny model's tokens.
private func states(
  _ model: TransformerModel, _ tokens: [Int32]
) throws -> (hidden: [Float], logits: [Float], rows: Int) {
  let cache = try model.makeCache(capacity: 64)
  let output = try model.forward(
    chain: tokens, cache: cache, observing: Observation(finalHidden: true))
  return try withExtendedLifetime(cache) {
    (try #require(output.finalHidden).values, output.logits.values, tokens.count)
  }
}

private func logits(_ head: OutputHead, _ states: [Float], rows: Int) -> [Float] {
  var logits = [Float](repeating: 0, count: rows * head.count)
  head.logits(of: states, rows: rows, into: &logits)
  return logits
}

/// A matrix of numbers that repeat with the seed.
private func random(_ count: Int, seed: UInt64 = 1, within limit: Float = 1) -> [Float] {
  var generator = SplitMix(state: seed)
  return (0..<count).map { _ in Float.random(in: -limit...limit, using: &generator) }
}

@Suite struct OutputHeadTests {
  @Test("a cut head's logits are bit for bit the model's", arguments: TinyModel.allCases)
  func cut(tiny: TinyModel) throws {
    let model = try tiny.load()
    let tokens = Array(try tiny.tokens().prefix(40))
    let (hidden, whole, rows) = try states(model, tokens)
    #expect(logits(try model.outputHead(), hidden, rows: rows) == whole)
    for chosen: [Int32] in [[5], [0, 2, 3, 30, 31, 63], Array(1..<50)] {
      let head = try model.outputHead(tokens: chosen)
      #expect(head.count == chosen.count && head.tokens == chosen)
      let expected = (0..<rows).flatMap { row in
        chosen.map { whole[row * model.vocabularySize + Int($0)] }
      }
      #expect(logits(head, hidden, rows: rows) == expected)
    }
  }

  @Test("a model loaded with a cut head gives the whole one's logits of its tokens")
  func loadedCut() throws {
    let tiny = TinyModel.llama
    let tokens = try tiny.tokens()
    let (_, whole, rows) = try states(try tiny.load(), tokens)
    let chosen: [Int32] = [1, 7, 20, 21, 60]
    let model = try TransformerModel(
      folder: tiny.folder, options: LoadingOptions(headTokens: chosen),
      pool: ComputePool(threads: 2))
    #expect(model.logitCount == 5)
    let expected = (0..<rows).flatMap { row in
      chosen.map { whole[row * model.vocabularySize + Int($0)] }
    }
    #expect(try states(model, tokens).logits == expected)
    #expect(throws: LanguageModelError.self) { try model.outputHead() }
  }

  @Test("tokens that are no part of the vocabulary are refused")
  func refused() throws {
    let model = try TinyModel.llama.load()
    for wrong: [Int32] in [[], [3, 3], [4, 1], [-1], [Int32(model.vocabularySize)]] {
      #expect(throws: LanguageModelError.self) { try model.outputHead(tokens: wrong) }
    }
    var row = [Float](repeating: 0, count: model.hiddenSize)
    #expect(throws: LanguageModelError.self) { try model.embed(-1, into: &row) }
  }

  @Test(
    "dequantised rows are what the model computes with",
    arguments: [TinyModel.llama, .qwen2, .gemma3])
  func rows(tiny: TinyModel) throws {
    let model = try tiny.load()
    let tokens = try tiny.tokens()
    let cache = try model.makeCache(capacity: 64)
    let output = try model.forward(
      chain: tokens, cache: cache, observing: Observation(finalHidden: true, layers: [0]))
    defer { withExtendedLifetime(cache) {} }
    let embedded = try #require(output.layers.first)
    let all = try model.embeddingRows()
    let width = model.hiddenSize
    for (row, token) in tokens.enumerated() {
      var one = [Float](repeating: 0, count: width)
      try model.embed(token, into: &one)
      #expect(one == Array(embedded[row]))
      #expect(one == Array(all[Int(token) * width..<(Int(token) + 1) * width]))
    }
    let hidden = try #require(output.finalHidden)
    let head = try model.headRows([3, 9])
    for (place, token) in [3, 9].enumerated() {
      let product = (0..<width).reduce(0) { sum, column in
        sum + Double(head[place * width + column]) * Double(hidden[0][column])
      }
      #expect(abs(product - Double(output.logits[0][token])) < 1e-3 * (1 + abs(product)))
    }
  }

  @Test("floats quantised while loading give nearly the same logits")
  func quantised() throws {
    let tiny = TinyModel.qwen2
    let tokens = try tiny.tokens()
    let exact = try states(try tiny.load(), tokens).logits
    let model = try TransformerModel(
      folder: tiny.folder, options: LoadingOptions(quantizesFloats: true),
      pool: ComputePool(threads: 2))
    let found = try states(model, tokens).logits
    #expect(try model.weightBytesPerPass < tiny.load().weightBytesPerPass * 6 / 10)
    let size = (exact.map { $0 * $0 }.reduce(0, +) / Float(exact.count)).squareRoot()
    let error = zip(exact, found).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
    #expect((error / Float(exact.count)).squareRoot() < 0.03 * size)
    #expect(found != exact)
  }
}

@Suite struct PackedLinearTests {
  @Test("a linear layer computes W·x + b of every row", arguments: [1, 5, 70])
  func product(count: Int) throws {
    let pool = try ComputePool(threads: 2)
    for (rows, columns) in [(40, 64), (17, 96), (8, 20)] {
      let weights = random(rows * columns)
      let bias = random(rows, seed: 2)
      let x = random(count * columns, seed: 3)
      let linear = try PackedLinear(
        weights: weights, rows: rows, columns: columns, bias: bias, pool: pool)
      var output = [Float](repeating: .nan, count: count * rows)
      linear.apply(x, rows: count, into: &output)
      var worst = 0.0
      for row in 0..<count {
        for place in 0..<rows {
          let exact = (0..<columns).reduce(Double(bias[place])) {
            $0 + Double(weights[place * columns + $1]) * Double(x[row * columns + $1])
          }
          worst = max(worst, abs(exact - Double(output[row * rows + place])))
        }
      }
      // Two roundings to 1/254 of the largest, of `columns` products of variance 1/9.
      #expect(worst < (columns.isMultiple(of: 32) ? 0.12 : 1e-4))
    }
  }

  @Test("the rows of one product are those of products alone")
  func lone() throws {
    let pool = try ComputePool(threads: 2)
    let linear = try PackedLinear(weights: random(48 * 64), rows: 48, columns: 64, pool: pool)
    let x = random(70 * 64, seed: 5)
    var all = [Float](repeating: 0, count: 70 * 48)
    linear.apply(x, rows: 70, into: &all)
    for row in [0, 3, 63, 64, 69] {
      var one = [Float](repeating: 0, count: 48)
      linear.apply(Array(x[row * 64..<(row + 1) * 64]), rows: 1, into: &one)
      #expect(one == Array(all[row * 48..<(row + 1) * 48]))
    }
  }

  @Test("matrices of zeros, of tiny and of huge numbers stay finite")
  func extremes() throws {
    let pool = try ComputePool(threads: 1)
    let x = [Float](repeating: 1, count: 32)
    for value: Float in [0, 1e-30, 1e-6, 1e6, 1e9] {
      let linear = try PackedLinear(
        weights: [Float](repeating: value, count: 16 * 32), rows: 16, columns: 32, pool: pool)
      var output = [Float](repeating: .nan, count: 16)
      linear.apply(x, rows: 1, into: &output)
      #expect(output.allSatisfy { $0.isFinite && $0 >= 0 })
      if value == 1e6 { #expect(abs(output[0] / 32e6 - 1) < 0.01) }
    }
  }

  @Test("x += silu(y)")
  func silu() throws {
    let pool = try ComputePool(threads: 2)
    var x = random(1000)
    var y = random(1000, seed: 9, within: 8)
    let expected = zip(x, y).map { Double($0) + Double($1) / (1 + exp(-Double($1))) }
    pool.addSiLU(of: &y, to: &x, count: 1000)
    #expect(zip(x, expected).allSatisfy { abs(Double($0) - $1) < 1e-4 })
  }
}
