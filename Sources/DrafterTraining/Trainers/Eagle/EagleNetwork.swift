import LanguageModels
import ModelFiles

/// EAGLE's networks, which go on from a state: from the state at a token and the token after it
/// they compute their own state at that next token.
protocol EagleNetwork: StateNetwork {
  func bind(to graph: Graph) -> any BoundEagleNetwork
  /// The weights for embeddings and states as the target has them, under their public names: each of
  /// `parameters` in its place, times constants.
  func exportedWeights() -> [(name: String, value: Tensor)]
}

/// The network's weights as nodes of a graph.
protocol BoundEagleNetwork {
  /// Where a draft starts. (rows, hidden)
  /// - Parameter states: the input states, scaled. (rows, hidden) each
  func start(from states: [Tensor]) -> Variable
  /// One step: the next state, and what the output matrix is applied to. (rows, hidden) both
  func step(
    _ state: Variable, embeddings: Tensor, positions: [Int32], segments: [Range<Int>],
    memory: inout BoundBlock.Memory
  ) -> (state: Variable, output: Variable)
}

extension EagleNetwork {
  var mostSteps: Int { 16 }

  /// Sets the weights to those of an exported drafter.
  /// - Parameter folder: of a drafter with the same sizes.
  /// - Throws: `LanguageModelError` or `ModelFileError`, naming the file and the tensor.
  func start(from folder: String) throws {
    let file = try SafetensorsFile(path: folder)
    for parameter in parameters { parameter.value.fill(1) }
    for (parameter, scale) in zip(parameters, exportedWeights()) {
      let weights = try file.floats(of: scale.name, shape: parameter.value.shape)
      for (index, weight) in weights.enumerated() {
        parameter.value.data[index] = weight / scale.value.data[index]
      }
    }
  }

  /// Each step sees the true rows up to its start and what was drafted from there, as in decoding
  /// (EAGLE-3's training-time test; for EAGLE-1 more than its paper does, as in HASS, 2408.15766).
  func outputs(_ start: DraftStart, steps: Int, in graph: Graph) -> [Variable] {
    let bound = bind(to: graph)
    let positions = start.batch.positions
    var state = bound.start(from: start.inputs)
    var memory = BoundBlock.Memory()
    return (0..<steps).map { step in
      let (next, output) = bound.step(
        state, embeddings: start.embeddings(ahead: 1 + step),
        positions: positions.map { $0 + Int32(step) }, segments: start.batch.segments,
        memory: &memory)
      state = next
      return output
    }
  }
}
