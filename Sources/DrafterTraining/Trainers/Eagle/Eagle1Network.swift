import Drafters

/// EAGLE-1's network (2401.15077): one decoder layer, without a norm before attention, over
/// `fc([embedding of token t+1 ; final state at t])`. Its result stands for the target's final
/// state at t+1.
///
/// It is trained on embeddings and states scaled to size 1, so that one learning rate suits all
/// weights; `exportedWeights` has the scales in the weights.
struct Eagle1Network: EagleNetwork {
  static let version = EagleVersion.eagle1
  var method: String { Self.version.rawValue }
  let inputs = [StateKind.final]
  var inputScales: [Float] { [1 / stateSize] }
  let embeddingScale: Float
  /// The size of the target's final states.
  let stateSize: Float
  let fuse: Parameter
  let block: DecoderBlock

  var parameters: [Parameter] { [fuse] + block.parameters }
  var headScales: [Float] { [Float](repeating: stateSize, count: block.shape.hidden) }

  /// - Parameters:
  ///   - embeddingSize: the root mean square of embeddings.
  ///   - stateSize: that of final states.
  init(
    _ shape: BlockShape, epsilon: Float, frequencies: [Double], embeddingSize: Float,
    stateSize: Float, random: inout SeededRandom
  ) {
    self.stateSize = stateSize
    embeddingScale = 1 / embeddingSize
    fuse = .matrix("fc.weight", rows: shape.hidden, columns: 2 * shape.hidden, &random)
    block = DecoderBlock(
      shape, prefix: "layers.0.", epsilon: epsilon / (stateSize * stateSize),
      frequencies: frequencies, random: &random)
  }

  func bind(to graph: Graph) -> any BoundEagleNetwork { Bound(self, graph) }

  func exportedWeights() -> [(name: String, value: Tensor)] {
    parameters.map { parameter in
      let value = parameter.value.copy()
      switch parameter.name {
      case fuse.name:
        // The stream has the states' size; its state half is in and out alike.
        let half = value.columns / 2
        for row in 0..<value.rows {
          for column in 0..<half {
            value.data[row * 2 * half + column] *= stateSize * embeddingScale
          }
        }
      case block.query.name, block.key.name, block.value.name: value.scale(by: 1 / stateSize)
      case block.output.name, block.down.name: value.scale(by: stateSize)
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
      block = network.block.bind(to: graph)
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
