import Foundation
import LanguageModels
import ModelFiles
import Nunchi

/// Runs a target over conversations and keeps its hidden states.
public struct HiddenStatePass: Sendable {
  public let model: Model
  /// Documents are cut to so many tokens.
  public let contextLength: Int
  /// Conversations that say another language are passed by; none takes all.
  public var languages: [String] = []
  /// It ends before the document that would bring more rows of a file than these; nil: no limit.
  public var mostRows: Int?

  /// How far a pass is.
  public struct Progress: Sendable, Equatable {
    public var documents = 0
    /// Documents whose states were there before.
    public var present = 0
    /// Documents that were longer than the context.
    public var cut = 0
    /// Conversations whose answers cannot be told from the rest.
    public var unreadable = 0
    /// Lines that are no conversations.
    public var leftOut: [LeftOut] = []
    /// Tokens whose states were computed.
    public var rows = 0
    /// Rows that there are to compute.
    public var totalRows = 0
    public var seconds = 0.0

    public var rowsPerSecond: Double { seconds > 0 ? Double(rows) / seconds : 0 }
  }

  public init(model: Model, contextLength: Int) {
    self.model = model
    self.contextLength = min(contextLength, model.transformer.contextLength)
  }

  /// Computes the states of all conversations that the writer does not have.
  /// - Parameters:
  ///   - conversations: read twice: first to tell whether there is room for their states.
  ///   - isCancelled: asked before each pass; whole shards stay.
  /// - Throws: `TrainingError.diskFull` before anything is computed, `TrainingError`,
  ///   `LanguageModelError`, `ModelFileError`, or `CancellationError`.
  @discardableResult
  public func run(
    _ conversations: ConversationFile, into writer: HiddenStateWriter,
    isCancelled: () -> Bool = { false }, report: (Progress) -> Void = { _ in }
  ) throws -> Progress {
    var progress = try measure(conversations, writer)
    let needed = progress.totalRows * writer.bytesPerRow
    let free = try ModelFetcher.freeSpace(in: writer.folder)
    guard needed < free else {
      throw TrainingError.diskFull(path: writer.folder, needed: needed, free: free)
    }
    let start = ContinuousClock.now
    let prefill = try StatePrefill(
      model: model.transformer, layers: writer.layers, contextLength: contextLength)
    var waiting: [TokenizedConversation] = []

    func compute(_ count: Int) throws {
      if isCancelled() { throw CancellationError() }
      let documents = waiting.prefix(count)
      let states = try prefill.states(of: documents.map(\.tokens))
      for (document, states) in zip(documents, states) {
        try writer.append(document, states: states)
        progress.rows += document.tokens.count
      }
      waiting.removeFirst(count)
      progress.seconds = (ContinuousClock.now - start) / .seconds(1)
      report(progress)
    }
    do {
      try forEachMissing(conversations, writer) { document in
        waiting.append(document)
        let fitting = StatePrefill.fitting(waiting.lazy.map(\.tokens.count))
        if fitting < waiting.count { try compute(fitting) }
      }
      while !waiting.isEmpty {
        try compute(StatePrefill.fitting(waiting.lazy.map(\.tokens.count)))
      }
    } catch is CancellationError {
      try writer.finish()
      throw CancellationError()
    }
    try writer.finish()
    return progress
  }

  /// Counts what there is to do.
  private func measure(
    _ conversations: ConversationFile, _ writer: HiddenStateWriter
  ) throws -> Progress {
    var progress = Progress()
    var leftOut: [LeftOut] = []
    try forEach(conversations, leavingOut: &leftOut) { document in
      guard let document else {
        progress.unreadable += 1
        return
      }
      progress.documents += 1
      let kept = document.prefix(contextLength)
      if kept.tokens.count < document.tokens.count { progress.cut += 1 }
      if writer.contains(kept) {
        progress.present += 1
      } else {
        progress.totalRows += kept.tokens.count
      }
    }
    progress.leftOut = leftOut
    return progress
  }

  private func forEachMissing(
    _ conversations: ConversationFile, _ writer: HiddenStateWriter,
    _ body: (TokenizedConversation) throws -> Void
  ) throws {
    var leftOut: [LeftOut] = []
    try forEach(conversations, leavingOut: &leftOut) { document in
      if let document = document?.prefix(contextLength), !document.tokens.isEmpty,
        !writer.contains(document)
      {
        try body(document)
      }
    }
  }

  /// All documents that are wanted, whole; nil for one whose answers cannot be told from the rest.
  private func forEach(
    _ conversations: ConversationFile, leavingOut leftOut: inout [LeftOut],
    _ body: (TokenizedConversation?) throws -> Void
  ) throws {
    let encoder = ConversationEncoder(model: model)
    var rows = 0
    let most = mostRows ?? .max
    try conversations.forEach(leavingOut: &leftOut, isEnough: { rows > most }) { conversation in
      if let language = conversation.language, !languages.isEmpty, !languages.contains(language) {
        return
      }
      let document = try encoder.tokens(of: conversation)
      rows += min(contextLength, document?.tokens.count ?? 0)
      if rows <= most { try body(document) }
    }
  }
}
