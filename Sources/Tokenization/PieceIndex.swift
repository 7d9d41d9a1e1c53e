/// Finds a piece's id by its bytes: open addressing over the buffer of the pieces.
struct PieceIndex: Sendable {
  let pieces: ByteStrings
  /// The upper half of a piece's hash and its id + 1; 0 is free.
  private let slots: [UInt64]
  private let mask: Int

  /// An index of the pieces for which `isIncluded` holds; of equal ones the first is found.
  init(_ pieces: ByteStrings, isIncluded: (Int) -> Bool) {
    self.pieces = pieces
    var capacity = 16
    while capacity < pieces.count * 2 { capacity *= 2 }
    var slots = [UInt64](repeating: 0, count: capacity)
    let mask = capacity - 1
    pieces.storage.withUnsafeBufferPointer { storage in
      for id in pieces.indices where isIncluded(id) {
        let piece = UnsafeBufferPointer(rebasing: storage[pieces.range(id)])
        guard !piece.isEmpty else { continue }
        let hash = hashBytes(piece)
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = (hash & ~0xFFFF_FFFF) | UInt64(id + 1)
      }
    }
    self.slots = slots
    self.mask = mask
  }

  @inline(__always)
  func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
    let hash = hashBytes(bytes)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let entry = slots[slot]
      if entry >> 32 == hash >> 32 {
        let id = Int(entry & 0xFFFF_FFFF) - 1
        let range = pieces.range(id)
        if range.count == bytes.count {
          let same = pieces.storage.withUnsafeBufferPointer {
            UnsafeBufferPointer(rebasing: $0[range]).isEqual(to: bytes)
          }
          if same { return Int32(truncatingIfNeeded: id) }
        }
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  func id(of bytes: some Sequence<UInt8>) -> Int32? {
    ContiguousArray(bytes).withUnsafeBufferPointer { id(of: $0) }
  }
}

extension UnsafeBufferPointer<UInt8> {
  @inline(__always)
  func isEqual(to other: UnsafeBufferPointer<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }
}

/// A hash of bytes, eight at a time, good in its low and its high bits.
@inline(__always)
func hashBytes(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
  var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15
  let raw = UnsafeRawBufferPointer(bytes)
  var index = 0
  while index + 8 <= raw.count {
    hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    index += 8
  }
  var rest: UInt64 = 0
  while index < raw.count {
    rest = rest << 8 | UInt64(raw[index])
    index += 1
  }
  return mix(hash ^ rest)
}

@inline(__always)
func mix(_ value: UInt64) -> UInt64 {
  let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
  return product.high ^ product.low
}
