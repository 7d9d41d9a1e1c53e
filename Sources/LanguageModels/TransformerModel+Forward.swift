import NunchiKernels

extension TransformerModel {
  public func forward(
    _ sequences: [SequenceRows<TransformerCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    // TODO(batch): several sequences, extending, skipping
    let (tokens, parents, cache) = (
      sequences[0].tokens, sequences[0].parents, sequences[0].cache
    )
    let (logits, observing) = (options.logits, options.observing)
    let isChain = try check(tokens, parents, cache, observing)
    cache.dropPending()
    let output = try cache.outputs.prepare(
      rows: tokens.count, logits: logits, observing: observing)

    try pool.withPool { pool in
      try tokens.withUnsafeBufferPointer { tokens in
        try parents.withUnsafeBufferPointer { parents in
          for first in stride(from: 0, to: tokens.count, by: Self.chunkRows) {
            let rows = min(Self.chunkRows, tokens.count - first)
            // The earlier pieces of a long chain are committed tokens to the later ones.
            let pass = ForwardPass(
              model: self, cache: cache, pool: pool, committed: cache.count + first, rows: rows,
              parents: isChain ? UnsafePointer(cache.workspace.chainParents) : parents.baseAddress)
            try pass.run(
              UnsafeBufferPointer(rebasing: tokens[first..<first + rows]), observing: observing,
              firstRow: first, output: output)
            pass.finish(
              firstRow: first, isLast: first + rows == tokens.count, logits: logits,
              output: output)
          }
        }
      }
    }
    cache.setPending(parents)
    return [output]
  }

  /// Refuses rows that cannot be computed; otherwise says whether they are a chain.
  private func check(
    _ tokens: [Int32], _ parents: [Int32], _ cache: TransformerCache, _ observing: Observation
  ) throws -> Bool {
    precondition(tokens.count == parents.count, "each token has a parent")
    guard cache.weights === weights else { throw LanguageModelError.foreignCache }
    guard !tokens.isEmpty else { throw LanguageModelError.emptyInput }
    guard tokens.count <= cache.capacity - cache.count else {
      throw LanguageModelError.cacheFull(
        rows: tokens.count, count: cache.count, capacity: cache.capacity)
    }
    var isChain = true
    for row in tokens.indices {
      guard tokens[row] >= 0, tokens[row] < vocabularySize else {
        throw LanguageModelError.tokenOutsideVocabulary(
          token: Int(tokens[row]), row: row, vocabularySize: vocabularySize)
      }
      guard parents[row] >= -1, parents[row] < row else {
        throw LanguageModelError.malformedTree(row: row, parent: Int(parents[row]))
      }
      isChain = isChain && Int(parents[row]) == row - 1
    }
    guard isChain || tokens.count <= Self.chunkRows else {
      throw LanguageModelError.treeTooLarge(rows: tokens.count, limit: Self.chunkRows)
    }
    for layer in observing.layers where layer < 0 || layer > configuration.layerCount {
      throw LanguageModelError.layerOutOfRange(
        layer: layer, layerCount: configuration.layerCount)
    }
    return isChain
  }
}
