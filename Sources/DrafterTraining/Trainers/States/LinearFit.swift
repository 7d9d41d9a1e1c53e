import LanguageModels

/// A linear map fitted by least squares to rows of inputs and outputs, a little damped. Drafters
/// start from such maps: they take a second to find, and gradient descent takes long.
final class LinearFit {
  private let pool: ComputePool
  /// Σ x xᵀ. (inputs, inputs)
  private let squares: Tensor
  /// Σ y xᵀ. (outputs, inputs)
  private let products: Tensor
  private var rows = 0

  /// Damping, for inputs of size 1.
  private static let damping: Float = 1e-3
  private static let iterations = 80

  init(inputs: Int, outputs: Int, pool: ComputePool) {
    self.pool = pool
    squares = Tensor(shape: [inputs, inputs])
    products = Tensor(shape: [outputs, inputs])
  }

  /// - Parameters:
  ///   - x: (rows, inputs)
  ///   - y: (rows, outputs)
  func add(_ x: Tensor, _ y: Tensor) {
    let graph = Graph(pool: pool)
    let (x, y) = (graph.constant(x.transposed), graph.constant(y.transposed))
    squares.add(graph.linear(x, x).value)
    products.add(graph.linear(y, x).value)
    rows += x.columns
  }

  /// The map W of y ≈ W x, by conjugate gradients, all rows of W at once. (outputs, inputs)
  func solution() -> Tensor {
    let damping = Self.damping * Float(rows)
    for index in 0..<squares.rows { squares.data[index * squares.columns + index] += damping }
    let solution = Tensor(shape: products.shape)
    let residual = products.copy()
    let direction = products.copy()
    var lengths = residual.squaredLengths
    let first = lengths
    for _ in 0..<Self.iterations {
      let graph = Graph(pool: pool)
      let image = graph.linear(graph.constant(direction), graph.constant(squares)).value
      let curvatures = direction.dots(image)
      // A row that is solved stays as it is.
      let steps = lengths.indices.map {
        lengths[$0] > 1e-10 * first[$0] && curvatures[$0] > 0 ? lengths[$0] / curvatures[$0] : 0
      }
      solution.add(direction, times: steps)
      residual.add(image, times: steps.map { -$0 })
      let next = residual.squaredLengths
      let factors = lengths.indices.map { lengths[$0] > 0 ? next[$0] / lengths[$0] : 0 }
      direction.scaleRows(by: factors)
      direction.add(residual, times: [Float](repeating: 1, count: direction.rows))
      lengths = next
    }
    return solution
  }
}

extension Tensor {
  fileprivate var transposed: Tensor {
    let result = Tensor(shape: [columns, rows])
    for row in 0..<rows {
      for column in 0..<columns { result.data[column * rows + row] = data[row * columns + column] }
    }
    return result
  }

  fileprivate func add(_ other: Tensor) {
    for index in 0..<count { data[index] += other.data[index] }
  }

  /// Adds each row of another, times its own factor.
  fileprivate func add(_ other: Tensor, times factors: [Float]) {
    for row in 0..<rows {
      let (to, from, factor) = (data + row * columns, other.data + row * columns, factors[row])
      for column in 0..<columns { to[column] += factor * from[column] }
    }
  }

  /// Each row's product with the same row of another.
  fileprivate func dots(_ other: Tensor) -> [Float] {
    (0..<rows).map { row in
      let (a, b) = (data + row * columns, other.data + row * columns)
      var sum = 0.0
      for column in 0..<columns { sum += Double(a[column]) * Double(b[column]) }
      return Float(sum)
    }
  }

  fileprivate var squaredLengths: [Float] { dots(self) }
}

extension StateNetwork {
  /// The linear map from input states, and the embeddings of some tokens after them, to the state
  /// that a step predicts. (hidden, inputs)
  /// - Parameters:
  ///   - step: which step predicts it.
  ///   - embeddings: how many tokens it has read, whose embeddings come before or after the states.
  func linearGuess(
    step: Int, embeddings count: Int, embeddingsFirst: Bool, setup: StateTraining
  ) throws -> Tensor {
    let pool = setup.target.model.pool
    let width = headScales.count
    let widths = inputs.count + count
    let fit = LinearFit(inputs: widths * width, outputs: width, pool: pool)
    var random = SeededRandom(seed: 0)
    // The work of a batch grows with the square of the inputs: more of them are fitted to fewer rows.
    for index in 0..<max(8, Self.guessWork / (widths * widths)) {
      let start = try DraftStart(
        setup.batch(index), for: self, target: setup.target, noise: 0, &random)
      let next = start.batch.shifted(by: 1 + step)
      let rows = next.indices.filter { next[$0] != nil }
      guard !rows.isEmpty else { continue }
      let states = start.inputs.map { $0.gathered(rows) }
      let read = (0..<count).map { start.embeddings(ahead: 1 + $0).gathered(rows) }
      let graph = Graph(pool: pool)
      let parts = (embeddingsFirst ? read + states : states + read).map { graph.constant($0) }
      fit.add(
        graph.concatenate(parts).value, start.final.gathered(rows.compactMap { next[$0] }))
    }
    return fit.solution()
  }

  /// 96 batches for two widths of inputs.
  private static var guessWork: Int { 384 }
}
