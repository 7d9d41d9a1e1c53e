/// The sizes of a decoder layer.
public struct BlockShape: Sendable, Equatable, Codable {
  /// Columns of the residual stream.
  public var hidden: Int
  /// Columns that queries, keys and values are computed from: `hidden`, or twice as many in
  /// EAGLE-3.
  public var input: Int
  public var intermediate: Int
  public var heads: Int
  public var kvHeads: Int
  public var headSize: Int

  public init(
    hidden: Int, input: Int? = nil, intermediate: Int, heads: Int, kvHeads: Int, headSize: Int
  ) {
    self.hidden = hidden
    self.input = input ?? hidden
    self.intermediate = intermediate
    self.heads = heads
    self.kvHeads = kvHeads
    self.headSize = headSize
  }
}

/// The trained weights of one decoder layer of Llama's kind: grouped-query attention with rotary
/// positions, and a gated feed-forward part with its norm. What comes before attention (norms or
/// none, and of what) is the caller's.
struct DecoderBlock {
  let shape: BlockShape
  let epsilon: Float
  /// Radians per position of each pair. (headSize / 2)
  let frequencies: [Double]
  let gain: Float
  let query, key, value, output: Parameter
  let norm, gate, up, down: Parameter

  var parameters: [Parameter] { [query, key, value, output, norm, gate, up, down] }

  /// - Parameters:
  ///   - prefix: of the tensors' names, such as `layers.0.`.
  ///   - gain: what the layer's products are multiplied by before they join its stream, in
  ///     training. Below 1 it makes their weights larger, and what an update does to the stream
  ///     smaller.
  ///   - outputScale: the size of these products at first, before the gain.
  init(
    _ shape: BlockShape, prefix: String, epsilon: Float, frequencies: [Double], gain: Float = 1,
    outputScale: Float, random: inout SeededRandom
  ) {
    self.shape = shape
    self.gain = gain
    self.epsilon = epsilon
    self.frequencies = frequencies
    let (queryWidth, kvWidth) = (shape.heads * shape.headSize, shape.kvHeads * shape.headSize)
    func matrix(_ name: String, _ rows: Int, _ columns: Int, scale: Float = 1) -> Parameter {
      .matrix(prefix + name + ".weight", rows: rows, columns: columns, scale: scale, &random)
    }
    query = matrix("self_attn.q_proj", queryWidth, shape.input)
    key = matrix("self_attn.k_proj", kvWidth, shape.input)
    value = matrix("self_attn.v_proj", kvWidth, shape.input)
    output = matrix("self_attn.o_proj", shape.hidden, queryWidth, scale: outputScale)
    norm = .norm(prefix + "post_attention_layernorm.weight", columns: shape.hidden)
    gate = matrix("mlp.gate_proj", shape.intermediate, shape.hidden)
    up = matrix("mlp.up_proj", shape.intermediate, shape.hidden)
    down = matrix("mlp.down_proj", shape.hidden, shape.intermediate, scale: outputScale)
  }

  func bind(to graph: Graph) -> BoundBlock { BoundBlock(self, graph) }
}

/// A decoder layer's weights as nodes of a graph.
struct BoundBlock {
  /// Keys and values that rows see.
  struct Memory {
    /// Of the first pass: row t sees the rows up to t of its document.
    fileprivate var key, value: Variable?
    /// Of later passes, which draft on from each row: row t sees only row t.
    fileprivate var drafted: [(key: Variable, value: Variable)] = []
  }

  private let block: DecoderBlock
  private let graph: Graph
  private let query, key, value, output, norm, gate, up, down: Variable

  fileprivate init(_ block: DecoderBlock, _ graph: Graph) {
    self.block = block
    self.graph = graph
    query = graph.parameter(block.query)
    key = graph.parameter(block.key)
    value = graph.parameter(block.value)
    output = graph.parameter(block.output)
    norm = graph.parameter(block.norm)
    gate = graph.parameter(block.gate)
    up = graph.parameter(block.up)
    down = graph.parameter(block.down)
  }

  /// The layer's result. (rows, hidden)
  /// - Parameters:
  ///   - input: what queries, keys and values are computed from. (rows, shape.input)
  ///   - residual: what attention's result is added to. (rows, hidden)
  ///   - memory: what earlier passes over the same rows left; this pass adds its own.
  func callAsFunction(
    _ input: Variable, residual: Variable, positions: [Int32], segments: [Range<Int>],
    memory: inout Memory
  ) -> Variable {
    let shape = block.shape
    func rotated(_ x: Variable, heads: Int) -> Variable {
      graph.rotary(
        x, positions: positions, heads: heads, frequencies: block.frequencies, interleaved: false)
    }
    let queries = rotated(graph.linear(input, query), heads: shape.heads)
    let keys = rotated(graph.linear(input, key), heads: shape.kvHeads)
    let values = graph.linear(input, value)
    if memory.key == nil {
      (memory.key, memory.value) = (keys, values)
    } else {
      memory.drafted.append((keys, values))
    }
    let attended = graph.attention(
      query: queries, key: memory.key ?? keys, value: memory.value ?? values,
      extra: memory.drafted, heads: shape.heads, kvHeads: shape.kvHeads,
      scale: 1 / Float(shape.headSize).squareRoot(), segments: segments)
    let stream = added(graph.linear(attended, output), to: residual)
    let normed = graph.rmsNorm(stream, weight: norm, epsilon: block.epsilon)
    let inner = graph.swiGLU(gate: graph.linear(normed, gate), up: graph.linear(normed, up))
    return added(graph.linear(inner, down), to: stream)
  }

  private func added(_ change: Variable, to stream: Variable) -> Variable {
    graph.add(stream, block.gain == 1 ? change : graph.scale(change, by: block.gain))
  }
}

extension Graph {
  /// Each column times its own constant factor.
  func scaleColumns(of x: Variable, by factors: [Float]) -> Variable {
    let rows = Tensor(shape: [x.rows, factors.count])
    factors.withUnsafeBufferPointer { factors in
      guard let base = factors.baseAddress else { return }
      for row in 0..<rows.rows {
        (rows.data + row * factors.count).update(from: base, count: factors.count)
      }
    }
    return multiply(x, constant(rows))
  }
}
