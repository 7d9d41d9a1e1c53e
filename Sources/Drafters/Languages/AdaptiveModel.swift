import LanguageModels

/// A tiny language model whose output goes on learning. Made for one sequence.
final class AdaptiveModel: LanguageModel, TextFollowing {
  private let model: TransformerModel
  private let adaptation: HeadAdaptation
  private let vocabulary: DraftVocabulary
  // Unsafe: one sequence has one thread at a time.
  /// What was computed for the last token of the text, until its successor is known.
  private nonisolated(unsafe) var state: [Float] = []
  private nonisolated(unsafe) var logits: [Float] = []
  private nonisolated(unsafe) var text: [Int32] = []

  init(_ model: TransformerModel, _ adaptation: HeadAdaptation) {
    self.model = model
    self.adaptation = adaptation
    vocabulary = DraftVocabulary(tokens: model.headTokens)
  }

  var vocabularySize: Int { model.vocabularySize }
  var hiddenSize: Int { model.hiddenSize }
  var contextLength: Int { model.contextLength }
  var layerCount: Int { model.layerCount }
  var headTokens: [Int32]? { model.headTokens }
  func makeCache(capacity: Int) throws -> TransformerCache {
    try model.makeCache(capacity: capacity)
  }

  func follow(_ text: [Int32]) throws {
    let known = self.text.count
    if !state.isEmpty, text.count > known, text.starts(with: self.text) {
      state.withUnsafeBufferPointer { state in
        logits.withUnsafeBufferPointer { logits in
          adaptation.learn(
            text[known], after: state, logits: logits,
            token: { [vocabulary] in vocabulary.tokens?[$0] ?? Int32($0) },
            column: vocabulary.column)
        }
      }
    }
    self.text = text
    state = []
  }

  func forward(
    _ sequences: [SequenceRows<TransformerCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    guard options.logits != .none else { return try model.forward(sequences, options: options) }
    var inner = options
    inner.observing.finalHidden = true
    let outputs = try model.forward(sequences, options: inner)
    for output in outputs {
      guard let states = output.finalHidden else { continue }
      let first = states.rows - output.logits.rows
      for row in 0..<output.logits.rows {
        adaptation.adjust(
          output.logits[row], after: UnsafeBufferPointer(states[first + row]),
          column: vocabulary.column)
      }
      // The last token of the text itself, not of a draft.
      if options.logits == .last, output.logits.rows == 1 {
        state = Array(states[states.rows - 1])
        logits = Array(output.logits[0])
      }
    }
    return outputs
  }
}
