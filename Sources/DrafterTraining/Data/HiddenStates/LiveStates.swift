import LanguageModels
import Nunchi
import Synchronization

/// Hidden states that the target computes when they are asked for, where a disk has no room for
/// them.
public final class LiveStates: StateSource {
  public let layers: [Int]
  public let hiddenSize: Int
  public let documentCount: Int
  public let rowCount: Int

  private let documents: [TokenizedConversation]
  private let order: DocumentOrder
  /// One batch at a time: its caches serve all documents.
  private let prefill: Mutex<Held>

  /// Unchecked because the mutex that holds it lets in one thread at a time.
  private struct Held: @unchecked Sendable {
    let prefill: StatePrefill
  }

  /// - Parameters:
  ///   - documents: longer ones are cut to `contextLength` tokens.
  ///   - layers: whose states there are beside the final ones.
  /// - Throws: `LanguageModelError.layerOutOfRange`.
  public init(
    documents: [TokenizedConversation], model: Model, layers: [Int], contextLength: Int
  ) throws {
    let contextLength = min(contextLength, model.transformer.contextLength)
    self.documents = documents.map { $0.prefix(contextLength) }.filter { !$0.tokens.isEmpty }
    self.layers = layers
    hiddenSize = model.transformer.hiddenSize
    documentCount = self.documents.count
    rowCount = self.documents.reduce(0) { $0 + $1.tokens.count }
    order = DocumentOrder(lengths: self.documents.map(\.tokens.count))
    prefill = Mutex(
      Held(
        prefill: try StatePrefill(
          model: model.transformer, layers: layers, contextLength: contextLength)))
  }

  public func batch(at index: Int, seed: UInt64, rows: Int) throws -> StateBatch {
    try batch(of: order.documents(at: index, seed: seed, rows: rows), rows: rows)
  }

  public func batch(inOrder index: Int, rows: Int) throws -> StateBatch? {
    try order.documents(inOrder: index, rows: rows).map { try batch(of: $0, rows: rows) }
  }

  private func batch(of indices: [Int], rows: Int) throws -> StateBatch {
    let chosen = indices.map { documents[$0].prefix(rows) }
    let states = try prefill.withLock { held in
      var states: [[[UInt16]]] = []
      while states.count < chosen.count {
        let rest = chosen[states.count...].map(\.tokens)
        states += try held.prefill.states(
          of: Array(rest.prefix(StatePrefill.fitting(rest.map(\.count)))))
      }
      return states
    }
    return StateBatch(
      zip(chosen, states).map { document, states in
        (
          tokens: document.tokens, answer: document.answerMask,
          states: MemoryStates(layers: layers, states: states) as any DocumentStates
        )
      }, hiddenSize: hiddenSize)
  }
}

/// Rows in memory: final ones first, then each layer's.
private struct MemoryStates: DocumentStates {
  let layers: [Int]
  let states: [[UInt16]]

  func withBits(_ kind: StateKind, _ body: (UnsafePointer<UInt16>) -> Void) {
    let index: Int? =
      switch kind {
      case .final: 0
      case .layer(let layer): layers.firstIndex(of: layer).map { $0 + 1 }
      }
    guard let index else {
      preconditionFailure("\(kind.name) is not among the layers that were asked for")
    }
    states[index].withUnsafeBufferPointer { if let base = $0.baseAddress { body(base) } }
  }
}
