import Drafters

/// EAGLE-1's network (2401.15077): one decoder layer, without a norm before attention, over
/// `fc([embedding of token t+1 ; final state at t])`. Its result stands for the target's final
/// state at t+1.
///
/// In training, what the products see has size 1 in each column, and the stream the size that most
/// columns of the states have: a few columns are ten times larger, but the output matrix is as
/// sensitive to all. `exportedWeights` has all scales in the weights.
struct Eagle1Network: EagleNetwork {
  static let version = EagleVersion.eagle1
  var method: String { Self.version.rawValue }
  let inputs = [StateKind.final]
  var inputScales: [[Float]] { [stateSizes.map { 1 / $0 }] }
  let embeddingScale: Float
  let headScales: [Float]
  let fuse: Parameter
  let block: DecoderBlock
  /// The sizes of the target's final states. (hidden)
  private let stateSizes: [Float]
  /// The size of most of them, which the stream is divided by.
  private let streamSize: Float
  /// What the target multiplies its embedding's rows by. A drafter reads the rows as they are.
  private let rowScale: Float

  /// What the fusion's inputs are multiplied by: its rows add up many numbers, hence its weights
  /// are to change less than others.
  private static let fusionInput: Float = 0.1
  private static let gain: Float = 0.2

  var parameters: [Parameter] { [fuse] + block.parameters }

  /// - Parameters:
  ///   - sizes: of final states.
  ///   - rowScale: what the target multiplies its embedding's rows by.
  init(
    _ shape: BlockShape, epsilon: Float, frequencies: [Double], sizes: StateSizes,
    rowScale: Float, random: inout SeededRandom
  ) {
    self.rowScale = rowScale
    stateSizes = sizes.states[0]
    let streamSize = stateSizes.median
    self.streamSize = streamSize
    headScales = [Float](repeating: streamSize, count: shape.hidden)
    embeddingScale = 1 / sizes.embedding
    fuse = .matrix("fc.weight", rows: shape.hidden, columns: 2 * shape.hidden, &random)
    block = DecoderBlock(
      shape, prefix: "layers.0.", epsilon: epsilon / (streamSize * streamSize),
      frequencies: frequencies, gain: Self.gain, outputScale: 0.5, random: &random)
    for column in 0..<shape.hidden {
      block.norm.value.data[column] = streamSize / stateSizes[column]
    }
  }

  /// At first the fusion alone predicts the next state, as well as a linear map can.
  func prepare(_ setup: StateTraining) throws {
    let guess = try linearGuess(step: 0, embeddings: 1, embeddingsFirst: true, setup: setup)
    guess.scale(by: 1 / Self.fusionInput)
    fuse.value.set(guess)
  }

  func bind(to graph: Graph) -> any BoundEagleNetwork { Bound(self, graph) }

  func exportedWeights() -> [(name: String, value: Tensor)] {
    let fromState = inputScales[0]
    return parameters.map { parameter in
      let value = parameter.value.copy()
      switch parameter.name {
      case fuse.name:
        let embedding = [Float](repeating: embeddingScale * rowScale, count: fromState.count)
        value.scaleColumns(by: embedding + fromState)
        value.scale(by: Self.fusionInput * streamSize)
      case block.query.name, block.key.name, block.value.name: value.scaleColumns(by: fromState)
      case block.output.name, block.down.name: value.scale(by: Self.gain * streamSize)
      default: break
      }
      return (parameter.name, value)
    }
  }

  private struct Bound: BoundEagleNetwork {
    private let graph: Graph
    private let fuse: Variable
    private let block: BoundBlock
    /// From the stream's scale to columns of size 1. (hidden)
    private let toUnit: [Float]
    private let toStream: [Float]

    init(_ network: Eagle1Network, _ graph: Graph) {
      self.graph = graph
      fuse = graph.parameter(network.fuse)
      block = network.block.bind(to: graph)
      toUnit = network.stateSizes.map { network.streamSize / $0 }
      toStream = toUnit.map { 1 / $0 }
    }

    func start(from states: [Tensor]) -> Variable {
      graph.scaleColumns(of: graph.constant(states[0]), by: toStream)
    }

    func step(
      _ state: Variable, embeddings: Tensor, positions: [Int32], segments: [Range<Int>],
      memory: inout BoundBlock.Memory
    ) -> (state: Variable, output: Variable) {
      let seen = graph.concatenate([
        graph.constant(embeddings), graph.scaleColumns(of: state, by: toUnit),
      ])
      let fused = graph.linear(graph.scale(seen, by: Eagle1Network.fusionInput), fuse)
      let next = block(
        graph.scaleColumns(of: fused, by: toUnit), residual: fused, positions: positions,
        segments: segments, memory: &memory)
      return (next, next)
    }
  }
}

extension [Float] {
  /// The middle one of the values; 1 where there are none.
  var median: Float { isEmpty ? 1 : sorted()[count / 2] }
}
