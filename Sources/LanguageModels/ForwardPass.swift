import NunchiKernels

/// One chunk of a forward pass: up to `TransformerModel.chunkRows` rows through all layers.
///
/// Nothing here allocates: all buffers are the cache's.
struct ForwardPass {
  private let configuration: ModelConfiguration
  private let weights: TransformerWeights
  private let cache: TransformerCache
  private let workspace: Workspace
  private let pool: OpaquePointer
  /// Slots in use before this chunk's rows.
  private let committed: Int
  private let rows: Int
  private let parents: UnsafePointer<Int32>?

  // Widths as the kernels take them.
  private let hiddenSize: Int64
  private let queryWidth: Int64
  private let kvWidth: Int64

  /// - Parameter parents: of each row, counted from the chunk's first row. (rows)
  init(
    model: TransformerModel, cache: TransformerCache, pool: OpaquePointer, committed: Int,
    rows: Int, parents: UnsafePointer<Int32>?
  ) {
    configuration = model.configuration
    weights = model.weights
    self.cache = cache
    workspace = cache.workspace
    self.pool = pool
    self.committed = committed
    self.rows = rows
    self.parents = parents
    hiddenSize = Int64(configuration.hiddenSize)
    queryWidth = Int64(configuration.queryWidth)
    kvWidth = Int64(configuration.kvWidth)
  }

  /// Tokens to the residual stream after the last layer. Observed layers' states are copied to
  /// `output` from its row `firstRow` on.
  /// - Throws: `LanguageModelError.attentionMemory`.
  func run(
    _ tokens: UnsafeBufferPointer<Int32>, observing: Observation, firstRow: Int,
    output: ForwardOutput
  ) throws {
    placeRows()
    embed(tokens)
    observe(0, observing, firstRow, output)
    for index in 0..<configuration.layerCount {
      try attention(index)
      feedForward(index)
      observe(index + 1, observing, firstRow, output)
    }
  }

  /// The last norm and the head, for those rows that the caller wants.
  func finish(firstRow: Int, isLast: Bool, logits: LogitRows, output: ForwardOutput) {
    let wanted: Range<Int>  // rows of this chunk
    switch logits {
    case .all: wanted = 0..<rows
    case .last where isLast: wanted = rows - 1..<rows
    case .last, .none: wanted = rows..<rows
    }
    let normed: UnsafeMutablePointer<Float>
    if let finalHidden = output.finalHidden {
      normed = finalHidden.base + firstRow * configuration.hiddenSize
      norm(workspace.hidden, weights.finalNorm, to: normed, rows: rows)
    } else {
      guard !wanted.isEmpty else { return }
      normed = workspace.normed
      let offset = wanted.lowerBound * configuration.hiddenSize
      norm(
        workspace.hidden + offset, weights.finalNorm, to: normed + offset, rows: wanted.count)
    }
    guard !wanted.isEmpty else { return }
    let firstLogits = logits == .all ? firstRow : 0
    workspace.products[0] = nk_product(
      matrix: weights.head, bias: nil,
      output: output.logits.base + firstLogits * configuration.vocabularySize,
      output_stride: Int64(configuration.vocabularySize), accumulate: false)
    linear(
      normed + wanted.lowerBound * configuration.hiddenSize, products: 1, rows: wanted.count)
  }

  // MARK: - Steps

  /// Each row's position, and with it the rotation angles.
  private func placeRows() {
    for row in 0..<rows {
      let parent = Int(parents?[row] ?? -1)
      workspace.positions[row] =
        parent < 0 ? Int32(committed) : workspace.positions[parent] + 1
    }
    for rotary in workspace.rotaries { rotary.select(workspace.positions, rows: rows) }
  }

  private func embed(_ tokens: UnsafeBufferPointer<Int32>) {
    let embedding = weights.embedding
    for (row, token) in tokens.enumerated() {
      nk_dequantize(
        embedding.type, embedding.rows + Int(token) * embedding.rowBytes,
        workspace.hidden + row * configuration.hiddenSize, hiddenSize)
    }
    if configuration.embeddingScale != 1 {
      nk_scale(
        pool, workspace.hidden, configuration.embeddingScale, Int64(rows) * hiddenSize)
    }
    // Each look-up may bring a good many pages into memory; they are not to pile up.
    cache.embeddingLookups += rows
    if cache.embeddingLookups > 1024 {
      weights.releaseEmbeddingPages()
      cache.embeddingLookups = 0
    }
  }

  private func attention(_ index: Int) throws {
    let layer = weights.layers[index]
    let kv = cache.layers + index
    let kind = configuration.layers[index]
    let rotary = workspace.rotaries[kind.rotary]
    let headDim = Int64(configuration.headDim)
    let heads = Int64(configuration.headCount)
    let kvHeads = Int64(configuration.kvHeadCount)

    norm(workspace.hidden, layer.attentionNorm, to: workspace.normed, rows: rows)
    setProduct(0, layer.query, bias: layer.queryBias, to: workspace.query)
    setProduct(1, layer.key, bias: layer.keyBias, to: workspace.key)
    setProduct(2, layer.value, bias: layer.valueBias, to: workspace.value)
    linear(workspace.normed, products: 3, rows: rows)

    if let queryNorm = layer.queryNorm, let keyNorm = layer.keyNorm {
      nk_rms_norm(
        pool, workspace.query, headDim, queryNorm, configuration.normEpsilon,
        Int64(rows) * heads, headDim, workspace.query, headDim)
      nk_rms_norm(
        pool, workspace.key, headDim, keyNorm, configuration.normEpsilon,
        Int64(rows) * kvHeads, headDim, workspace.key, headDim)
    }
    nk_rotate(
      pool, workspace.query, queryWidth, Int64(rows), heads, headDim, rotary.cosines,
      rotary.sines, configuration.interleavedRotary)
    nk_rotate(
      pool, workspace.key, kvWidth, Int64(rows), kvHeads, headDim, rotary.cosines, rotary.sines,
      configuration.interleavedRotary)

    nk_kv_store(
      pool, kv, Int64(committed), Int64(rows), workspace.key, kvWidth, workspace.value, kvWidth)
    var options = nk_attention_options(
      heads: heads, scale: configuration.attentionScale,
      soft_cap: configuration.attentionSoftCap, window: Int64(kind.window))
    guard
      nk_attention(
        pool, kv, &options, Int64(committed), Int64(rows), parents, workspace.query, queryWidth,
        workspace.attended, queryWidth)
    else {
      throw LanguageModelError.attentionMemory(rows: rows, tokens: committed + rows)
    }
    addToResidual(layer.output, workspace.attended, postNorm: layer.attentionPostNorm)
  }

  private func feedForward(_ index: Int) {
    let layer = weights.layers[index]
    norm(workspace.hidden, layer.feedForwardNorm, to: workspace.normed, rows: rows)
    setProduct(0, layer.gate, to: workspace.gate)
    setProduct(1, layer.up, to: workspace.up)
    linear(workspace.normed, products: 2, rows: rows)
    nk_gated(
      pool, configuration.activation == .silu ? NK_SILU : NK_GELU_TANH, workspace.gate,
      workspace.up, workspace.gate, Int64(rows), Int64(configuration.intermediateSize))
    addToResidual(layer.down, workspace.gate, postNorm: layer.feedForwardPostNorm)
  }

  private func observe(
    _ layer: Int, _ observing: Observation, _ firstRow: Int, _ output: ForwardOutput
  ) {
    for (index, wanted) in observing.layers.enumerated() where wanted == layer {
      let columns = configuration.hiddenSize
      (output.layers[index].base + firstRow * columns)
        .update(from: workspace.hidden, count: rows * columns)
    }
  }

  // MARK: - Kernels

  private func norm(
    _ input: UnsafePointer<Float>, _ weight: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>, rows: Int
  ) {
    nk_rms_norm(
      pool, input, hiddenSize, weight, configuration.normEpsilon, Int64(rows), hiddenSize,
      output, hiddenSize)
  }

  /// Sets a product whose output rows are as wide as the matrix is high.
  private func setProduct(
    _ index: Int, _ matrix: UnsafePointer<nk_matrix>, bias: UnsafePointer<Float>? = nil,
    to output: UnsafeMutablePointer<Float>, accumulate: Bool = false
  ) {
    workspace.products[index] = nk_product(
      matrix: matrix, bias: bias, output: output, output_stride: matrix.pointee.rows,
      accumulate: accumulate)
  }

  /// Computes the first `products` products of one input.
  private func linear(_ input: UnsafePointer<Float>, products: Int, rows: Int) {
    var wantsQuantized = false
    for index in 0..<products where !wantsQuantized {
      wantsQuantized = nk_wants_quantized(workspace.products[index].matrix.pointee.type)
    }
    if wantsQuantized {
      nk_quantize(
        pool, input, Int64(rows), workspace.products[0].matrix.pointee.columns,
        workspace.quantized)
    }
    nk_linear(
      pool, workspace.products, Int32(products), input, workspace.quantized, Int64(rows))
  }

  /// hidden += matrix · input, or, with a norm after it, hidden += norm(matrix · input).
  private func addToResidual(
    _ matrix: UnsafePointer<nk_matrix>, _ input: UnsafePointer<Float>,
    postNorm: UnsafePointer<Float>?
  ) {
    guard let postNorm else {
      setProduct(0, matrix, to: workspace.hidden, accumulate: true)
      linear(input, products: 1, rows: rows)
      return
    }
    setProduct(0, matrix, to: workspace.branch)
    linear(input, products: 1, rows: rows)
    norm(workspace.branch, postNorm, to: workspace.branch, rows: rows)
    nk_add(pool, workspace.hidden, workspace.branch, Int64(rows) * hiddenSize)
  }
}
