/// Hidden states of the target over documents, for trainers: stored ones (`HiddenStateSet`), or
/// computed when they are asked for (`LiveStates`).
///
///     let source = try HiddenStateSet(folder: "states", layers: [2, 15, 27])
///     let (training, validation) = source.split(validation: 0.05, seed: 1)
///     let batch = try training.batch(at: microBatch, seed: 1, rows: 512)
///     let final = Tensor(shape: [batch.rows, source.hiddenSize])
///     batch.copy(.final, into: final.data)             // row t: the state at batch.tokens[t]
///     let low = Tensor(shape: [batch.rows, source.hiddenSize])
///     batch.copy(.layer(2), into: low.data)
///     for segment in batch.segments { … }              // the rows of one document
///     // Row t of a segment predicts batch.tokens[t + 1], and counts when batch.answer[t + 1] is
///     // 1: the token is the target's own answer.
public protocol StateSource: Sendable {
  /// Numbers of a state.
  var hiddenSize: Int { get }
  /// Layers whose states there are (0 = the embedding, n = after layer n), beside the final ones.
  var layers: [Int] { get }
  /// How many documents.
  var documentCount: Int { get }
  /// Tokens of all documents.
  var rowCount: Int { get }

  /// Whole documents, at most so many rows of them together; a longer document is cut. Every
  /// document has its turn once before any has its second one.
  ///
  /// The same (index, seed, rows) gives the same batch, whatever was asked for before.
  func batch(at index: Int, seed: UInt64, rows: Int) throws -> StateBatch
  /// The documents in their order, so many rows at a time; nil after the last. For validation.
  func batch(inOrder index: Int, rows: Int) throws -> StateBatch?
}

/// Which states of a token.
public enum StateKind: Sendable, Hashable {
  /// After the last norm: the output head on it gives the target's logits.
  case final
  /// The output of a layer; 0 is the embedding.
  case layer(Int)

  /// The tensor's name in files.
  public var name: String {
    switch self {
    case .final: "final"
    case .layer(let layer): "layer.\(layer)"
    }
  }
}

/// Documents, one after another, with the target's states at each of their tokens.
public struct StateBatch: Sendable {
  /// (rows)
  public let tokens: [Int32]
  /// 1 where the token is the target's own answer, else 0. (rows)
  public let answer: [UInt8]
  /// The rows of each document.
  public let segments: [Range<Int>]
  public let hiddenSize: Int
  /// For each document its states.
  private let states: [any DocumentStates]

  public var rows: Int { tokens.count }

  /// - Parameter documents: tokens and answer masks of equal count, with states of as many rows or
  ///   more.
  init(
    _ documents: [(tokens: [Int32], answer: [UInt8], states: any DocumentStates)], hiddenSize: Int
  ) {
    tokens = documents.flatMap(\.tokens)
    answer = documents.flatMap(\.answer)
    states = documents.map(\.states)
    self.hiddenSize = hiddenSize
    var segments: [Range<Int>] = []
    var end = 0
    for document in documents {
      segments.append(end..<end + document.tokens.count)
      end += document.tokens.count
    }
    self.segments = segments
  }

  /// Writes the states of all rows. (rows, hiddenSize)
  public func copy(_ kind: StateKind, into target: UnsafeMutablePointer<Float>) {
    for (segment, states) in zip(segments, states) {
      states.withBits(kind) {
        BFloat16.widen(
          $0, count: segment.count * hiddenSize, into: target + segment.lowerBound * hiddenSize)
      }
    }
  }
}

/// The states of one document, in bfloat16.
protocol DocumentStates: Sendable {
  /// (rows, hiddenSize)
  /// - Precondition: the kind is one of the source's.
  func withBits(_ kind: StateKind, _ body: (UnsafePointer<UInt16>) -> Void)
}
