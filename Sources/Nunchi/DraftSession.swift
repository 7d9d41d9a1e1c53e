import Drafters
import Speculation
import Synchronization

/// Drafters and their controller, with what they have learned. It serves one generation at a
/// time: whoever takes it from its pool.
final class DraftSession: @unchecked Sendable {
  private(set) weak var target: Model?
  let drafters: [any Drafter]
  let draftLength: DraftLengthPolicy
  /// As it was asked for; nil leaves it to the controller.
  fileprivate let length: Int?
  /// The most tokens of a sequence.
  fileprivate let capacity: Int

  init(
    target: Model, drafters: [any Drafter], draftLength: DraftLengthPolicy, length: Int?,
    capacity: Int
  ) {
    self.target = target
    self.drafters = drafters
    self.draftLength = draftLength
    self.length = length
    self.capacity = capacity
  }

  func suits(_ target: Model, length: Int?, capacity: Int) -> Bool {
    self.target === target && self.length == length && self.capacity >= capacity
  }
}

/// The sessions of one choice of drafters that are at rest: the next generation goes on with what
/// the last one has learned.
final class DraftSessions: Sendable {
  private let resting = Mutex<[DraftSession]>([])
  /// More than this many are hardly ever in use at once.
  private static let most = 8

  func take(
    for target: Model, length: Int?, capacity: Int, make: () throws -> DraftSession
  ) rethrows -> DraftSession {
    let found = resting.withLock { sessions -> DraftSession? in
      sessions.removeAll { $0.target == nil }
      let index = sessions.lastIndex { $0.suits(target, length: length, capacity: capacity) }
      return index.map { sessions.remove(at: $0) }
    }
    return try found ?? make()
  }

  func putBack(_ session: DraftSession) {
    resting.withLock { sessions in
      sessions.append(session)
      if sessions.count > Self.most { sessions.removeFirst() }
    }
  }
}
