import NunchiKernels

/// A model's output matrix for others to use: whole, or cut to some of its tokens, as drafters do
/// whose cost it would otherwise be (FR-Spec, 2502.14856).
///
/// A whole one is the model's own, not a copy. A cut one holds the rows of its tokens as the file
/// stores them, so that its logits are bit for bit the model's. Immutable; several may use it at
/// once, and take turns at the model's threads.
public final class OutputHead: Sendable {
  /// The tokens of the logits, ascending; nil when logit i is token i's.
  public let tokens: [Int32]?
  /// Logits of one row.
  public let count: Int
  public let hiddenSize: Int
  /// Tokens of the whole vocabulary.
  public let vocabularySize: Int
  public let pool: ComputePool
  private let matrix: PackedMatrix

  init(_ matrix: PackedMatrix, tokens: [Int32]?, vocabularySize: Int, pool: ComputePool) {
    self.matrix = matrix
    self.tokens = tokens
    self.vocabularySize = vocabularySize
    self.pool = pool
    count = matrix.rows
    hiddenSize = matrix.columns
  }

  /// The logits that follow `rows` states.
  /// - Parameters:
  ///   - states: as after the model's last norm. (rows, hiddenSize)
  ///   - logits: (rows, count)
  public func logits(
    of states: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>
  ) {
    pool.withPool { matrix.multiply(states, count: rows, into: logits, pool: $0) }
  }
}

extension TransformerModel {
  /// The output matrix, whole or cut to `tokens`.
  /// - Parameter tokens: ascending, each once, at least one; nil for the whole vocabulary.
  /// - Throws: `LanguageModelError.invalidTokens` or `.notEnoughMemory`.
  public func outputHead(tokens: [Int32]? = nil) throws -> OutputHead {
    guard let tokens else {
      guard headTokens == nil, let head = weights.head else { throw noWholeHead }
      return OutputHead(
        try PackedMatrix(sharing: head, of: weights), tokens: nil,
        vocabularySize: vocabularySize, pool: pool)
    }
    try check(tokens)
    let rows = try wholeHead()
    let matrix = try PackedMatrix(
      rows, rows: tokens, as: weights.head?.pointee.type ?? rows.type, pool: pool,
      for: "output head of \(tokens.count) tokens")
    rows.releasePages()
    return OutputHead(matrix, tokens: tokens, vocabularySize: vocabularySize, pool: pool)
  }

  /// The output matrix that the model itself uses, cut or not.
  /// - Throws: `LanguageModelError.invalidTokens` for a model without one.
  public func ownOutputHead() throws -> OutputHead {
    guard let head = weights.head else { throw noWholeHead }
    return OutputHead(
      try PackedMatrix(sharing: head, of: weights), tokens: headTokens,
      vocabularySize: vocabularySize, pool: pool)
  }

  private var noWholeHead: LanguageModelError {
    .invalidTokens(
      expected: "a model with its whole output head",
      found: headTokens == nil ? "one without" : "a cut one")
  }

  /// The whole head as the file stores it.
  private func wholeHead() throws -> StoredRows {
    guard let rows = weights.headRows else { throw noWholeHead }
    return rows
  }

  /// The output matrix as floats. (tokens, hiddenSize)
  /// - Parameter tokens: nil for the whole vocabulary.
  /// - Throws: `LanguageModelError.invalidTokens`.
  public func headRows(_ tokens: [Int32]? = nil) throws -> [Float] {
    if let tokens { try check(tokens) }
    let rows = try wholeHead()
    defer { rows.releasePages() }
    return rows.floats(tokens)
  }

  /// The embedding as floats, scaled as the model's first layer sees it. (tokens, hiddenSize)
  /// - Parameter tokens: nil for the whole vocabulary.
  /// - Throws: `LanguageModelError.invalidTokens`.
  public func embeddingRows(_ tokens: [Int32]? = nil) throws -> [Float] {
    if let tokens { try check(tokens) }
    defer { weights.embedding.releasePages() }
    let rows = weights.embedding.floats(tokens)
    let scale = configuration.embeddingScale
    return scale == 1 ? rows : rows.map { $0 * scale }
  }

  /// One token's embedding, scaled as the model's first layer sees it.
  /// - Parameter output: (hiddenSize)
  /// - Throws: `LanguageModelError.invalidTokens` for one outside the vocabulary.
  public func embed(_ token: Int32, into output: UnsafeMutablePointer<Float>) throws {
    guard token >= 0, token < vocabularySize else {
      throw LanguageModelError.invalidTokens(
        expected: "a token from 0 to \(vocabularySize - 1)", found: "\(token)")
    }
    weights.embedding.read(Int(token), into: output)
    let scale = configuration.embeddingScale
    guard scale != 1 else { return }
    for column in 0..<hiddenSize { output[column] *= scale }
  }

  private func check(_ tokens: [Int32]) throws {
    try Self.check(tokens, vocabularySize: vocabularySize)
  }

  /// Refuses what is no part of a vocabulary.
  static func check(_ tokens: [Int32], vocabularySize: Int) throws {
    let expected = "ascending tokens from 0 to \(vocabularySize - 1)"
    guard let first = tokens.first, let last = tokens.last else {
      throw LanguageModelError.invalidTokens(expected: expected, found: "none")
    }
    for (token, next) in zip(tokens, tokens.dropFirst()) where token >= next {
      throw LanguageModelError.invalidTokens(
        expected: expected, found: "\(next) after \(token)")
    }
    guard first >= 0, last < vocabularySize else {
      throw LanguageModelError.invalidTokens(
        expected: expected, found: "\(first < 0 ? first : last)")
    }
  }
}
