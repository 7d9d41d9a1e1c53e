import LanguageModels

/// The draft model that an alignment or a predictor is trained for.
public struct TrainingDraft {
  public let model: TransformerModel
  /// What files call it.
  public let name: String
  /// Of its weights.
  public let sha256: String

  public init(model: TransformerModel, name: String, sha256: String) {
    self.model = model
    self.name = name
    self.sha256 = sha256
  }
}

/// A draft model's states over the documents whose target states a source has. They are computed
/// when they are asked for: a draft model's pass costs less than reading the target's again.
final class PairedStates {
  private let draft: TransformerModel
  private let prefill: StatePrefill

  /// - Throws: `TrainingError.setting` when the two do not have the same vocabulary.
  init(draft: TransformerModel, target: TrainingTarget, contextLength: Int) throws {
    guard draft.vocabularySize == target.model.vocabularySize else {
      throw TrainingError.setting(
        name: "draft model",
        expected: "a vocabulary of \(target.model.vocabularySize) tokens, "
          + "the target's", found: "\(draft.vocabularySize)")
    }
    self.draft = draft
    prefill = try StatePrefill(model: draft, layers: [], contextLength: contextLength)
  }

  /// After the last norm. (rows, the draft model's hidden size)
  func states(of batch: StateBatch) throws -> Tensor {
    let width = draft.hiddenSize
    let result = Tensor(shape: [batch.rows, width])
    var next = 0
    while next < batch.segments.count {
      let rest = batch.segments[next...]
      let count = StatePrefill.fitting(rest.map(\.count))
      let documents = rest.prefix(count)
      let states = try prefill.states(of: documents.map { Array(batch.tokens[$0]) })
      for (segment, state) in zip(documents, states) {
        state[0].withUnsafeBufferPointer { bits in
          guard let base = bits.baseAddress else { return }
          BFloat16.widen(
            base, count: segment.count * width, into: result.data + segment.lowerBound * width)
        }
      }
      next += count
    }
    return result
  }
}

extension StateSource {
  /// Goes over all documents once, in a random order, so that a part of them is like the whole.
  /// - Parameter body: says whether it wants more.
  func forEachBatch(
    seed: UInt64, rows: Int, _ body: (StateBatch) throws -> Bool
  ) throws {
    var (index, documents) = (0, 0)
    while documents < documentCount {
      let batch = try batch(at: index, seed: seed, rows: rows)
      guard try body(batch) else { return }
      documents += batch.segments.count
      index += 1
    }
  }
}

extension StateBatch {
  /// The rows whose next token is the target's own answer.
  var answerRows: [Int] {
    segments.flatMap { segment in
      segment.dropLast().filter { answer[$0 + 1] == 1 }
    }
  }
}
