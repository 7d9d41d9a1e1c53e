import LanguageModels

/// A small Llama whose embedding is its output matrix.
struct TinyLMNetwork {
  let embedding, norm: Parameter
  let layers: [Layer]
  let epsilon: Float

  struct Layer {
    let norm: Parameter
    let block: DecoderBlock
  }

  /// The base of the rotary frequencies.
  static let theta = 10_000.0

  var shape: BlockShape { layers[0].block.shape }
  var parameters: [Parameter] {
    [embedding] + layers.flatMap { [$0.norm] + $0.block.parameters } + [norm]
  }

  /// With small random weights.
  init(
    _ shape: BlockShape, layers count: Int, vocabularySize: Int, epsilon: Float = 1e-5,
    frequencies: [Double], random: inout SeededRandom
  ) {
    self.epsilon = epsilon
    embedding = .matrix(
      "model.embed_tokens.weight", rows: vocabularySize, columns: shape.hidden, scale: 0.5,
      &random)
    var layers: [Layer] = []
    for index in 0..<count {
      let prefix = "model.layers.\(index)."
      layers.append(
        Layer(
          norm: .norm(prefix + "input_layernorm.weight", columns: shape.hidden),
          block: DecoderBlock(
            shape, prefix: prefix, epsilon: epsilon, frequencies: frequencies,
            outputScale: 1 / Float(2 * count).squareRoot(), random: &random)))
    }
    self.layers = layers
    norm = .norm("model.norm.weight", columns: shape.hidden)
  }

  /// The first layers of a model, with its embedding and last norm.
  init(_ weights: PlainWeights, layers count: Int) throws {
    let model = weights.configuration
    var unused = SeededRandom(seed: 0)
    self.init(
      BlockShape(
        hidden: model.hiddenSize, intermediate: model.intermediateSize, heads: model.headCount,
        kvHeads: model.kvHeadCount, headSize: model.headDim),
      layers: count, vocabularySize: model.vocabularySize, epsilon: model.normEpsilon,
      frequencies: model.rotaries[0].frequencies(headDim: model.headDim), random: &unused)
    for parameter in parameters {
      let shape = parameter.value.shape
      parameter.value.set(
        Tensor(shape: shape, try weights.floats(of: parameter.name, shape: shape)))
    }
  }

  /// What the output matrix is applied to. (rows, hidden)
  func states(
    of tokens: [Int32], positions: [Int32], segments: [Range<Int>], table: Variable,
    in graph: Graph
  ) -> Variable {
    var stream = graph.embedding(tokens, table)
    for layer in layers {
      var memory = BoundBlock.Memory()
      let normed = graph.rmsNorm(
        stream, weight: graph.parameter(layer.norm), epsilon: epsilon)
      stream = layer.block.bind(to: graph)(
        normed, residual: stream, positions: positions, segments: segments, memory: &memory)
    }
    return graph.rmsNorm(stream, weight: graph.parameter(norm), epsilon: epsilon)
  }
}
