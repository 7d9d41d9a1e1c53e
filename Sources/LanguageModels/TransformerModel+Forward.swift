import NunchiKernels

extension TransformerModel {
  public func forward(
    _ sequences: [SequenceRows<TransformerCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    guard !sequences.isEmpty else { return [] }
    try check(sequences, options)
    let buffers = sequences[0].cache.outputs
    let rows = sequences.reduce(0) { $0 + $1.tokens.count }
    let output = try buffers.prepare(
      rows: rows,
      logitRows: sequences.reduce(0) { $0 + options.logits.count(of: $1.tokens.count) },
      observing: options.observing)
    let parts = sequences.map(part)

    try pool.withPool { pool in
      for first in stride(from: 0, to: rows, by: Self.chunkRows) {
        let end = min(first + Self.chunkRows, rows)
        let pass = ForwardPass(
          model: self, pool: pool,
          parts: rows > Self.chunkRows
            ? [parts[0].piece(first..<end, stateWidth: hiddenSize)] : parts, options: options)
        try pass.run(firstRow: first, output: output)
        pass.finish(firstRow: first, isLast: end == rows, output: output)
      }
    }

    var (row, logitRow) = (0, 0)
    return parts.map { part in
      part.cache.addPending(part.rows, isChain: part.isChain)
      part.cache.sharedOutputs = part.cache.outputs === buffers ? nil : buffers
      let logitCount = options.logits.count(of: part.rows)
      defer {
        row += part.rows
        logitRow += logitCount
      }
      return output.part(rows: row..<row + part.rows, logits: logitRow..<logitRow + logitCount)
    }
  }

  /// What a pass computes for a sequence, whose cache notes the new rows' parents.
  private func part(_ sequence: SequenceRows<TransformerCache>) -> ForwardPass.Part {
    let cache = sequence.cache
    if !sequence.extendsPending { cache.dropPending() }
    let isChain = cache.isChain(extendedBy: sequence.parents)
    cache.place(sequence.parents)
    // To the rows of a chain, pending ones are like committed tokens.
    return ForwardPass.Part(
      cache: cache, tokens: sequence.tokens[...], states: sequence.states,
      committed: cache.count + (isChain ? cache.pendingCount : 0),
      first: isChain ? 0 : cache.pendingCount, isChain: isChain)
  }
}

extension ForwardPass.Part {
  /// Some rows of a long chain: earlier ones are committed tokens to them.
  fileprivate func piece(_ rows: Range<Int>, stateWidth: Int) -> Self {
    Self(
      cache: cache, tokens: tokens[rows], states: states.map { $0 + rows.lowerBound * stateWidth },
      committed: committed + rows.lowerBound, first: 0, isChain: true)
  }
}

// MARK: - Checks

extension TransformerModel {
  /// Refuses what cannot be computed.
  private func check(
    _ sequences: [SequenceRows<TransformerCache>], _ options: ForwardOptions
  ) throws {
    var rows = 0
    for (index, sequence) in sequences.enumerated() {
      try check(sequence)
      guard !configuration.takesStates || sequence.states != nil else {
        throw LanguageModelError.statesMissing(sequence: index)
      }
      guard !sequences[..<index].contains(where: { $0.cache === sequence.cache }) else {
        throw LanguageModelError.repeatedCache(sequence: index)
      }
      rows += sequence.tokens.count
    }
    guard sequences.count == 1 || rows <= Self.chunkRows else {
      throw LanguageModelError.tooManyRows(rows: rows, limit: Self.chunkRows)
    }
    guard weights.head != nil || options.logits == .none else { throw LanguageModelError.noHead }
    for layer in options.observing.layers where layer < 0 || layer > layerCount {
      throw LanguageModelError.layerOutOfRange(layer: layer, layerCount: layerCount)
    }
    for layer in options.skippedLayers.sorted() where layer < 0 || layer >= layerCount {
      throw LanguageModelError.skippedLayerOutOfRange(layer: layer, layerCount: layerCount)
    }
  }

  private func check(_ sequence: SequenceRows<TransformerCache>) throws {
    let (tokens, parents, cache) = (sequence.tokens, sequence.parents, sequence.cache)
    precondition(tokens.count == parents.count, "each token has a parent")
    guard cache.weights === weights else { throw LanguageModelError.foreignCache }
    guard !tokens.isEmpty else { throw LanguageModelError.emptyInput }
    let pending = sequence.extendsPending ? cache.pendingCount : 0
    guard tokens.count <= cache.capacity - cache.count - pending else {
      throw LanguageModelError.cacheFull(
        rows: pending + tokens.count, count: cache.count, capacity: cache.capacity)
    }
    var isChain = pending == 0 || cache.pendingIsChain
    for row in tokens.indices {
      guard tokens[row] >= 0, tokens[row] < vocabularySize else {
        throw LanguageModelError.tokenOutsideVocabulary(
          token: Int(tokens[row]), row: row, vocabularySize: vocabularySize)
      }
      guard parents[row] >= -1, parents[row] < pending + row else {
        throw LanguageModelError.malformedTree(row: pending + row, parent: Int(parents[row]))
      }
      isChain = isChain && Int(parents[row]) == pending + row - 1
    }
    guard isChain || pending + tokens.count <= Self.chunkRows else {
      throw LanguageModelError.treeTooLarge(
        rows: pending + tokens.count, limit: Self.chunkRows)
    }
  }
}
