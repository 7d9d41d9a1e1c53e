/// Finds texts that are nearly the same as an earlier one, by one-permutation MinHash with
/// densification (arXiv:1208.1259, arXiv:1406.4784) over windows of 24 bytes: eight characters of
/// Korean, Japanese or Chinese, about four words in Latin letters. White space and case count for
/// nothing.
struct NearDuplicates {
  /// The share of windows in common from which texts count as the same.
  let threshold: Double

  private static let window = 24
  private static let bins = 128
  private static let rowsPerBand = 4
  private static let base: UInt64 = 0x9E37_79B9_7F4A_7C15

  private var signatures: [[UInt32]] = []
  private var bands: [UInt64: [Int]] = [:]

  init(threshold: Double) {
    self.threshold = threshold
  }

  /// Whether a text is nearly the same as one before; if not, it is kept in mind.
  mutating func insert(_ text: String) -> Bool {
    let signature = Self.signature(of: text)
    let keys = stride(from: 0, to: Self.bins, by: Self.rowsPerBand).map { start in
      var hash = UInt64(start) &+ Self.base
      for value in signature[start..<start + Self.rowsPerBand] {
        hash = Self.mix(hash ^ UInt64(value))
      }
      return hash
    }
    for key in keys {
      for other in bands[key] ?? [] where similarity(signature, signatures[other]) >= threshold {
        return true
      }
    }
    for key in keys { bands[key, default: []].append(signatures.count) }
    signatures.append(signature)
    return false
  }

  private func similarity(_ a: [UInt32], _ b: [UInt32]) -> Double {
    var equal = 0
    for index in a.indices where a[index] == b[index] { equal += 1 }
    return Double(equal) / Double(Self.bins)
  }

  /// The smallest hash of each bin; an empty bin takes the next one's.
  private static func signature(of text: String) -> [UInt32] {
    let bytes = text.utf8.lazy.filter { $0 > 0x20 }.map {
      (0x41...0x5A).contains($0) ? $0 | 0x20 : $0
    }
    var ring = [UInt8](repeating: 0, count: window)
    var leading: UInt64 = 1
    for _ in 0..<window { leading &*= base }
    var hash: UInt64 = 0
    var count = 0
    var smallest = [UInt32?](repeating: nil, count: bins)
    func add(_ hash: UInt64) {
      let mixed = mix(hash)
      let bin = Int(mixed >> 32) % bins
      smallest[bin] = min(smallest[bin] ?? .max, UInt32(truncatingIfNeeded: mixed))
    }
    for byte in bytes {
      let place = count % window
      hash = hash &* base &+ UInt64(byte) &+ 1
      if count >= window { hash &-= (UInt64(ring[place]) &+ 1) &* leading }
      ring[place] = byte
      count += 1
      if count >= window { add(hash) }
    }
    if count < window { add(hash) }
    return smallest.indices.map { index in
      for step in 0..<bins {
        if let value = smallest[(index + step) % bins] {
          // The distance keeps bins filled from different places apart.
          return value &+ UInt32(step) &* 0x9E37_79B9
        }
      }
      return 0
    }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ base
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
