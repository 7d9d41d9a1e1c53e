import LanguageModels

/// The model that drafters are trained for, as far as trainers need it.
public struct TrainingTarget: Sendable {
  public let model: TransformerModel
  public let identity: Provenance.Target

  public init(model: TransformerModel, identity: Provenance.Target) {
    self.model = model
    self.identity = identity
  }

  var hiddenSize: Int { model.hiddenSize }

  /// The embedding rows of tokens, times `scale`. (tokens, hiddenSize)
  func embeddings(of tokens: [Int32], scale: Float = 1) throws -> Tensor {
    let rows = Tensor(shape: [tokens.count, hiddenSize])
    for (row, token) in tokens.enumerated() {
      try model.embed(token, into: rows.data + row * hiddenSize)
    }
    if scale != 1 { rows.scale(by: scale) }
    return rows
  }

  /// The rows of the output matrix that belong to a cut, times `scale`. (cut, hiddenSize)
  func head(_ cut: VocabularyCut, scale: Float = 1) throws -> Tensor {
    let rows = Tensor(
      shape: [cut.tokens.count, hiddenSize], try model.headRows(cut.isWhole ? nil : cut.tokens))
    if scale != 1 { rows.scale(by: scale) }
    return rows
  }
}

extension Tensor {
  func scale(by factor: Float) {
    for index in 0..<count { data[index] *= factor }
  }

  /// Adds uniform noise from -amount to amount.
  func addNoise(_ amount: Float, _ random: inout SeededRandom) {
    for index in 0..<count { data[index] += amount * random.signed() }
  }

  /// Some rows, copied. (rows, columns)
  func gathered(_ rows: [Int]) -> Tensor {
    let result = Tensor(shape: [rows.count, columns])
    for (index, row) in rows.enumerated() {
      (result.data + index * columns).update(from: data + row * columns, count: columns)
    }
    return result
  }
}

extension Tensor {
  /// Multiplies each column by its own factor.
  func scaleColumns(by factors: [Float]) {
    for row in 0..<rows {
      for column in 0..<columns { data[row * columns + column] *= factors[column] }
    }
  }

  /// Multiplies each row by its own factor.
  func scaleRows(by factors: [Float]) {
    for row in 0..<rows {
      for column in 0..<columns { data[row * columns + column] *= factors[row] }
    }
  }

  /// Takes another's values, of the same shape.
  func set(_ other: Tensor) { data.update(from: other.data, count: count) }

  func copy() -> Tensor {
    let result = Tensor(shape: shape)
    result.data.update(from: data, count: count)
    return result
  }
}
