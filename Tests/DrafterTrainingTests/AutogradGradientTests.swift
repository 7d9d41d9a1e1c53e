import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

/// Gradients against central differences, whose own error in Float32 is about 0.001.
@Suite struct AutogradGradientTests {
  static let tolerance = 0.005
  static let seeds: [UInt64] = [1, 2, 3]

  @Test("A linear layer's gradients, with and without bias", arguments: seeds)
  func linear(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(5, 7), random.parameter(33, 7), random.parameter(33)]
    let error = try gradientError(parameters) { graph, v in
      let y = graph.linear(v[0], v[1], bias: v[2])
      return graph.probe(graph.concatenate([y, graph.linear(v[0], graph.scale(v[1], by: 2))]))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Binary cross-entropy with labels between 0 and 1", arguments: seeds)
  func binaryCrossEntropy(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let x = random.parameter(7, 2)
    let labels = Tensor(shape: [7, 2], (0..<14).map { _ in (random.float() + 1) / 2 })
    for index in 0..<14 { x.value.data[index] *= 4 }
    let error = try gradientError([x]) { graph, v in graph.binaryCrossEntropy(v[0], labels) }
    #expect(error < Self.tolerance)
    let graph = Graph(pool: try ComputePool(threads: 2))
    let found = graph.binaryCrossEntropy(graph.constant(x.value), labels).scalar
    var expected = 0.0
    for (logit, label) in zip(x.value.values, labels.values) {
      let p = 1 / (1 + exp(-Double(logit)))
      expected -= Double(label) * log(p) / 14
      expected -= Double(1 - label) * log(1 - p) / 14
    }
    #expect(abs(found - expected) < 1e-5)
  }

  @Test("Sums, differences, products and scaling of what is used twice", arguments: seeds)
  func arithmetic(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(4, 6), random.parameter(4, 6)]
    let error = try gradientError(parameters) { graph, v in
      let sum = graph.add(v[0], v[1])
      let difference = graph.subtract(sum, graph.scale(v[1], by: 3))
      let product = graph.multiply(difference, sum)
      return graph.probe(graph.add(graph.add(product, sum), graph.add(sum, sum)))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Activations", arguments: seeds)
  func activations(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(3, 19), random.parameter(3, 19)]
    let error = try gradientError(parameters) { graph, v in
      let x = graph.scale(v[0], by: 3)
      return graph.probe(
        graph.add(graph.add(graph.silu(x), graph.gelu(x)), graph.swiGLU(gate: x, up: v[1])))
    }
    #expect(error < Self.tolerance)
  }

  @Test("RMS norm, of the input and of the weight", arguments: seeds)
  func norm(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(4, 21), random.parameter(21)]
    let error = try gradientError(parameters) { graph, v in
      graph.probe(graph.rmsNorm(v[0], weight: v[1], epsilon: 1e-5))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Concatenation, gathered rows and embeddings that repeat a row", arguments: seeds)
  func rows(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(4, 3), random.parameter(6, 5)]
    let error = try gradientError(parameters) { graph, v in
      let joined = graph.concatenate([
        graph.rows(v[0], [3, 0, 3, 1]), graph.embedding([5, 5, 0, 2], v[1]), v[0],
      ])
      return graph.probe(graph.silu(joined))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Rotary embedding in both layouts", arguments: [true, false])
  func rotary(interleaved: Bool) throws {
    var random = Randomness(seed: 5)
    let error = try gradientError([random.parameter(3, 12)]) { graph, v in
      graph.probe(
        graph.rotary(
          v[0], positions: [0, 7, 2], heads: 2, frequencies: [1, 0.1, 0.01],
          interleaved: interleaved))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Attention with grouped heads, segments and extra keys", arguments: [0, 1, 2])
  func attention(extras: Int) throws {
    var random = Randomness(seed: UInt64(extras) + 10)
    let m = 9
    var parameters = [random.parameter(m, 16)]
    for _ in 0..<2 * (extras + 1) { parameters.append(random.parameter(m, 8)) }
    let error = try gradientError(parameters) { graph, v in
      graph.probe(
        graph.attention(
          query: v[0], key: v[1], value: v[2],
          extra: (0..<extras).map { (key: v[3 + 2 * $0], value: v[4 + 2 * $0]) }, heads: 4,
          kvHeads: 2, scale: 0.9, segments: [0..<5, 6..<9]))
    }
    #expect(error < Self.tolerance)
  }

  @Test("Attention over more rows than one block")
  func longAttention() throws {
    var random = Randomness(seed: 20)
    let m = 150
    let parameters = [random.parameter(m, 2), random.parameter(m, 2), random.parameter(m, 2)]
    let error = try gradientError(parameters) { graph, v in
      graph.probe(
        graph.attention(
          query: v[0], key: v[1], value: v[2], heads: 1, kvHeads: 1, scale: 1,
          segments: [2..<m]))
    }
    #expect(error < 2 * Self.tolerance)
  }

  @Test("Cross-entropy, distillation and smooth L1 with weights and ignored rows", arguments: seeds)
  func losses(seed: UInt64) throws {
    var random = Randomness(seed: seed)
    let parameters = [random.parameter(4, 37)]
    let teacher = random.tensor(4, 37)
    let weights: [Float] = [1, 0.5, 0, 2]
    let error = try gradientError(parameters) { graph, v in
      let x = graph.scale(v[0], by: 2)
      return graph.sum([
        (graph.crossEntropy(x, targets: [36, -1, 4, 0], weights: weights), 1),
        (graph.distillation(x, teacher: teacher, weights: weights, temperature: 0.7), 0.5),
        (graph.smoothL1(x, teacher, weights: weights), -2),
      ])
    }
    #expect(error < Self.tolerance)
  }

  @Test(
    "The fused head's loss, with every kind of teacher", arguments: ["none", "hidden", "logits"])
  func headLoss(kind: String) throws {
    var random = Randomness(seed: 30)
    let parameters = [random.parameter(5, 8), random.parameter(37, 8)]
    let states = random.tensor(5, 6)
    let stateHead = random.tensor(37, 6)
    let logits = random.tensor(5, 37)
    let teacher: HeadTeacher? =
      switch kind {
      case "hidden": .hidden(states, weight: stateHead)
      case "logits": .logits(logits)
      default: nil
      }
    let error = try gradientError(parameters) { graph, v in
      graph.headLoss(
        v[0], head: v[1], targets: [36, -1, 4, 0, 7], teacher: teacher,
        weights: [1, 0.5, 0, 2, 1], crossEntropy: 0.3, divergence: 2, temperature: 1.3
      ).loss
    }
    #expect(error < Self.tolerance)
  }

  @Test("A wrong gradient is noticed")
  func negativeControl() throws {
    var random = Randomness(seed: 40)
    let error = try gradientError([random.parameter(3, 5)]) { graph, v in
      let square = graph.allocate(v[0].shape)
      for i in 0..<square.count { square.data[i] = v[0].value.data[i] * v[0].value.data[i] }
      // Off by a tenth.
      let y = graph.record(square, [v[0]]) { [unowned graph] dy in
        let slope = Tensor(
          shape: dy.shape, (0..<dy.count).map { 1.8 * v[0].value.data[$0] * dy.data[$0] })
        graph.receive(slope, v[0])
      }
      return graph.probe(y)
    }
    #expect(error > 5 * Self.tolerance)
  }

  @Test("A frozen parameter gets no gradient, and what is below it still does")
  func frozen() throws {
    var random = Randomness(seed: 50)
    let (below, frozen) = (random.parameter(4, 5), random.parameter(6, 5))
    frozen.isFrozen = true
    let graph = Graph(pool: try ComputePool(threads: 2))
    let x = graph.parameter(below)
    graph.backward(graph.probe(graph.linear(x, graph.parameter(frozen))))
    #expect(frozen.gradient.values.allSatisfy { $0 == 0 })
    #expect(below.gradient.values.allSatisfy { $0 != 0 })
  }
}
