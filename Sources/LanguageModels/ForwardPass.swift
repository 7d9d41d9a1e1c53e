import NunchiKernels

/// One chunk of a forward pass: up to `TransformerModel.chunkRows` rows through all layers.
///
/// The rows of all sequences go through the linear layers together; each row's position, keys,
/// values and attention are its own sequence's. Nothing here allocates: all buffers are the
/// model's and the caches'.
struct ForwardPass {
  /// The rows of one sequence.
  struct Part {
    let cache: TransformerCache
    let tokens: ArraySlice<Int32>
    /// A state for each token, if the model takes them.
    let states: UnsafePointer<Float>?
    /// Slots in use before the chain or tree.
    let committed: Int
    /// Rows of the tree that earlier passes computed.
    let first: Int
    let isChain: Bool

    var rows: Int { tokens.count }

    /// A new row's position in its sequence.
    func position(of row: Int) -> Int {
      guard !isChain else { return committed + row }
      var position = committed, parent = cache.pendingParents[first + row]
      while parent >= 0 {
        position += 1
        parent = cache.pendingParents[Int(parent)]
      }
      return position
    }
  }

  private let configuration: ModelConfiguration
  private let weights: TransformerWeights
  private let workspace: Workspace
  private let pool: OpaquePointer
  private let parts: [Part]
  private let options: ForwardOptions
  private let rows: Int

  // Widths as the kernels take them.
  private let hiddenSize: Int64
  private let queryWidth: Int64
  private let kvWidth: Int64

  init(
    model: TransformerModel, pool: OpaquePointer, parts: [Part], options: ForwardOptions
  ) {
    configuration = model.configuration
    weights = model.weights
    workspace = model.workspace
    self.pool = pool
    self.parts = parts
    self.options = options
    rows = parts.reduce(0) { $0 + $1.rows }
    hiddenSize = Int64(configuration.hiddenSize)
    queryWidth = Int64(configuration.queryWidth)
    kvWidth = Int64(configuration.kvWidth)
  }

  /// Tokens, and states that come with them, to the residual stream after the last layer. Observed layers' states are copied to
  /// `output` from its row `firstRow` on.
  /// - Throws: `LanguageModelError.attentionMemory`.
  func run(firstRow: Int, output: ForwardOutput) throws {
    placeRows()
    enter()
    observe(0, firstRow, output)
    for index in 0..<configuration.layerCount {
      if !options.skippedLayers.contains(index) {
        try attention(index)
        feedForward(index)
      }
      observe(index + 1, firstRow, output)
    }
  }

  /// The last norm, if there is one, and the head, for those rows that the caller wants.
  /// - Parameter isLast: whether the chunk has the sequences' last rows.
  func finish(firstRow: Int, isLast: Bool, output: ForwardOutput) {
    let finalHidden = output.finalHidden.map { $0.base + firstRow * configuration.hiddenSize }
    if let finalHidden { outputNorm(workspace.hidden, to: finalHidden, rows: rows) }
    switch options.logits {
    case .all:
      if finalHidden == nil {
        outputNorm(workspace.hidden, to: workspace.normed, rows: rows)
      }
      head(
        finalHidden ?? workspace.normed, rows: rows,
        to: output.logits.base + firstRow * output.logits.columns)
    case .last where isLast:
      // The wanted rows, side by side.
      var row = 0
      for (place, part) in parts.enumerated() {
        row += part.rows
        (workspace.branch + place * configuration.hiddenSize).update(
          from: workspace.hidden + (row - 1) * configuration.hiddenSize,
          count: configuration.hiddenSize)
      }
      outputNorm(workspace.branch, to: workspace.normed, rows: parts.count)
      head(workspace.normed, rows: parts.count, to: output.logits.base)
    case .last, .none: break
    }
  }

  // MARK: - Steps

  /// The rotation angles of each row's position.
  private func placeRows() {
    var row = 0
    for part in parts {
      for index in 0..<part.rows {
        let position = part.position(of: index)
        for (table, rows) in zip(part.cache.rotaries, workspace.rotaries) {
          table.copy(position, to: rows, row: row)
        }
        row += 1
      }
    }
  }

  /// Makes the first layer's input.
  private func enter() {
    let width = configuration.hiddenSize
    switch configuration.input {
    case .tokens:
      embed(to: workspace.hidden, stride: width)
      guard configuration.embeddingScale != 1 else { break }
      nk_scale(
        pool, workspace.hidden, configuration.embeddingScale, Int64(rows) * hiddenSize)
    case .fused:
      embed(to: workspace.joined, stride: 2 * width)
      copyStates(to: workspace.joined + width, stride: 2 * width)
      guard let fusion = weights.input.fusion else { break }
      setProduct(0, fusion, bias: weights.input.fusionBias, to: workspace.hidden)
      linear(workspace.joined, products: 1, rows: rows)
    case .paired(let normalisedResidual):
      guard let embeddingNorm = weights.input.embeddingNorm,
        let stateNorm = weights.input.stateNorm
      else { break }
      embed(to: workspace.normed, stride: width)
      norm(
        workspace.normed, embeddingNorm, to: workspace.joined, rows: rows, stride: 2 * width)
      copyStates(to: workspace.hidden, stride: width)
      norm(
        workspace.hidden, stateNorm, to: workspace.joined + width, rows: rows, stride: 2 * width)
      if normalisedResidual {
        norm(workspace.hidden, stateNorm, to: workspace.hidden, rows: rows)
      }
    }
  }

  private func copyStates(to output: UnsafeMutablePointer<Float>, stride: Int) {
    var row = 0
    for part in parts {
      guard let states = part.states else { continue }
      for index in 0..<part.rows {
        (output + row * stride).update(
          from: states + index * configuration.hiddenSize, count: configuration.hiddenSize)
        row += 1
      }
    }
  }

  private func embed(to output: UnsafeMutablePointer<Float>, stride: Int) {
    var row = 0
    for part in parts {
      for token in part.tokens {
        weights.embedding.read(Int(token), into: output + row * stride)
        row += 1
      }
    }
    // Each look-up may bring a good many pages into memory; they are not to pile up.
    workspace.embeddingLookups += rows
    if workspace.embeddingLookups > 1024 {
      weights.embedding.releasePages()
      workspace.embeddingLookups = 0
    }
  }

  private func attention(_ index: Int) throws {
    let layer = weights.layers[index]
    let kind = configuration.layers[index]
    let rotary = workspace.rotaries[kind.rotary]
    let headDim = Int64(configuration.headDim)
    let heads = Int64(configuration.headCount)
    let kvHeads = Int64(configuration.kvHeadCount)

    let input = attentionInput(layer)
    setProduct(0, layer.query, bias: layer.queryBias, to: workspace.query)
    setProduct(1, layer.key, bias: layer.keyBias, to: workspace.key)
    setProduct(2, layer.value, bias: layer.valueBias, to: workspace.value)
    linear(input, products: 3, rows: rows)

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

    var row = 0
    for (number, part) in parts.enumerated() {
      let kv = part.cache.layers + index
      let key = workspace.key + row * configuration.kvWidth
      let value = workspace.value + row * configuration.kvWidth
      nk_kv_store(
        pool, kv, Int64(part.committed + part.first), Int64(part.rows), key, kvWidth, value,
        kvWidth)
      workspace.attentionRows[number] = nk_attention_rows(
        kv: kv, committed: Int64(part.committed), first: Int64(part.first),
        M: Int64(part.first + part.rows),
        parents: part.isChain ? nil : UnsafePointer(part.cache.pendingParents),
        q: workspace.query + row * configuration.queryWidth,
        output: workspace.attended + row * configuration.queryWidth)
      row += part.rows
    }
    var options = nk_attention_options(
      heads: heads, scale: configuration.attentionScale,
      soft_cap: configuration.attentionSoftCap, window: Int64(kind.window))
    guard
      nk_attention(
        pool, &options, workspace.attentionRows, Int64(parts.count), queryWidth, queryWidth)
    else {
      let longest = parts.map { $0.committed + $0.first + $0.rows }.max() ?? 0
      throw LanguageModelError.attentionMemory(rows: rows, tokens: longest)
    }
    addToResidual(layer.output, workspace.attended, postNorm: layer.attentionPostNorm)
  }

  /// What a layer's attention sees. Only the first layer of a model that takes states has no norm.
  private func attentionInput(_ layer: TransformerWeights.Layer) -> UnsafePointer<Float> {
    guard let weight = layer.attentionNorm else {
      return UnsafePointer(configuration.input.isPaired ? workspace.joined : workspace.hidden)
    }
    norm(workspace.hidden, weight, to: workspace.normed, rows: rows)
    return UnsafePointer(workspace.normed)
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

  private func observe(_ layer: Int, _ firstRow: Int, _ output: ForwardOutput) {
    for (index, wanted) in options.observing.layers.enumerated() where wanted == layer {
      let columns = configuration.hiddenSize
      (output.layers[index].base + firstRow * columns)
        .update(from: workspace.hidden, count: rows * columns)
    }
  }

  // MARK: - Kernels

  private func head(
    _ input: UnsafePointer<Float>, rows: Int, to logits: UnsafeMutablePointer<Float>
  ) {
    guard let head = weights.head else { return }
    setProduct(0, head, to: logits)
    linear(input, products: 1, rows: rows)
  }

  private func outputNorm(
    _ input: UnsafePointer<Float>, to output: UnsafeMutablePointer<Float>, rows: Int
  ) {
    if let weight = weights.finalNorm {
      norm(input, weight, to: output, rows: rows)
    } else {
      output.update(from: input, count: rows * configuration.hiddenSize)
    }
  }

  /// - Parameter stride: floats between rows of the output; nil where they follow each other.
  private func norm(
    _ input: UnsafePointer<Float>, _ weight: UnsafePointer<Float>,
    to output: UnsafeMutablePointer<Float>, rows: Int, stride: Int? = nil
  ) {
    nk_rms_norm(
      pool, input, hiddenSize, weight, configuration.normEpsilon, Int64(rows), hiddenSize,
      output, stride.map(Int64.init) ?? hiddenSize)
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
