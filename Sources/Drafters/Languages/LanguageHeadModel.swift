import LanguageModels

/// A draft model whose output head has the tokens of the language that is written, and another one
/// when the text changes its language. Made for one sequence: the head is part of its state.
final class LanguageHeadModel: LanguageModel, TextFollowing {
  private let model: TransformerModel
  private let vocabularies: DraftVocabularies
  // Unsafe: one sequence has one thread at a time.
  private nonisolated(unsafe) var languages: [Int] = []
  private nonisolated(unsafe) var head: OutputHead?
  private nonisolated(unsafe) var logits: [Float] = []
  /// The length of the text when its language was last looked at, and its last token.
  private nonisolated(unsafe) var lookedAt = (count: 0, token: Int32(-1))

  /// Tokens after which the language is looked at again.
  private static let interval = 8

  init(_ model: TransformerModel, _ vocabularies: DraftVocabularies) {
    self.model = model
    self.vocabularies = vocabularies
  }

  var vocabularySize: Int { model.vocabularySize }
  var hiddenSize: Int { model.hiddenSize }
  var contextLength: Int { model.contextLength }
  var layerCount: Int { model.layerCount }
  var headTokens: [Int32]? { head?.tokens ?? model.headTokens }
  func makeCache(capacity: Int) throws -> TransformerCache {
    try model.makeCache(capacity: capacity)
  }

  func follow(_ text: [Int32]) throws {
    let goesOn =
      text.count >= lookedAt.count && text.count < lookedAt.count + Self.interval
      && lookedAt.count > 0 && text[lookedAt.count - 1] == lookedAt.token
    guard head == nil || !goesOn else { return }
    lookedAt = (text.count, text.last ?? -1)
    let found = vocabularies.languages(of: text)
    guard head == nil || found != languages else { return }
    languages = found
    head = try vocabularies.head(of: model, languages: found)
  }

  func forward(
    _ sequences: [SequenceRows<TransformerCache>], options: ForwardOptions
  ) throws -> [ForwardOutput] {
    guard let head, options.logits != .none else {
      return try model.forward(sequences, options: options)
    }
    var inner = options
    inner.logits = .none
    inner.observing.finalHidden = true
    var outputs = try model.forward(sequences, options: inner)
    let counts = outputs.map { options.logits == .last ? 1 : $0.finalHidden?.rows ?? 0 }
    let needed = counts.reduce(0, +) * head.count
    if logits.count < needed { logits = [Float](repeating: 0, count: needed) }
    logits.withUnsafeMutableBufferPointer { buffer in
      guard var next = buffer.baseAddress else { return }
      for (index, count) in counts.enumerated() {
        guard let states = outputs[index].finalHidden else { continue }
        head.logits(
          of: states.base + (states.rows - count) * states.columns, rows: count, into: next)
        outputs[index].logits = FloatRows(base: next, rows: count, columns: head.count)
        next += count * head.count
      }
    }
    return outputs
  }
}
