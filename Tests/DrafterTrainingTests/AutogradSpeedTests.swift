import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

/// Floating-point operations a second of one training step of an EAGLE-like drafter: a matrix that
/// joins embedding and state, one Llama layer, and the target's frozen head cut to frequent tokens.
/// Prints figures; `NUNCHI_TRAINING_SPEED=1 swift test --filter AutogradSpeed`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["NUNCHI_TRAINING_SPEED"] != nil))
struct AutogradSpeedTests {
  struct Size: Sendable, CustomTestStringConvertible {
    let name: String
    let rows, hidden, heads, kvHeads, dim, middle, head, document: Int

    var testDescription: String { name }

    /// Multiplications and additions of the matrix products of one step. Attention is counted as
    /// causal, that is half.
    var operations: Double {
      let kv = kvHeads * dim
      let layer =
        2 * hidden * hidden + 2 * hidden * heads * dim + 2 * hidden * kv + 3 * hidden * middle
      let attention = rows * document * heads * dim
      // Forward, gradient of the weights, gradient of the input; the frozen head has student,
      // teacher and the gradient of the input. Attention has two products forward, and two each
      // backward.
      return 6 * Double(rows * (layer + hidden * self.head)) + 6 * Double(attention)
    }
  }

  static let sizes = [
    Size(
      name: "SmolLM2-135M", rows: 2048, hidden: 576, heads: 9, kvHeads: 3, dim: 64, middle: 1536,
      head: 16384, document: 512),
    Size(
      name: "Qwen2.5-Coder-1.5B", rows: 1024, hidden: 1536, heads: 12, kvHeads: 2, dim: 128,
      middle: 8960, head: 16384, document: 512),
  ]

  @Test("Speed of a training step", arguments: sizes)
  func step(size: Size) throws {
    var random = Randomness(seed: 1)
    let (m, width) = (size.rows, size.hidden)
    func small(_ shape: [Int]) -> Tensor {
      Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in 0.05 * random.float() })
    }
    let kv = size.kvHeads * size.dim
    let shapes = [
      [width, 2 * width], [width], [size.heads * size.dim, width], [kv, width], [kv, width],
      [width, size.heads * size.dim], [width], [size.middle, width], [size.middle, width],
      [width, size.middle],
    ]
    let parameters = shapes.map { Parameter(name: "", value: small($0), decays: true) }
    let head = small([size.head, width])
    let (tokens, states, goal) = (small([m, width]), small([m, width]), small([m, width]))
    let weights = Array(repeating: Float(1), count: m)
    let targets = (0..<m).map { _ in random.token(size.head) }
    let positions = (0..<m).map { Int32($0 % size.document) }
    let frequencies = (0..<size.dim / 2).map { pow(1e4, -2 * Double($0) / Double(size.dim)) }
    let pool = try ComputePool(threads: ProcessInfo.processInfo.activeProcessorCount)

    func step() -> (whole: Double, head: Double) {
      let start = ContinuousClock.now
      let graph = Graph(pool: pool)
      let p = parameters.map { graph.parameter($0) }
      let x = graph.linear(
        graph.concatenate([graph.constant(tokens), graph.constant(states)]), p[0])
      let normed = graph.rmsNorm(x, weight: p[1], epsilon: 1e-5)
      func rotate(_ x: Variable, _ heads: Int) -> Variable {
        graph.rotary(
          x, positions: positions, heads: heads, frequencies: frequencies, interleaved: false)
      }
      let attended = graph.attention(
        query: rotate(graph.linear(normed, p[2]), size.heads),
        key: rotate(graph.linear(normed, p[3]), size.kvHeads), value: graph.linear(normed, p[4]),
        heads: size.heads, kvHeads: size.kvHeads, scale: 0.1,
        segments: stride(from: 0, to: m, by: size.document).map { $0..<$0 + size.document })
      let middle = graph.add(x, graph.linear(attended, p[5]))
      let inner = graph.rmsNorm(middle, weight: p[6], epsilon: 1e-5)
      let gated = graph.swiGLU(gate: graph.linear(inner, p[7]), up: graph.linear(inner, p[8]))
      let output = graph.add(middle, graph.linear(gated, p[9]))
      let beforeHead = ContinuousClock.now
      let loss = graph.headLoss(
        output, head: graph.constant(head), targets: targets,
        teacher: .hidden(states, weight: head), weights: weights, crossEntropy: 0.1)
      let headTime = ContinuousClock.now - beforeHead
      let regression = graph.smoothL1(output, goal, weights: weights)
      graph.backward(graph.sum([(loss.loss, 1), (regression, 1)]))
      return ((ContinuousClock.now - start) / .seconds(1), headTime / .seconds(1))
    }
    // A product on the pool's threads in between says how fast the machine is just now.
    let (a, b) = (small([512, 1536]), small([1536, 1536]))
    let productOperations = 2.0 * 512 * 1536 * 1536
    func product() -> Double {
      let graph = Graph(pool: pool)
      let start = ContinuousClock.now
      for _ in 0..<4 { _ = graph.linear(graph.constant(a), graph.constant(b)) }
      return (ContinuousClock.now - start) / .seconds(4)
    }
    _ = step()
    var products: [Double] = []
    let times = (0..<7).map { _ in
      products.append(product())
      return step()
    }.sorted { $0.whole < $1.whole }
    products.sort()
    let (best, median) = (times[0], times[3])
    let headOperations = 6 * Double(m * width * size.head)
    print(
      String(
        format: """
          %@: %.1f GFLOP/s (best %.1f), %.0f tokens/s; head alone %.1f GFLOP/s, %.0f %% of the \
          time; a product of 512 x 1536 x 1536 meanwhile %.1f (best %.1f)
          """,
        size.name, size.operations / median.whole * 1e-9, size.operations / best.whole * 1e-9,
        Double(m) / median.whole, headOperations / median.head * 1e-9,
        100 * median.head / median.whole, productOperations / products[3] * 1e-9,
        productOperations / products[0] * 1e-9))
    #expect(median.whole > 0)
  }
}
