import COpenBLAS
import LanguageModels
import NunchiKernels
import TrainingKernels

/// One forward and one backward pass, defined by running it. The memory of activations is recycled
/// as the backward pass goes and when the graph is let go.
///
/// Threads share the elements of an operation's output, and no sum is split between threads, so a
/// run with the same shapes gives the same bits. Wrong shapes stop the program: they are mistakes
/// in a trainer. A lack of memory makes the rest of the graph do nothing and shows in `failure`;
/// losses are then NaN.
///
///     let graph = Graph(pool: pool)
///     let logits = graph.linear(graph.constant(x), graph.parameter(weight))
///     let loss = graph.crossEntropy(logits, targets: targets, weights: weights)
///     graph.backward(loss)
///     if let failure = graph.failure { throw failure }
public final class Graph {
  let pool: ComputePool
  /// Set when memory ran out.
  public private(set) var failure: TrainingError?
  private var tape: [Node] = []
  /// The angles of the last rotary embedding, which keys share with queries.
  var rotaryAngles: RotaryAngles?

  private struct Node {
    let output: Variable
    /// Takes the output's gradient, adds to its inputs'.
    let backward: (Tensor) -> Void
  }

  /// Products run on the pool's threads, each with a single-threaded BLAS.
  private static let singleThreadedBLAS: Void = openblas_set_num_threads(1)

  public init(pool: ComputePool) {
    self.pool = pool
    _ = Self.singleThreadedBLAS
  }

  // MARK: Leaves

  public func constant(_ value: Tensor) -> Variable {
    Variable(value: value, requiresGradient: false)
  }

  /// A leaf that keeps its gradient.
  public func variable(_ value: Tensor) -> Variable {
    Variable(value: value, requiresGradient: true)
  }

  /// Gradients are added to the parameter's, unless it is frozen.
  public func parameter(_ parameter: Parameter) -> Variable {
    Variable(value: parameter.value, requiresGradient: !parameter.isFrozen, parameter: parameter)
  }

  // MARK: Backward

  /// Adds `scale` times the loss's gradient to the parameters'. Only once for a graph: it is
  /// consumed. `loss` is a scalar.
  public func backward(_ loss: Variable, scale: Float = 1) {
    precondition(loss.value.count == 1, "backward of a tensor of shape \(loss.shape)")
    guard loss.requiresGradient, failure == nil else {
      tape = []
      return
    }
    let seed = allocate([])
    seed.data[0] = scale
    receive(seed, loss)
    while let node = tape.popLast() {
      guard let gradient = node.output.gradient else { continue }
      node.output.gradient = nil
      node.backward(gradient)
    }
  }

  // MARK: For operations

  /// Makes an operation's result and remembers how to go back.
  func record(
    _ value: Tensor, _ inputs: [Variable], backward: @escaping (Tensor) -> Void
  ) -> Variable {
    let output = Variable(
      value: value, requiresGradient: inputs.contains(where: \.requiresGradient))
    if output.requiresGradient { tape.append(Node(output: output, backward: backward)) }
    return output
  }

  /// A tensor with undefined contents.
  func allocate(_ shape: [Int]) -> Tensor {
    if failure == nil, let tensor = Tensor(uninitialized: shape) { return tensor }
    let needed = shape.reduce(MemoryLayout<Float>.stride, *)
    if failure == nil {
      failure = .notEnoughMemory(
        purpose: "a tensor of shape \(shape)", needed: needed,
        available: TensorMemory.availableBytes)
    }
    return Tensor(hollow: shape)
  }

  /// Where to put a gradient for `input`, and whether to add to what is there; nil when none is
  /// wanted.
  func gradient(of input: Variable) -> (data: UnsafeMutablePointer<Float>, add: Bool)? {
    guard input.requiresGradient else { return nil }
    if let gradient = input.gradient { return (gradient.data, true) }
    let gradient = allocate(input.shape)
    input.gradient = gradient
    return (gradient.data, false)
  }

  /// Hands a gradient that nobody else needs to `input`.
  func receive(_ gradient: Tensor, _ input: Variable) {
    guard input.requiresGradient else { return }
    guard let sum = input.gradient else {
      input.gradient = gradient
      return
    }
    elements(gradient.count) { range in
      tk_axpy(1, gradient.data + range.lowerBound, sum.data + range.lowerBound, Int64(range.count))
    }
  }

  // MARK: Threads

  /// Runs `body` on pieces of 0 ..< count, `grain` items each, on all threads.
  func parallel(_ count: Int, grain: Int = 1, _ body: (_ thread: Int, _ range: Range<Int>) -> Void)
  {
    guard failure == nil, count > 0 else { return }
    withoutActuallyEscaping(body) { body in
      var task = Task(body: body)
      withUnsafeMutablePointer(to: &task) { task in
        pool.withPool { pool in
          nk_pool_run(
            pool, Int64(count), Int64(grain),
            { context, thread, begin, end in
              let state = tk_flush_denormals()
              context!.assumingMemoryBound(to: Task.self).pointee.body(
                Int(thread), Int(begin)..<Int(end))
              tk_restore(state)
            }, task)
        }
      }
    }
  }

  private struct Task {
    let body: (Int, Range<Int>) -> Void
  }

  /// Pieces of `count` elements, long enough to be worth a hand-over.
  func elements(_ count: Int, _ body: (Range<Int>) -> Void) {
    parallel(count, grain: 16384) { _, range in body(range) }
  }

  /// Pieces of `rows` rows of `columns`.
  func rows(_ rows: Int, columns: Int, _ body: (Range<Int>) -> Void) {
    parallel(rows, grain: max(1, 16384 / max(columns, 1))) { _, range in body(range) }
  }
}
