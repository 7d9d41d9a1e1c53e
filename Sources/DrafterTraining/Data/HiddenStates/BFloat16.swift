/// The upper half of a Float32: its sign, its whole exponent and 7 bits of its fraction.
enum BFloat16 {
  /// Rounds to the nearest, to even when two are as near.
  @inline(__always)
  static func bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // Rounding could carry a NaN's fraction into its sign.
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }

  @inline(__always)
  static func float(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  static func append(_ values: UnsafeMutableBufferPointer<Float>, to array: inout [UInt16]) {
    for value in values { array.append(bits(value)) }
  }

  /// - Parameter count: how many values both have.
  static func widen(
    _ source: UnsafePointer<UInt16>, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for index in 0..<count { target[index] = float(source[index]) }
  }
}
