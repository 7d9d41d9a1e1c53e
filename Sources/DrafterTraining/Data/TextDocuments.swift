import Foundation
import Nunchi

/// Documents without states, for drafters that learn from text alone: a corpus, or conversations.
public final class TextDocuments: StateSource {
  public let hiddenSize: Int
  public let layers: [Int] = []
  public var documentCount: Int { documents.count }
  public let rowCount: Int

  /// Lines of the file that are no documents.
  public let leftOut: [LeftOut]

  private let whole: [TokenizedConversation]
  private let contextLength: Int
  /// In pieces where they are long.
  private let documents: [TokenizedConversation]
  private let order: DocumentOrder

  /// - Parameters:
  ///   - contextLength: a longer document is cut into several.
  ///   - hiddenSize: what the states would have.
  public init(
    _ documents: [TokenizedConversation], contextLength: Int = .max, hiddenSize: Int,
    leftOut: [LeftOut] = []
  ) {
    whole = documents
    self.documents = documents.flatMap { $0.pieces(of: contextLength) }
    self.contextLength = contextLength
    self.hiddenSize = hiddenSize
    self.leftOut = leftOut
    rowCount = self.documents.reduce(0) { $0 + $1.tokens.count }
    order = DocumentOrder(lengths: self.documents.map(\.tokens.count))
  }

  /// Reads JSON lines, or one JSON array: `{"text": …}` as `nunchi data corpus` writes them, of
  /// which every token counts, or conversations, of which the answers do.
  /// - Throws: `ModelFileError`, or `TrainingError.line` where no line is a document.
  public convenience init(path: String, model: Model, contextLength: Int) throws {
    var leftOut: [LeftOut] = []
    let documents = try Self.read(path, model: model, leavingOut: &leftOut).map(\.document)
    self.init(
      documents, contextLength: contextLength, hiddenSize: model.transformer.hiddenSize,
      leftOut: leftOut)
  }

  /// Reads documents with the language that each says it is in.
  /// - Parameter wanted: lines that say another language are passed by; none takes all.
  /// - Throws: `ModelFileError`, or `TrainingError.line` where no line is a document.
  static func read(
    _ path: String, languages wanted: [String] = [], model: Model,
    leavingOut leftOut: inout [LeftOut]
  ) throws -> [(document: TokenizedConversation, language: String?)] {
    let encoder = ConversationEncoder(model: model)
    var documents: [(TokenizedConversation, String?)] = []
    try ConversationFile(path: path).forEach(leavingOut: &leftOut) { conversation in
      if let language = conversation.language, !wanted.isEmpty, !wanted.contains(language) {
        return
      }
      if let document = try encoder.tokens(of: conversation) {
        documents.append((document, conversation.language))
      }
    }
    return documents
  }

  /// The same documents in two parts (`HeldOutDocuments`). All pieces of one are in the same part.
  /// - Parameter validation: the share of the second part, from 0 to 1.
  public func split(
    validation: Double, seed: UInt64
  ) -> (training: TextDocuments, validation: TextDocuments) {
    let isHeld = HeldOutDocuments(share: validation, seed: seed).places(count: whole.count) {
      (whole[$0].tokens, whole[$0].answerMask)
    }
    func part(_ held: Bool) -> TextDocuments {
      TextDocuments(
        zip(whole, isHeld).filter { $1 == held }.map(\.0), contextLength: contextLength,
        hiddenSize: hiddenSize)
    }
    return (part(false), part(true))
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
      let range = start..<min(tokens.count, start + min(count, tokens.count))
      return TokenizedConversation(
        id: id, tokens: Array(tokens[range]),
        answers: answers.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
          .map { $0.lowerBound - start..<$0.upperBound - start })
    }
  }
}
