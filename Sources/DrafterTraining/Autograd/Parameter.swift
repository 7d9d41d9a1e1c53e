/// A trained tensor and its gradient, to which every backward pass adds.
public final class Parameter {
  /// The name in checkpoints.
  public let name: String
  public let value: Tensor
  public let gradient: Tensor
  /// Whether weight decay applies: matrices decay, norms and biases do not.
  public let decays: Bool
  /// A frozen parameter is a constant: no gradient is computed.
  public var isFrozen: Bool

  public init(name: String, value: Tensor, decays: Bool, isFrozen: Bool = false) {
    self.name = name
    self.value = value
    gradient = Tensor(shape: value.shape)
    self.decays = decays
    self.isFrozen = isFrozen
  }
}
