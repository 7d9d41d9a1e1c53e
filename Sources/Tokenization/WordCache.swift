/// Remembers the tokens of words already merged: most words of a text come again.
struct WordCache {
  private struct Slot {
    var hash: UInt64 = 0
    var keyStart: Int32 = 0
    var idStart: Int32 = 0
    /// 0: the slot is free.
    var keyCount: UInt16 = 0
    var idCount: UInt16 = 0
  }

  /// Longer words are rare and cost little beside their own length.
  static let longestWord = 64
  private static let capacity = 1 << 15
  private static let probes = 4
  private static let mostKeyBytes = 1 << 20

  private var slots = [Slot](repeating: Slot(), count: capacity)
  private var keys: [UInt8] = []
  private var ids: [Int32] = []

  /// Appends the word's tokens if it is remembered.
  @inline(__always)
  func append(
    _ word: UnsafeBufferPointer<UInt8>, hash: UInt64, to output: inout [Int32]
  ) -> Bool {
    for probe in 0..<Self.probes {
      let slot = slots[(Int(truncatingIfNeeded: hash) &+ probe) & (Self.capacity - 1)]
      guard slot.keyCount > 0 else { return false }
      guard slot.hash == hash, Int(slot.keyCount) == word.count else { continue }
      let start = Int(slot.keyStart)
      let same = keys.withUnsafeBufferPointer {
        UnsafeBufferPointer(rebasing: $0[start..<(start + word.count)]).isEqual(to: word)
      }
      guard same else { continue }
      for index in Int(slot.idStart)..<(Int(slot.idStart) + Int(slot.idCount)) {
        output.append(ids[index])
      }
      return true
    }
    return false
  }

  mutating func insert(
    _ word: UnsafeBufferPointer<UInt8>, hash: UInt64, ids tokens: ArraySlice<Int32>
  ) {
    if keys.count + word.count > Self.mostKeyBytes {
      slots = Array(repeating: Slot(), count: Self.capacity)
      keys.removeAll(keepingCapacity: true)
      ids.removeAll(keepingCapacity: true)
    }
    var target = Int(truncatingIfNeeded: hash) & (Self.capacity - 1)
    for probe in 0..<Self.probes {
      let index = (Int(truncatingIfNeeded: hash) &+ probe) & (Self.capacity - 1)
      if slots[index].keyCount == 0 {
        target = index
        break
      }
    }
    slots[target] = Slot(
      hash: hash, keyStart: Int32(keys.count), idStart: Int32(ids.count),
      keyCount: UInt16(word.count), idCount: UInt16(tokens.count))
    keys.append(contentsOf: word)
    ids.append(contentsOf: tokens)
  }
}
