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
  /// - Parameters:
  ///   - map: a tensor of the tokens of their rows, where the file cuts them. Without one, the
  ///     rows of matrices cut already are in the order of their tokens.
  ///   - name: a head's, without `.weight`.
  func logitHeads(count: Int, map: String? = nil, name: (Int) -> String) throws -> LogitHeads {
    let map = try map.flatMap(tokenMap)
    let tokens = try map?.sorted() ?? headTokens()
    guard count > 0, let first = tensors.tensors[name(0) + ".weight"] else {
      return .target(try target.outputHead(tokens: tokens))
    }
    // The file's rows may be cut already; otherwise they are cut here.
    let isCut = first.shape.first != target.vocabularySize
    let rows = isCut ? tokens?.count ?? target.vocabularySize : target.vocabularySize
    let ascending = map.map { map in
      map.indices.sorted { map[$0] < map[$1] }.map(Int32.init)
    }
    let heads = try (0..<count).map {
      try linear(
        name($0), rows: rows, columns: target.hiddenSize, chosen: isCut ? ascending : tokens)
    }
    return .own(heads, DraftVocabulary(tokens: tokens))
  }

  /// Tokens that a tensor of the file lists, each once; nil where there is none.
  private func tokenMap(_ name: String) throws -> [Int32]? {
    guard tensors.tensors[name] != nil else { return nil }
    let tokens = try tensors.integers(of: name)
    guard !tokens.isEmpty, Set(tokens).count == tokens.count,
      tokens.allSatisfy({ $0 >= 0 && $0 < target.vocabularySize })
    else {
      throw LanguageModelError.tensorKind(
        file: tensors.path, tensor: name,
        expected: "tokens from 0 to \(target.vocabularySize - 1), each once", found: "others")
    }
    return tokens.map(Int32.init)
  }
}
