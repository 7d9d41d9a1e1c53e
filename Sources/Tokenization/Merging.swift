/// A stretch of a word that is one piece, linked to its neighbours.
struct Symbol {
  /// -1: a character that the vocabulary lacks; it merges with nothing.
  var id: Int32
  var start: Int32
  /// In bytes; 0: merged into the symbol before it.
  var length: Int32
  /// Indices of the neighbours; -1 at the word's ends.
  var previous: Int32 = -1
  var next: Int32 = -1
}

/// What two neighbours merge into. The lowest priority merges first, of equal ones the leftmost.
struct MergeCandidate {
  var priority: UInt64
  var id: Int32

  /// No merge: comes after every other.
  static let none = MergeCandidate(priority: .max, id: -1)
}

protocol MergeRules {
  /// What the two pieces, which cover `bytes` together, merge into.
  func candidate(
    left: Int32, right: Int32, bytes: @autoclosure () -> UnsafeBufferPointer<UInt8>
  ) -> MergeCandidate
}

/// Buffers of the merging loop, kept from word to word.
struct MergeBuffers {
  var symbols: [Symbol] = []
  var candidates: [MergeCandidate] = []
  var queue = MergeQueue()
}

extension MergeRules {
  /// Merges `buffers.symbols`, which cover the word, until no rule applies.
  @inline(__always)
  func merge(_ word: UnsafeBufferPointer<UInt8>, _ buffers: inout MergeBuffers) {
    if buffers.symbols.count < 2 { return }
    if buffers.symbols.count <= 48 {
      mergeShort(word, &buffers)
    } else {
      mergeLong(word, &buffers)
    }
  }

  @inline(__always)
  private func candidate(
    _ left: Symbol, _ right: Symbol, _ word: UnsafeBufferPointer<UInt8>
  ) -> MergeCandidate {
    guard left.id >= 0 && right.id >= 0 else { return .none }
    return candidate(
      left: left.id, right: right.id,
      bytes: UnsafeBufferPointer(
        rebasing: word[Int(left.start)..<Int(right.start + right.length)]))
  }

  /// Finds the best pair by looking at all: quadratic, and the quickest for words.
  private func mergeShort(_ word: UnsafeBufferPointer<UInt8>, _ buffers: inout MergeBuffers) {
    var count = buffers.symbols.count
    buffers.candidates.removeAll(keepingCapacity: true)
    for index in 1..<count {
      let pair = candidate(buffers.symbols[index - 1], buffers.symbols[index], word)
      buffers.candidates.append(pair)
    }
    buffers.symbols.withUnsafeMutableBufferPointer { symbols in
      buffers.candidates.withUnsafeMutableBufferPointer { candidates in
        while count > 1 {
          var best = 0
          var priority = candidates[0].priority
          for index in 1..<max(count - 1, 1) where candidates[index].priority < priority {
            best = index
            priority = candidates[index].priority
          }
          guard priority != .max else { break }
          symbols[best].id = candidates[best].id
          symbols[best].length += symbols[best + 1].length
          count -= 1
          for index in (best + 1)..<max(count, best + 1) {
            symbols[index] = symbols[index + 1]
            candidates[index - 1] = candidates[index]
          }
          if best > 0 {
            candidates[best - 1] = candidate(symbols[best - 1], symbols[best], word)
          }
          if best + 1 < count {
            candidates[best] = candidate(symbols[best], symbols[best + 1], word)
          }
        }
      }
    }
    buffers.symbols.removeLast(buffers.symbols.count - count)
  }

  /// A queue of candidates over linked symbols: O(n log n), for words without end.
  private func mergeLong(_ word: UnsafeBufferPointer<UInt8>, _ buffers: inout MergeBuffers) {
    let count = buffers.symbols.count
    buffers.queue.removeAll()
    for index in 0..<count {
      buffers.symbols[index].previous = Int32(index - 1)
      buffers.symbols[index].next = index + 1 < count ? Int32(index + 1) : -1
    }
    func propose(_ left: Int32, _ right: Int32) {
      guard left >= 0 && right >= 0 else { return }
      let (first, second) = (buffers.symbols[Int(left)], buffers.symbols[Int(right)])
      let pair = candidate(first, second, word)
      guard pair.priority != .max else { return }
      buffers.queue.push(
        .init(
          priority: pair.priority, position: left, length: first.length + second.length,
          id: pair.id))
    }
    for index in 1..<count { propose(Int32(index - 1), Int32(index)) }
    while let top = buffers.queue.pop() {
      let left = buffers.symbols[Int(top.position)]
      guard left.length > 0, left.next >= 0 else { continue }
      let right = buffers.symbols[Int(left.next)]
      // Symbols only grow: another length means that this pair is gone.
      guard left.length + right.length == top.length else { continue }
      buffers.symbols[Int(left.next)].length = 0
      buffers.symbols[Int(top.position)].id = top.id
      buffers.symbols[Int(top.position)].length = top.length
      buffers.symbols[Int(top.position)].next = right.next
      if right.next >= 0 { buffers.symbols[Int(right.next)].previous = top.position }
      propose(left.previous, top.position)
      propose(top.position, right.next)
    }
    buffers.symbols.removeAll { $0.length == 0 }
  }
}

/// A binary heap of merge candidates.
struct MergeQueue {
  struct Entry {
    var priority: UInt64
    var position: Int32
    /// Of the pair, in bytes.
    var length: Int32
    var id: Int32

    @inline(__always)
    static func < (one: Entry, other: Entry) -> Bool {
      one.priority != other.priority
        ? one.priority < other.priority : one.position < other.position
    }
  }

  private var entries: [Entry] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var index = entries.count - 1
    entries.withUnsafeMutableBufferPointer { heap in
      while index > 0, entry < heap[(index - 1) / 2] {
        heap[index] = heap[(index - 1) / 2]
        index = (index - 1) / 2
      }
      heap[index] = entry
    }
  }

  mutating func pop() -> Entry? {
    guard let top = entries.first, let last = entries.popLast() else { return nil }
    let count = entries.count
    guard count > 0 else { return top }
    entries.withUnsafeMutableBufferPointer { heap in
      var index = 0
      while true {
        var child = 2 * index + 1
        guard child < count else { break }
        if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
        guard heap[child] < last else { break }
        heap[index] = heap[child]
        index = child
      }
      heap[index] = last
    }
    return top
  }
}
