import LanguageModels
import ModelFiles

extension DrafterFiles {
  /// A linear layer of the file, quantised.
  /// - Parameters:
  ///   - name: without `.weight` and `.bias`; the bias is read where there is one.
  ///   - chosen: rows to take; nil takes all.
  func linear(
    _ name: String, rows: Int, columns: Int, chosen: [Int32]? = nil
  ) throws -> PackedLinear {
    let bias = name + ".bias"
    let values =
      tensors.tensors[bias] == nil ? nil : try tensors.floats(of: bias, shape: [rows])
    return try PackedLinear(
      file: tensors, tensor: name + ".weight", rows: rows, columns: columns, chosen: chosen,
      bias: chosen.flatMap { chosen in values.map { all in chosen.map { all[Int($0)] } } }
        ?? values, pool: target.pool)
  }

  /// A bias; nil where the file has none. (rows)
  func bias(_ name: String, rows: Int) throws -> [Float]? {
    tensors.tensors[name] == nil ? nil : try tensors.floats(of: name, shape: [rows])
  }

  /// The output matrices of `count` heads: the file's own, or the target's where it has none.
  /// - Parameter name: a head's, without `.weight`.
  func logitHeads(count: Int, name: (Int) -> String) throws -> LogitHeads {
    guard count > 0, let first = tensors.tensors[name(0) + ".weight"] else {
      return .target(try targetHead())
    }
    let tokens = try headTokens()
    // The file's rows may be cut already; otherwise they are cut here.
    let isCut = first.shape.first != target.vocabularySize
    let rows = isCut ? tokens?.count ?? target.vocabularySize : target.vocabularySize
    let heads = try (0..<count).map {
      try linear(
        name($0), rows: rows, columns: target.hiddenSize, chosen: isCut ? nil : tokens)
    }
    return .own(heads, DraftVocabulary(tokens: tokens))
  }
}
