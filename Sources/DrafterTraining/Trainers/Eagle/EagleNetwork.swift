/// A drafter that goes on from a state: from the state at a token and the token after it, it
/// computes its own state at that next token. EAGLE-1 and EAGLE-3.
protocol EagleNetwork {
  /// Fixed order.
  var parameters: [Parameter] { get }
  /// The target's states that a draft starts from.
  var inputs: [StateKind] { get }
  /// What each of them is multiplied by before it comes in.
  var inputScales: [Float] { get }
  /// What embeddings are multiplied by before they come in.
  var embeddingScale: Float { get }
  /// What the rows of the output matrix have their columns multiplied by. (hidden)
  var headScales: [Float] { get }
  func bind(to graph: Graph) -> any BoundEagleNetwork
  /// The weights for embeddings and states as the target has them, in the public layout.
  func exported() -> [(name: String, value: Tensor)]
}

/// The network's weights as nodes of a graph.
protocol BoundEagleNetwork {
  /// Where a draft starts. (rows, hidden)
  /// - Parameter states: those of `inputs`, scaled. (rows, hidden) each
  func start(from states: [Tensor]) -> Variable
  /// One step: the next state, and what the output matrix is applied to. (rows, hidden) both
  func step(
    _ state: Variable, embeddings: Tensor, positions: [Int32], segments: [Range<Int>],
    memory: inout BoundBlock.Memory
  ) -> (state: Variable, output: Variable)
}
