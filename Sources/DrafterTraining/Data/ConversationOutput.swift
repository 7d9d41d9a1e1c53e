import Foundation
import ModelFiles

/// The conversations that a generation has finished, written as they come, and, in a file beside
/// them, what it left out and why. A run that begins with these files goes on where they end. There
/// is no such file beside what is no regular one.
final class ConversationOutput {
  let path: String
  private(set) var progress: DataProgress
  /// Ids that need no more work.
  private(set) var settled: Set<String> = []

  private let conversations: LineWriter
  private let leftOut: LineWriter?
  private var contents: Set<UInt64> = []
  private let start = ContinuousClock.now
  private let report: (DataProgress) -> Void

  /// Opens the files and reads what is there.
  /// - Parameters:
  ///   - ids: all that is asked for.
  ///   - unusable: what of the input cannot be used; noted where it is not yet.
  ///   - report: told the progress after each conversation.
  /// - Throws: `TrainingError.file` or `.line`.
  init(
    path: String, ids: Set<String>, unusable: [LeftOut] = [],
    report: @escaping (DataProgress) -> Void
  ) throws {
    self.path = path
    self.report = report
    let ids = ids.union(unusable.map(\.id))
    progress = DataProgress(total: ids.count)
    conversations = try LineWriter(path: path)
    leftOut = conversations.isStream ? nil : try LineWriter(path: LeftOut.path(of: path))
    if !conversations.isEmpty {
      for conversation in try ConversationFile(path: path) {
        let conversation = try conversation.get()
        contents.insert(conversation.contentHash)
        guard settled.insert(conversation.id).inserted else { continue }
        if ids.contains(conversation.id) { progress.resumed += 1 }
      }
    }
    if let leftOut, !leftOut.isEmpty {
      let decoder = JSONDecoder()
      for line in try TextRecords(path: leftOut.path) {
        let id = try line.decoded(LeftOut.self, by: decoder).id
        if settled.insert(id).inserted, ids.contains(id) { progress.resumedSkipped += 1 }
      }
    }
    for entry in unusable where !settled.contains(entry.id) {
      try leaveOut(entry, as: "lines that cannot be used")
    }
  }

  /// Writes a conversation; leaves it out when there is one with the same words.
  /// - Parameter tokens: how many were generated for it.
  /// - Returns: whether it was written.
  func append(_ conversation: Conversation, tokens: Int) throws -> Bool {
    guard contents.insert(conversation.contentHash).inserted else {
      try leaveOut(conversation.id, reason: "the same words as another answer", tokens: tokens)
      return false
    }
    try conversations.append(try conversation.line())
    progress.written += 1
    settle(conversation.id, tokens: tokens)
    return true
  }

  /// Notes why a conversation is left out.
  func leaveOut(_ id: String, reason: String, tokens: Int = 0) throws {
    try leaveOut(LeftOut(id: id, reason: reason), as: reason, tokens: tokens)
  }

  /// - Parameter kind: what it is counted as.
  private func leaveOut(_ entry: LeftOut, as kind: String, tokens: Int = 0) throws {
    try leftOut?.append(try JSONEncoder().encode(entry))
    progress.skipped[kind, default: 0] += 1
    settle(entry.id, tokens: tokens)
  }

  private func settle(_ id: String, tokens: Int) {
    settled.insert(id)
    progress.tokens += tokens
    progress.seconds = (ContinuousClock.now - start) / .seconds(1)
    report(progress)
  }
}
