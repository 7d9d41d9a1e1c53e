/// A node of a graph: a value, and after `backward` maybe the loss's gradient with respect to it.
public final class Variable {
  public let value: Tensor
  /// Kept for leaves made by `Graph.variable`; elsewhere it is recycled once it has been used.
  public internal(set) var gradient: Tensor?
  public let requiresGradient: Bool
  /// Gradients are added to this parameter's.
  let parameter: Parameter?

  init(value: Tensor, requiresGradient: Bool, parameter: Parameter? = nil) {
    self.value = value
    self.requiresGradient = requiresGradient
    self.parameter = parameter
    gradient = parameter.flatMap { requiresGradient ? $0.gradient : nil }
  }

  public var shape: [Int] { value.shape }
  public var rows: Int { value.rows }
  public var columns: Int { value.columns }
  /// The first value, for scalars such as losses.
  public var scalar: Double { Double(value.data[0]) }
}
