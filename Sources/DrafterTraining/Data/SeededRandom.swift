/// Random numbers that are the same in every process with the same seed (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A hash that is the same in every process (FNV-1a with a final mix), for seeds, splits and
/// duplicates.
func stableHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  // FNV alone barely changes its high bits for the last bytes.
  var random = SeededRandom(seed: hash)
  return random.next()
}

/// The same for several texts, which cannot run into each other.
func stableHash(_ texts: [String]) -> UInt64 {
  // 0xFF is in no UTF-8 text.
  stableHash(texts.lazy.map { Array($0.utf8) + [0xFF] }.joined())
}
