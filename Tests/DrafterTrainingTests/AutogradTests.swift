import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

@Suite struct AutogradTests {
  private static let (rows, width, inner, vocabulary) = (200, 48, 130, 700)
  /// The terms of the sums on the way to a gradient: the norm's, three products of the attention, its softmax
  /// and mixture, the MLP and the head with its softmax; then back again, and over all rows.
  private static let terms =
    2 * (6 * width + width / 4 + 2 * rows / 3 + inner + vocabulary) + rows

  /// A block with attention and a head: the gradients of all parameters and the loss.
  /// - Parameter watch: sees the graph, what the block makes first, and what it makes last.
  private func train(
    threads: Int, watch: (Graph, Variable, Variable) -> Void = { _, _, _ in }
  ) throws -> [[Float]] {
    var random = Randomness(seed: 7)
    let (m, width, inner) = (Self.rows, Self.width, Self.inner)
    let x = random.tensor(m, width)
    let states = random.tensor(m, width)
    let targets = (0..<m).map { _ in random.token(Self.vocabulary) }
    let head = random.tensor(Self.vocabulary, width)
    let parameters = [
      random.parameter(width), random.parameter(width, width), random.parameter(24, width),
      random.parameter(24, width), random.parameter(inner, width), random.parameter(inner, width),
      random.parameter(width, inner),
    ]
    let graph = Graph(pool: try ComputePool(threads: threads))
    let p = parameters.map { graph.parameter($0) }
    let input = graph.constant(x)
    let normed = graph.rmsNorm(input, weight: p[0], epsilon: 1e-5)
    let positions = (0..<Int32(m)).map { $0 }
    let frequencies: [Double] = [1, 0.5, 0.2, 0.1, 0.01, 0.001]
    func rotate(_ x: Variable, _ heads: Int) -> Variable {
      graph.rotary(
        x, positions: positions, heads: heads, frequencies: frequencies, interleaved: false)
    }
    let attended = graph.attention(
      query: rotate(graph.linear(normed, p[1]), 4), key: rotate(graph.linear(normed, p[2]), 2),
      value: graph.linear(normed, p[3]), heads: 4, kvHeads: 2, scale: 0.3,
      segments: [0..<m / 3, m / 3..<m])
    let middle = graph.add(input, attended)
    let gated = graph.swiGLU(gate: graph.linear(middle, p[4]), up: graph.linear(middle, p[5]))
    let output = graph.add(middle, graph.linear(gated, p[6]))
    let loss = graph.headLoss(
      output, head: graph.constant(head), targets: targets, teacher: .hidden(states, weight: head),
      weights: Array(repeating: 1, count: m))
    graph.backward(loss.loss)
    watch(graph, normed, output)
    return [[Float(loss.loss.scalar)]] + parameters.map(\.gradient.values)
  }

  @Test("Two runs give the same bits, with any number of threads", arguments: [1, 2, 3])
  func determinism(threads: Int) throws {
    let first = try train(threads: threads)
    #expect(try train(threads: threads) == first)
    let alone = try train(threads: 1)
    for (one, other) in zip(alone, first) {
      let scale = one.map(abs).max() ?? 0
      let worst = zip(one, other).map { abs($0 - $1) }.max() ?? 0
      // Slices of other widths go through other kernels of the BLAS, which add up in another order.
      #expect(worst <= roundingBound(terms: Self.terms) * scale)
    }
  }

  @Test("The fused head's loss is the sum of the separate losses, also in several chunks")
  func fusedHead() throws {
    var random = Randomness(seed: 3)
    let (m, width, vocabulary) = (40, 8, 700_000)
    let hidden = random.parameter(m, width)
    let head = random.tensor(vocabulary, width)
    let states = random.tensor(m, width)
    let targets = (0..<m).map { $0 % 5 == 0 ? -1 : random.token(vocabulary) }
    let weights = (0..<m).map { Float($0 % 3) }
    let pool = try ComputePool(threads: 2)

    let graph = Graph(pool: pool)
    let fused = graph.headLoss(
      graph.parameter(hidden), head: graph.constant(head), targets: targets,
      teacher: .hidden(states, weight: head), weights: weights, crossEntropy: 0.5, divergence: 2)
    graph.backward(fused.loss)
    let fusedGradient = hidden.gradient.values

    hidden.gradient.zero()
    let plain = Graph(pool: pool)
    let logits = plain.linear(plain.parameter(hidden), plain.constant(head))
    let teacher = plain.linear(plain.constant(states), plain.constant(head)).value
    let crossEntropy = plain.crossEntropy(logits, targets: targets, weights: weights)
    let distillation = plain.distillation(logits, teacher: teacher, weights: weights)
    let entropy = plain.distillation(plain.constant(teacher), teacher: teacher, weights: weights)
    plain.backward(plain.sum([(crossEntropy, 0.5), (distillation, 2)]))

    let expected = distillation.scalar - entropy.scalar
    #expect(abs(fused.crossEntropy - crossEntropy.scalar) < 1e-4)
    #expect(abs(fused.divergence - expected) < 1e-4)
    #expect(fused.overlap > 0 && fused.overlap < 1)
    // Two orders of a sum of n terms are seldom more than 8 √n · 2⁻²⁴ apart (Higham and Mary,
    // 2019); n is the vocabulary.
    let bound = 8 * Float(vocabulary).squareRoot() * 0x1p-24
    let largest = hidden.gradient.values.map(abs).max() ?? 0
    for (one, other) in zip(fusedGradient, hidden.gradient.values) {
      #expect(abs(one - other) <= bound * largest)
    }
  }

  @Test("A student like its teacher agrees, overlaps and has no divergence")
  func perfectStudent() throws {
    var random = Randomness(seed: 4)
    let (states, head) = (random.tensor(6, 8), random.tensor(50, 8))
    let graph = Graph(pool: try ComputePool(threads: 2))
    let loss = graph.headLoss(
      graph.constant(states), head: graph.constant(head), teacher: .hidden(states, weight: head),
      weights: [1, 1, 1, 0, 1, 2])
    #expect(loss.agreement == 1)
    #expect(loss.weight == 6)
    #expect(abs(loss.overlap - 1) < 1e-5 && abs(loss.divergence) < 1e-5)
  }

  @Test("Weights of 0 give a loss of 0 and no gradient")
  func nothingToLearn() throws {
    var random = Randomness(seed: 5)
    let x = random.parameter(3, 9)
    let graph = Graph(pool: try ComputePool(threads: 2))
    let loss = graph.crossEntropy(graph.parameter(x), targets: [1, -1, 2], weights: [0, 1, 0])
    graph.backward(loss)
    #expect(loss.scalar == 0)
    #expect(x.gradient.values.allSatisfy { $0 == 0 })
  }

  @Test("A graph that asks for too much memory fails with its size, and computes nothing more")
  func memory() throws {
    var random = Randomness(seed: 6)
    let weight = random.parameter(1 << 20, 1)
    let graph = Graph(pool: try ComputePool(threads: 2))
    let wide = graph.linear(
      graph.constant(Tensor(shape: [1 << 20, 1])), graph.parameter(weight))
    let loss = graph.crossEntropy(
      wide, targets: Array(repeating: 0, count: 1 << 20),
      weights: Array(repeating: 1, count: 1 << 20))
    graph.backward(loss)
    guard case .notEnoughMemory(_, let needed, let available) = graph.failure else {
      Issue.record("no failure")
      return
    }
    #expect(needed == 4 << 40 && available < needed)
    #expect(loss.scalar.isNaN)
    #expect(weight.gradient.values.allSatisfy { $0 == 0 })
    #expect(throws: TrainingError.self) { try TensorMemory.check(4 << 40, for: "a test") }
  }

  @Test("A step gives its memory back")
  func memoryGivenBack() throws {
    weak var graph: Graph?
    weak var first: Tensor?
    weak var last: Tensor?
    _ = try train(threads: 2) { step, input, output in
      (graph, first, last) = (step, input.value, output.value)
      #expect(first != nil && last != nil)
    }
    #expect(graph == nil && first == nil && last == nil)
  }

  @Test("bf16 keeps the upper half of a float")
  func bf16() {
    let bits: [UInt16] = [0x3F80, 0xC040, 0x0000, 0x7F80]
    let tensor = bits.withUnsafeBufferPointer { Tensor(shape: [2, 2], bf16: $0.baseAddress!) }
    #expect(tensor.values == [1, -3, 0, .infinity])
  }
}
