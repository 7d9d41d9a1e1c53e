import LanguageModels

/// Computes the hidden states of whole documents, short ones together in one pass.
final class StatePrefill {
  private let model: TransformerModel
  private let observing: Observation
  private let contextLength: Int
  /// One for long documents, and one for each short one of a pass.
  private var long: TransformerCache?
  private var short: [TransformerCache] = []

  /// Rows of one pass over a part of a long document.
  private static let passRows = 512
  /// The most documents of a pass: each has a cache of its own.
  private static let passDocuments = 16

  /// - Throws: `LanguageModelError.layerOutOfRange`.
  init(model: TransformerModel, layers: [Int], contextLength: Int) throws {
    for layer in layers where layer < 0 || layer > model.layerCount {
      throw LanguageModelError.layerOutOfRange(layer: layer, layerCount: model.layerCount)
    }
    self.model = model
    observing = Observation(finalHidden: true, layers: layers)
    self.contextLength = min(contextLength, model.contextLength)
  }

  /// How many of some documents, from the first on, go into one pass.
  static func fitting(_ lengths: some Sequence<Int>) -> Int {
    var (count, rows) = (0, 0)
    for length in lengths {
      rows += length
      guard count == 0 || (rows <= TransformerModel.chunkRows && count < passDocuments) else {
        break
      }
      count += 1
    }
    return count
  }

  /// For each document, for the final states and each layer's, all rows in bfloat16.
  /// - Parameter documents: none empty or longer than the context; together they fit in a pass, or
  ///   there is only one.
  func states(of documents: [[Int32]]) throws -> [[[UInt16]]] {
    if documents.count == 1, documents[0].count > TransformerModel.chunkRows {
      return [try states(ofLong: documents[0])]
    }
    while short.count < documents.count {
      short.append(try model.makeCache(capacity: min(TransformerModel.chunkRows, contextLength)))
    }
    let sequences = zip(documents, short).map { tokens, cache in
      cache.truncate(to: 0)
      return SequenceRows(
        cache: cache, tokens: tokens, parents: tokens.indices.map { Int32($0) - 1 })
    }
    let outputs = try model.forward(
      sequences, options: ForwardOptions(logits: .none, observing: observing))
    return outputs.map { output in
      var states: [[UInt16]] = []
      Self.append(output, to: &states)
      return states
    }
  }

  private func states(ofLong tokens: [Int32]) throws -> [[UInt16]] {
    let cache = try long ?? model.makeCache(capacity: contextLength)
    long = cache
    cache.truncate(to: 0)
    var states: [[UInt16]] = []
    for start in stride(from: 0, to: tokens.count, by: Self.passRows) {
      let chunk = Array(tokens[start..<min(start + Self.passRows, tokens.count)])
      let output = try model.forward(
        chain: chunk, cache: cache, logits: .none, observing: observing)
      cache.commit(path: Array(chunk.indices))
      Self.append(output, to: &states)
    }
    return states
  }

  private static func append(_ output: ForwardOutput, to states: inout [[UInt16]]) {
    let kinds = [output.finalHidden].compactMap { $0 } + output.layers
    if states.isEmpty { states = Array(repeating: [], count: kinds.count) }
    for (index, kind) in kinds.enumerated() {
      for row in 0..<kind.rows { BFloat16.append(kind[row], to: &states[index]) }
    }
  }
}
