import Drafters

/// EAGLE-1's network (2401.15077): one decoder layer, without a norm before attention, over
/// `fc([embedding of token t+1 ; final state at t])`. Its result stands for the target's final
/// state at t+1.
///
/// In training the stream's columns have size 1; `exportedWeights` has their sizes in the weights.
struct Eagle1Network: EagleNetwork {
  static let version = EagleVersion.eagle1
  var method: String { Self.version.rawValue }
  let inputs = [StateKind.final]
  var inputScales: [[Float]] { [headScales.map { 1 / $0 }] }
  let embeddingScale: Float
  /// The sizes of the target's final states. (hidden)
  let headScales: [Float]
  let fuse: Parameter
  let block: DecoderBlock

  var parameters: [Parameter] { [fuse] + block.parameters }

  /// - Parameters:
  ///   - sizes: of final states.
  init(
    _ shape: BlockShape, epsilon: Float, frequencies: [Double], sizes: StateSizes,
    random: inout SeededRandom
  ) {
    headScales = sizes.states[0]
    embeddingScale = 1 / sizes.embedding
    fuse = .matrix("fc.weight", rows: shape.hidden, columns: 2 * shape.hidden, &random)
    block = DecoderBlock(
      shape, prefix: "layers.0.", epsilon: epsilon, frequencies: frequencies,
      outputScale: 0.1, random: &random)
  }

  /// At first the fusion alone predicts the next state, as well as a linear map can.
  func prepare(_ setup: StateTraining) throws {
    fuse.value.set(
      try linearGuess(step: 0, embeddings: 1, embeddingsFirst: true, setup: setup))
  }

  func bind(to graph: Graph) -> any BoundEagleNetwork { Bound(self, graph) }

  func exportedWeights() -> [(name: String, value: Tensor)] {
    let fromStream = inputScales[0]
    return parameters.map { parameter in
      let value = parameter.value.copy()
      switch parameter.name {
      case fuse.name:
        let embedding = [Float](repeating: embeddingScale, count: fromStream.count)
        value.scaleColumns(by: embedding + fromStream)
        value.scaleRows(by: headScales)
      case block.query.name, block.key.name, block.value.name: value.scaleColumns(by: fromStream)
      case block.output.name, block.down.name: value.scaleRows(by: headScales)
      default: break
      }
      return (parameter.name, value)
    }
  }

  private struct Bound: BoundEagleNetwork {
    private let graph: Graph
    private let fuse: Variable
    private let block: BoundBlock

    init(_ network: Eagle1Network, _ graph: Graph) {
      self.graph = graph
      fuse = graph.parameter(network.fuse)
      block = network.block.bind(to: graph, scales: network.headScales)
    }

    func start(from states: [Tensor]) -> Variable { graph.constant(states[0]) }

    func step(
      _ state: Variable, embeddings: Tensor, positions: [Int32], segments: [Range<Int>],
      memory: inout BoundBlock.Memory
    ) -> (state: Variable, output: Variable) {
      let fused = graph.linear(
        graph.concatenate([graph.constant(embeddings), state]), fuse)
      let next = block(
        fused, residual: fused, positions: positions, segments: segments, memory: &memory)
      return (next, next)
    }
  }
}
