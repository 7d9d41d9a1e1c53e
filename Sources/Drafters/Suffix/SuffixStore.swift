import Foundation
import Synchronization

/// Past outputs, kept in a file from one run to the next, for the suffix drafter to match in.
///
/// Bounded: the oldest leave first. Several processes may append at once; a kill in the middle of
/// a write loses that output and no other.
public final class SuffixStore: Sendable {
  public let path: String
  public let vocabulary: UInt64
  /// The most tokens that are kept.
  public let capacity: Int

  /// What generations match in.
  struct Contents {
    var automaton = SuffixAutomaton()
    /// Counts how often the automaton was made anew: states of another one mean nothing.
    var generation = 0
    var outputs: [[Int32]] = []
    var tokens = 0
  }
  private let contents: Mutex<Contents>
  /// Whether the file hears of what is appended.
  private let isWritten: Bool

  /// Opens a store, or makes an empty one.
  /// - Parameters:
  ///   - vocabulary: a hash of the vocabulary; a store made with another one is refused.
  ///   - capacity: the most tokens to keep.
  /// - Throws: `StoreError`.
  public init(path: String, vocabulary: UInt64, capacity: Int = 1 << 18) throws {
    self.path = path
    self.vocabulary = vocabulary
    self.capacity = max(0, capacity)
    contents = Mutex(Contents())
    isWritten = true
    let file = try LockedStoreFile(path: path)
    let header = StoreFile.header(vocabulary: vocabulary)
    try Self.check(file.bytes, header, path)
    if file.bytes.count < header.count { try file.write(header, at: 0) }
    let records = file.bytes.withUnsafeBytes {
      StoreFile.records(in: $0, from: header.count).records
    }
    contents.withLock { Self.rebuild(&$0, from: records, capacity: self.capacity) }
  }

  private init(copying store: SuffixStore) {
    path = store.path
    vocabulary = store.vocabulary
    capacity = store.capacity
    contents = Mutex(store.read { copy $0 })
    isWritten = false
  }

  /// The outputs as they are now, in a store of its own: what is appended to it stays in memory.
  public func copy() -> SuffixStore { SuffixStore(copying: self) }

  /// The tokens that are in memory.
  public var count: Int { contents.withLock { $0.tokens } }
  /// The outputs that are in memory, oldest first.
  public var outputs: [[Int32]] { contents.withLock { $0.outputs } }

  /// Adds an output; generations that begin later, and running ones too, match in it.
  /// - Throws: `StoreError` when it cannot be written; nothing is added then.
  public func append(_ tokens: [Int32]) throws {
    // Longer than everything that may be kept: its end is.
    let tokens = Array(tokens.suffix(capacity))
    guard !tokens.isEmpty else { return }
    if isWritten { try write(tokens) }
    contents.withLock { contents in
      contents.outputs.append(tokens)
      contents.tokens += tokens.count
      if contents.tokens > capacity + capacity / 4 {
        Self.rebuild(&contents, from: contents.outputs, capacity: capacity)
      } else {
        contents.automaton.append(output: tokens)
      }
    }
  }

  private func write(_ tokens: [Int32]) throws {
    let header = StoreFile.header(vocabulary: vocabulary)
    let file = try LockedStoreFile(path: path)
    try Self.check(file.bytes, header, path)
    if file.bytes.count < header.count { try file.write(header, at: 0) }
    let (records, end) = file.bytes.withUnsafeBytes {
      StoreFile.records(in: $0, from: header.count)
    }
    let size = records.reduce(tokens.count) { $0 + $1.count }
    if size <= capacity + capacity / 4 {
      try file.write(StoreFile.record(tokens), at: max(end, header.count))
    } else {
      let kept = Self.newest(records + [tokens], capacity: capacity)
      try file.replace(with: kept.reduce(into: header) { $0 += StoreFile.record($1) })
    }
  }

  /// Runs `body` with the automaton of all outputs, which no one changes meanwhile.
  func read<Result>(_ body: (borrowing Contents) throws -> Result) rethrows -> Result {
    try contents.withLock { contents in try body(contents) }
  }

  /// A file that is shorter than a header and begins like one was torn when it was made.
  private static func check(_ bytes: [UInt8], _ header: [UInt8], _ path: String) throws {
    guard bytes.starts(with: StoreFile.magic.prefix(bytes.count)) else {
      throw StoreError.malformed(
        path: path, field: "magic", expected: "a suffix store of nunchi", found: "another file")
    }
    guard bytes.prefix(header.count).elementsEqual(header.prefix(bytes.count)) else {
      let found = bytes.dropFirst(16).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
      let isWhole = found == bytes.prefix(16).withUnsafeBytes(checksum)
      if isWhole { throw StoreError.otherVocabulary(path: path) }
      throw StoreError.malformed(
        path: path, field: "header", expected: "its checksum", found: "another: it is damaged")
    }
  }

  private static func newest(_ outputs: [[Int32]], capacity: Int) -> [[Int32]] {
    var room = capacity
    let kept = outputs.reversed().prefix { output in
      room -= output.count
      return room >= 0
    }
    return kept.reversed()
  }

  private static func rebuild(
    _ contents: inout Contents, from outputs: [[Int32]], capacity: Int
  ) {
    contents.outputs = newest(outputs, capacity: capacity)
    contents.tokens = contents.outputs.reduce(0) { $0 + $1.count }
    contents.automaton = SuffixAutomaton()
    contents.automaton.reserve(contents.tokens)
    for output in contents.outputs { contents.automaton.append(output: output) }
    contents.generation += 1
  }
}

extension SuffixAutomaton {
  fileprivate mutating func append(output: [Int32]) {
    for token in output { append(token) }
    separate()
  }
}
