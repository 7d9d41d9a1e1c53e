import Foundation
import LanguageModels
import TrainingKernels

/// Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101), in the arithmetic
/// of PyTorch's. Parameters that do not decay are left out of the decay; frozen ones are left
/// alone. The bits do not depend on the number of threads.
public final class AdamW {
  /// The decay of the two means, and what keeps the division finite.
  public struct Options: Equatable, Sendable {
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// Share of a weight that goes in a step at a rate of 1.
    public var weightDecay: Double

    public init(
      beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.01
    ) {
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  /// What is kept of a parameter's past gradients, each of the parameter's shape.
  public struct Moments {
    /// The running mean of gradients.
    public var first: Tensor
    /// The running mean of their squares.
    public var second: Tensor
  }

  public let options: Options
  public let parameters: [Parameter]
  /// In the order of the parameters; nil for those that were frozen at the beginning.
  public let moments: [Moments?]
  /// Steps that are done.
  public internal(set) var steps = 0

  /// Bytes that the moments of the parameters which are not frozen take.
  public static func momentBytes(of parameters: [Parameter]) -> Int {
    parameters.reduce(0) { $0 + ($1.isFrozen ? 0 : 2 * MemoryLayout<Float>.size * $1.value.count) }
  }

  public init(_ parameters: [Parameter], options: Options = Options()) {
    self.options = options
    self.parameters = parameters
    moments = parameters.map {
      $0.isFrozen
        ? nil : Moments(first: Tensor(shape: $0.value.shape), second: Tensor(shape: $0.value.shape))
    }
  }

  /// Moves every parameter by its gradient times `gradientScale`, and sets the gradients to zero.
  public func step(rate: Double, gradientScale: Double = 1, pool: ComputePool) {
    steps += 1
    var factors = tk_adam_options(
      rate: Float(rate), beta1: Float(options.beta1), beta2: Float(options.beta2),
      epsilon: Float(options.epsilon), decay: 0, gradient_scale: Float(gradientScale),
      correction1: Float(1 - pow(options.beta1, Double(steps))),
      correction2: Float(1 - pow(options.beta2, Double(steps))))
    for decays in [true, false] {
      factors.decay = decays ? Float(options.weightDecay) : 0
      let group = zip(parameters, moments).filter { $0.0.decays == decays && !$0.0.isFrozen }
      let updates = group.compactMap { parameter, moments in moments.map { (parameter, $0) } }
      pool.forEachBlock(of: updates.map(\.0.value.count)) { [factors] index, start, count in
        let (parameter, moments) = updates[index]
        let gradient = parameter.gradient.data + start
        withUnsafePointer(to: factors) {
          tk_adamw(
            $0, parameter.value.data + start, gradient, moments.first.data + start,
            moments.second.data + start, Int64(count))
        }
        gradient.update(repeating: 0, count: count)
      }
    }
  }
}
