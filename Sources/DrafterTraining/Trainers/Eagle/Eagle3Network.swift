import Drafters

/// EAGLE-3's network (2503.01840): low, middle and high states of the target, fused into one by
/// `fc`; one decoder layer whose attention sees the embedding of the next token and the fused state
/// side by side, each normed; a norm of its own before the output matrix. Later steps take the
/// layer's own result in the place of the fused state.
struct Eagle3Network: EagleNetwork {
  static let version = EagleVersion.eagle3
  var method: String { Self.version.rawValue }
  let inputs: [StateKind]
  let inputScales: [[Float]]
  let embeddingScale: Float = 1
  let headScales: [Float]
  let fuse, embeddingNorm, stateNorm, finalNorm: Parameter
  let block: DecoderBlock
  private let epsilon: Float
  /// What brings the columns of outputs to size 1. (hidden)
  private let fromHead: [Float]

  private static let fusionInput: Float = 0.1
  private static let gain: Float = 0.2

  var parameters: [Parameter] {
    [fuse, embeddingNorm, stateNorm] + block.parameters + [finalNorm]
  }

  /// - Parameters:
  ///   - layers: the three layers whose states are fused, lowest first.
  ///   - sizes: of each of their states, and of final ones: the final norm starts with them.
  init(
    _ shape: BlockShape, layers: [Int], epsilon: Float, frequencies: [Double],
    sizes: StateSizes, random: inout SeededRandom
  ) {
    inputs = layers.map(StateKind.layer)
    let finalSizes = sizes.states[layers.count]
    let streamSize = finalSizes.median
    headScales = [Float](repeating: streamSize, count: shape.hidden)
    fromHead = finalSizes.map { streamSize / $0 }
    inputScales = sizes.states.prefix(layers.count).map { $0.map { 1 / $0 } }
    self.epsilon = epsilon
    fuse = .matrix(
      "fc.weight", rows: shape.hidden, columns: layers.count * shape.hidden, &random)
    embeddingNorm = .norm("midlayer.input_layernorm.weight", columns: shape.hidden)
    stateNorm = .norm("midlayer.hidden_norm.weight", columns: shape.hidden)
    finalNorm = .norm("norm.weight", columns: shape.hidden)
    block = DecoderBlock(
      shape, prefix: "midlayer.", epsilon: epsilon, frequencies: frequencies,
      gain: Self.gain, outputScale: 0.5, random: &random)
    for column in 0..<shape.hidden { finalNorm.value.data[column] = 1 / fromHead[column] }
  }

  /// At first the fusion alone predicts the next state, as well as it can without the next token.
  func prepare(_ setup: StateTraining) throws {
    let guess = try linearGuess(step: 0, embeddings: 0, embeddingsFirst: false, setup: setup)
    guess.scaleRows(by: fromHead)
    guess.scale(by: 1 / Self.fusionInput)
    fuse.value.set(guess)
  }

  func bind(to graph: Graph) -> any BoundEagleNetwork { Bound(self, graph) }

  func exportedWeights() -> [(name: String, value: Tensor)] {
    parameters.map { parameter in
      let value = parameter.value.copy()
      switch parameter.name {
      case fuse.name:
        value.scaleColumns(by: inputScales.flatMap { $0 })
        value.scale(by: Self.fusionInput)
      case block.output.name, block.down.name: value.scale(by: Self.gain)
      case finalNorm.name: value.scaleColumns(by: headScales)
      default: break
      }
      return (parameter.name, value)
    }
  }

  private struct Bound: BoundEagleNetwork {
    private let graph: Graph
    private let fuse, embeddingNorm, stateNorm, finalNorm: Variable
    private let block: BoundBlock
    private let epsilon: Float

    init(_ network: Eagle3Network, _ graph: Graph) {
      self.graph = graph
      fuse = graph.parameter(network.fuse)
      embeddingNorm = graph.parameter(network.embeddingNorm)
      stateNorm = graph.parameter(network.stateNorm)
      finalNorm = graph.parameter(network.finalNorm)
      block = network.block.bind(to: graph)
      epsilon = network.epsilon
    }

    func start(from states: [Tensor]) -> Variable {
      let seen = graph.concatenate(states.map { graph.constant($0) })
      return graph.linear(graph.scale(seen, by: Eagle3Network.fusionInput), fuse)
    }

    func step(
      _ state: Variable, embeddings: Tensor, positions: [Int32], segments: [Range<Int>],
      memory: inout BoundBlock.Memory
    ) -> (state: Variable, output: Variable) {
      let input = graph.concatenate([
        graph.rmsNorm(graph.constant(embeddings), weight: embeddingNorm, epsilon: epsilon),
        graph.rmsNorm(state, weight: stateNorm, epsilon: epsilon),
      ])
      let next = block(
        input, residual: state, positions: positions, segments: segments, memory: &memory)
      return (next, graph.rmsNorm(next, weight: finalNorm, epsilon: epsilon))
    }
  }
}
