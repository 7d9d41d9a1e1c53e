import LanguageModels
import TrainingKernels

/// Euclidean lengths of the gradients (or weights) of parameters that are not frozen. The bits do
/// not depend on the number of threads.
public struct GradientNorm: Sendable, Equatable {
  /// The length of all of them together; not finite where one of them is not.
  public var total: Double
  /// The first parameter whose own length is not finite.
  public var notFinite: String?

  /// Measures the gradients.
  public init(ofGradients parameters: [Parameter], pool: ComputePool) {
    self.init(parameters, \.gradient, pool: pool)
  }

  /// Measures the weights.
  public init(ofValues parameters: [Parameter], pool: ComputePool) {
    self.init(parameters, \.value, pool: pool)
  }

  private init(
    _ parameters: [Parameter], _ tensor: KeyPath<Parameter, Tensor>, pool: ComputePool
  ) {
    let parameters = parameters.filter { !$0.isFrozen }
    let tensors = parameters.map { $0[keyPath: tensor] }
    let lengths = tensors.map(\.count)
    // A sum for every block, added up in their order.
    let firsts = lengths.reduce(into: [0]) {
      $0.append($0[$0.count - 1] + ComputePool.blocks(of: [$1]).count)
    }
    let sums = [Double](unsafeUninitializedCapacity: firsts[firsts.count - 1]) { buffer, count in
      nonisolated(unsafe) let buffer = buffer
      pool.forEachBlock(of: lengths) { array, start, length in
        buffer[firsts[array] + start / ComputePool.blockSize] = tk_sum_squares(
          tensors[array].data + start, Int64(length))
      }
      count = buffer.count
    }
    total = sums.reduce(0, +).squareRoot()
    for (index, parameter) in parameters.enumerated() where notFinite == nil {
      let sum = sums[firsts[index]..<firsts[index + 1]].reduce(0, +)
      if !sum.isFinite { notFinite = parameter.name }
    }
  }

  /// What to multiply gradients with so that their norm is at most `limit`; PyTorch's
  /// `clip_grad_norm_`.
  public func clippingScale(limit: Double) -> Double {
    min(1, limit / (total + 1e-6))
  }
}
