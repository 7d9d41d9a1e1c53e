import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

/// What Scripts/make_autograd_goldens.py wrote, computed by PyTorch in double precision.
private struct AutogradGolden: Decodable {
  struct Weight: Decodable {
    let shape: [Int]
    let value: [Float]
    let gradient: [Float]
  }
  let tokens, positions, targets: [Int32]
  let weights, teacher, goal, logits: [Float]
  let segments: [[Int]]
  let frequencies: [Double]
  let temperature: Float
  let crossEntropy, distillation, smoothL1: Double
  let parameters: [String: Weight]

  static func read() throws -> AutogradGolden {
    let url = try #require(
      Bundle.module.url(forResource: "autograd", withExtension: "json", subdirectory: "Goldens"))
    return try JSONDecoder().decode(AutogradGolden.self, from: Data(contentsOf: url))
  }
}

/// A Llama block in our operations.
private struct GoldenBlock {
  let golden: AutogradGolden
  let graph: Graph
  let weights: [String: Variable]

  subscript(name: String) -> Variable { weights[name]! }

  func rotate(_ x: Variable, _ heads: Int) -> Variable {
    graph.rotary(
      x, positions: golden.positions, heads: heads, frequencies: golden.frequencies,
      interleaved: false)
  }

  func hidden() -> Variable {
    let x = graph.embedding(golden.tokens, self["table"])
    let normed = graph.rmsNorm(x, weight: self["norm"], epsilon: 1e-5)
    let mixed = graph.attention(
      query: rotate(graph.linear(normed, self["query"], bias: self["queryBias"]), 4),
      key: rotate(graph.linear(normed, self["key"]), 2),
      value: graph.linear(normed, self["value"]),
      extra: [(key: self["extraKey"], value: self["extraValue"])], heads: 4, kvHeads: 2,
      scale: 0.5, segments: golden.segments.map { $0[0]..<$0[1] })
    let middle = graph.add(x, graph.linear(mixed, self["output"]))
    let gated = graph.swiGLU(
      gate: graph.linear(middle, self["gate"]), up: graph.linear(middle, self["up"]))
    let out = graph.add(middle, graph.linear(gated, self["down"]))
    return graph.add(out, graph.gelu(out))
  }
}

@Suite struct AutogradGoldenTests {
  /// The terms of the sums on the way to a gradient: the norm's, the attention's products, the MLP
  /// and the head with its softmax; then back again, and over the seven rows.
  private static let terms = 2 * (12 + 12 + 4 + 8 + 16 + 12 + 10 + 12 + 23) + 7
  private static let bound = roundingBound(terms: terms)

  private func worst(_ found: [Float], _ expected: [Float]) -> Float {
    let largest = expected.map(abs).max() ?? 0
    return (zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity) / largest
  }

  @Test("A block's logits, losses and gradients are PyTorch's", arguments: [false, true])
  func block(fused: Bool) throws {
    let golden = try AutogradGolden.read()
    let graph = Graph(pool: try ComputePool(threads: 2))
    let parameters = golden.parameters.mapValues {
      Parameter(name: "", value: Tensor(shape: $0.shape, $0.value), decays: true)
    }
    let block = GoldenBlock(
      golden: golden, graph: graph, weights: parameters.mapValues { graph.parameter($0) })
    let hidden = block.hidden()
    let m = golden.tokens.count
    let goal = Tensor(shape: [m, hidden.columns], golden.goal)
    let teacher = Tensor(shape: [m, golden.logits.count / m], golden.teacher)
    let smoothL1 = graph.smoothL1(hidden, goal, weights: golden.weights)
    #expect(abs(smoothL1.scalar - golden.smoothL1) <= Double(Self.bound))
    if fused {
      let loss = graph.headLoss(
        hidden, head: block["head"], targets: golden.targets, teacher: .logits(teacher),
        weights: golden.weights, crossEntropy: 1, divergence: 0.5,
        temperature: golden.temperature)
      #expect(abs(loss.crossEntropy - golden.crossEntropy) <= Double(Self.bound))
      graph.backward(graph.sum([(loss.loss, 1), (smoothL1, 2)]))
    } else {
      let logits = graph.linear(hidden, block["head"])
      #expect(worst(logits.value.values, golden.logits) <= Self.bound)
      let crossEntropy = graph.crossEntropy(
        logits, targets: golden.targets, weights: golden.weights)
      let distillation = graph.distillation(
        logits, teacher: teacher, weights: golden.weights, temperature: golden.temperature)
      #expect(abs(crossEntropy.scalar - golden.crossEntropy) <= Double(Self.bound))
      #expect(abs(distillation.scalar - golden.distillation) <= Double(Self.bound))
      graph.backward(graph.sum([(crossEntropy, 1), (distillation, 0.5), (smoothL1, 2)]))
    }
    for (name, parameter) in parameters {
      let expected = try #require(golden.parameters[name]).gradient
      #expect(worst(parameter.gradient.values, expected) <= Self.bound, "gradient of \(name)")
    }
  }
}
