import LanguageModels
import Testing

@testable import DrafterTraining

/// Seeded values for tests. (SplitMix64)
struct Randomness {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In -1 ..< 1.
  mutating func float() -> Float { Float(next() >> 40) / Float(1 << 23) - 1 }

  mutating func tensor(_ shape: Int...) -> Tensor {
    Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in float() })
  }

  mutating func parameter(_ shape: Int...) -> Parameter {
    let values = (0..<shape.reduce(1, *)).map { _ in float() }
    return Parameter(name: "\(shape)", value: Tensor(shape: shape, values), decays: true)
  }

  mutating func token(_ vocabulary: Int) -> Int32 { Int32(next() % UInt64(vocabulary)) }
}

/// What two orders of adding up may differ by, relative to the largest value, where a value has
/// passed through float sums: one of n terms is within n · 2⁻²⁴ of the exact sum, to first order
/// (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
/// - Parameter terms: those of all sums along the longest way from input to result.
func roundingBound(terms: Int) -> Float { 2 * Float(terms) * 0x1p-24 }

extension Graph {
  /// Σ x · fixed random factors, a scalar: its gradient has no symmetry to hide mistakes behind.
  func probe(_ x: Variable, seed: UInt64 = 99) -> Variable {
    var random = Randomness(seed: seed)
    let factors = Tensor(shape: x.shape, (0..<x.value.count).map { _ in random.float() })
    let ones = Tensor(shape: [1, x.columns], Array(repeating: 1, count: x.columns))
    let sums = linear(multiply(x, constant(factors)), constant(ones))
    return sum((0..<x.rows).map { (rows(sums, [$0]), 1) })
  }
}

/// The largest difference between the gradients of a scalar and its central differences, relative
/// to the largest gradient.
func gradientError(
  _ parameters: [Parameter], step: Float = 1e-2, threads: Int = 2,
  _ loss: (Graph, [Variable]) -> Variable
) throws -> Double {
  let pool = try ComputePool(threads: threads)
  func value() -> Double {
    let graph = Graph(pool: pool)
    return loss(graph, parameters.map { graph.constant($0.value) }).scalar
  }
  for parameter in parameters { parameter.gradient.zero() }
  weak var unused: Graph?
  do {
    let graph = Graph(pool: pool)
    _ = loss(graph, parameters.map { graph.parameter($0) })
    unused = graph
  }
  #expect(unused == nil, "a graph that nobody goes back through keeps its memory")
  let graph = Graph(pool: pool)
  graph.backward(loss(graph, parameters.map { graph.parameter($0) }))
  var worst = 0.0
  var largest = 1e-6
  for parameter in parameters {
    for index in 0..<parameter.value.count {
      let kept = parameter.value.data[index]
      parameter.value.data[index] = kept + step
      let above = value()
      parameter.value.data[index] = kept - step
      let below = value()
      parameter.value.data[index] = kept
      let expected = (above - below) / Double(2 * step)
      worst = max(worst, abs(expected - Double(parameter.gradient.data[index])))
      largest = max(largest, abs(expected))
    }
  }
  return worst / largest
}
