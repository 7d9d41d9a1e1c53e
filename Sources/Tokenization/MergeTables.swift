/// Merges by their place in a list: pairs of ids, found by open addressing.
struct RankedMerges: MergeRules, Sendable {
  private struct Entry {
    var pair: UInt64
    var rank: UInt32
    var id: Int32
  }

  private var entries: [Entry]
  private let mask: Int
  private static let free = UInt64.max

  /// - Parameters:
  ///   - merges: left and right halves, alternating, as bytes that `index` knows.
  ///   - types: by id; what would merge into a control token is left out.
  init(_ merges: ByteStrings, of index: PieceIndex, types: [TokenType]) throws {
    var capacity = 16
    while capacity < merges.count { capacity *= 2 }
    mask = capacity - 1
    entries = Array(repeating: Entry(pair: Self.free, rank: 0, id: 0), count: capacity)
    var joined: [UInt8] = []
    for rank in 0..<(merges.count / 2) {
      let (left, right) = (merges[2 * rank], merges[2 * rank + 1])
      joined.removeAll(keepingCapacity: true)
      joined += left
      joined += right
      func id(_ range: Range<Int>) throws -> Int32 {
        let found = joined.withUnsafeBufferPointer {
          index.id(of: UnsafeBufferPointer(rebasing: $0[range]))
        }
        if let found { return found }
        throw TokenizationError.invalid(
          field: "merges[\(rank)]", expected: "pieces of the vocabulary",
          found: "\"\(String(decoding: joined[range], as: UTF8.self))\"")
      }
      let (first, second) = (try id(0..<left.count), try id(left.count..<joined.count))
      let result = try id(0..<joined.count)
      if types[Int(result)] == .control { continue }
      insert(left: first, right: second, rank: UInt32(rank), id: result)
    }
  }

  private mutating func insert(left: Int32, right: Int32, rank: UInt32, id: Int32) {
    let pair = Self.key(left, right)
    var slot = Int(truncatingIfNeeded: mix(pair)) & mask
    while entries[slot].pair != Self.free {
      // Of the same merge listed twice the later place holds, as in `tokenizers`.
      if entries[slot].pair == pair { break }
      slot = (slot + 1) & mask
    }
    entries[slot] = Entry(pair: pair, rank: rank, id: id)
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  func candidate(
    left: Int32, right: Int32, bytes: @autoclosure () -> UnsafeBufferPointer<UInt8>
  ) -> MergeCandidate {
    let pair = Self.key(left, right)
    var slot = Int(truncatingIfNeeded: mix(pair)) & mask
    return entries.withUnsafeBufferPointer { entries in
      while true {
        let entry = entries[slot]
        if entry.pair == pair {
          return MergeCandidate(priority: UInt64(entry.rank), id: entry.id)
        }
        if entry.pair == Self.free { return .none }
        slot = (slot + 1) & mask
      }
    }
  }
}

/// SentencePiece's merges without a list: two neighbours merge if they are a piece together, the
/// highest score first.
struct ScoredMerges: MergeRules, Sendable {
  let index: PieceIndex
  /// By id: the place when sorted by falling score.
  private let ranks: [UInt32]

  /// - Parameter isFirst: ids that merge before all others, whatever their score.
  init(index: PieceIndex, scores: [Float], isFirst: (Int) -> Bool) {
    self.index = index
    let keys = scores.enumerated().map { isFirst($0) ? Float.infinity : $1 }
    // Ids break ties: the order in which transformers lists the merges of equal score.
    let order = keys.indices.sorted { keys[$0] != keys[$1] ? keys[$0] > keys[$1] : $0 < $1 }
    var ranks = [UInt32](repeating: 0, count: keys.count)
    for (rank, id) in order.enumerated() { ranks[id] = UInt32(rank) }
    self.ranks = ranks
  }

  @inline(__always)
  func candidate(
    left: Int32, right: Int32, bytes: @autoclosure () -> UnsafeBufferPointer<UInt8>
  ) -> MergeCandidate {
    guard let id = index.id(of: bytes()) else { return .none }
    let priority = UInt64(ranks[Int(id)]) << 32 | UInt64(UInt32(bitPattern: left))
    return MergeCandidate(priority: priority, id: id)
  }
}
