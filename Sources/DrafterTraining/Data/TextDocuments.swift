import Foundation
import Nunchi

/// Documents without states, for drafters that learn from text alone: a corpus, or conversations.
public final class TextDocuments: StateSource {
  public let hiddenSize: Int
  public let layers: [Int] = []
  public var documentCount: Int { documents.count }
  public let rowCount: Int

  private let documents: [TokenizedConversation]
  private let order: DocumentOrder

  /// - Parameter hiddenSize: what the states would have.
  public init(_ documents: [TokenizedConversation], hiddenSize: Int) {
    self.documents = documents.filter { !$0.tokens.isEmpty }
    self.hiddenSize = hiddenSize
    rowCount = self.documents.reduce(0) { $0 + $1.tokens.count }
    order = DocumentOrder(lengths: self.documents.map(\.tokens.count))
  }

  /// Reads JSON lines: `{"text": …}` as `nunchi data corpus` writes them, every token of which
  /// counts, or conversations, of which the answers do.
  /// - Parameter contextLength: a longer document is cut into several.
  /// - Throws: `ModelFileError` or `TrainingError.line`.
  public convenience init(path: String, model: Model, contextLength: Int) throws {
    let documents = try Self.read(path, model: model).map(\.document)
    self.init(
      documents.flatMap { $0.pieces(of: contextLength) },
      hiddenSize: model.transformer.hiddenSize)
  }

  /// Reads JSON lines with the language that each says it is in.
  /// - Parameter wanted: lines that say another language are passed by; none takes all.
  /// - Throws: `ModelFileError` or `TrainingError.line`.
  static func read(
    _ path: String, languages wanted: [String] = [], model: Model
  ) throws -> [(document: TokenizedConversation, language: String?)] {
    let encoder = ConversationEncoder(model: model)
    var documents: [(TokenizedConversation, String?)] = []
    for line in try ConversationFile(path: path) {
      let conversation = try line.get()
      if let language = conversation.language, !wanted.isEmpty, !wanted.contains(language) {
        continue
      }
      if let document = try encoder.tokens(of: conversation) {
        documents.append((document, conversation.language))
      }
    }
    return documents
  }

  /// The same documents in two parts, by a hash of what comes before each one's first answer, or of
  /// the whole of a text.
  /// - Parameter validation: the share of the second part, from 0 to 1.
  public func split(
    validation: Double, seed: UInt64
  ) -> (training: TextDocuments, validation: TextDocuments) {
    func isHeld(_ document: TokenizedConversation) -> Bool {
      let prompt = document.answers.first?.lowerBound ?? 0
      return isHeldOut(
        document.tokens.prefix(prompt > 0 ? prompt : document.tokens.count), share: validation,
        seed: seed)
    }
    return (
      TextDocuments(documents.filter { !isHeld($0) }, hiddenSize: hiddenSize),
      TextDocuments(documents.filter(isHeld), hiddenSize: hiddenSize)
    )
  }

  public func batch(at index: Int, seed: UInt64, rows: Int) throws -> StateBatch {
    batch(of: order.documents(at: index, seed: seed, rows: rows), rows: rows)
  }

  public func batch(inOrder index: Int, rows: Int) throws -> StateBatch? {
    order.documents(inOrder: index, rows: rows).map { batch(of: $0, rows: rows) }
  }

  private func batch(of indices: [Int], rows: Int) -> StateBatch {
    StateBatch(
      indices.map { index in
        let document = documents[index].prefix(rows)
        return (document.tokens, document.answerMask, NoStates())
      }, hiddenSize: hiddenSize)
  }

  private struct NoStates: DocumentStates {
    func withBits(_ kind: StateKind, _ body: (UnsafePointer<UInt16>) -> Void) {
      preconditionFailure("texts have no states")
    }
  }
}

extension TokenizedConversation {
  /// The same in pieces of at most so many tokens.
  fileprivate func pieces(of count: Int) -> [TokenizedConversation] {
    stride(from: 0, to: tokens.count, by: count).map { start in
      let range = start..<min(start + count, tokens.count)
      return TokenizedConversation(
        id: id, tokens: Array(tokens[range]),
        answers: answers.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
          .map { $0.lowerBound - start..<$0.upperBound - start })
    }
  }
}
