import Foundation

/// exp for many numbers at once. Own arithmetic, so that the same logits give the same
/// probabilities on every machine, and no call for each of a vocabulary's tokens.
enum Exponential {
  /// exp(x) of numbers from 0 down, within 2e-7 of the value; 0 for NaN and below -87, where the
  /// result would leave the normal numbers.
  static func exp(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let lowest: Float = -87
    var reduced = x
    reduced.replace(with: lowest, where: .!(x .>= lowest))
    // Adding 1.5·2^23 rounds to a whole number, which then stands in the lowest bits.
    let shifted = reduced * 1.442_695_04 + 12_582_912
    let power = shifted - 12_582_912
    // ln 2 in two parts, the first exact in few bits.
    let r = reduced - power * 0.693_359_375 + power * 2.121_944_4e-4
    // The polynomial of Cephes' expf on |r| ≤ ln 2 / 2.
    var sum = r * 1.987_569_15e-4 + 1.398_199_95e-3
    sum = sum * r + 8.333_451_9e-3
    sum = sum * r + 4.166_579_6e-2
    sum = sum * r + 1.666_666_5e-1
    sum = sum * r + 5.000_000_1e-1
    sum = sum * r * r + r + 1
    let exponent = unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &<< 23
    let bits = unsafeBitCast(sum, to: SIMD16<UInt32>.self) &+ exponent
    var result = unsafeBitCast(bits, to: SIMD16<Float>.self)
    result.replace(with: 0, where: .!(x .>= lowest))
    return result
  }

  /// exp((value − highest) · scale) of each value, for `highest` the largest of them.
  static func weights(
    of values: UnsafeBufferPointer<Float>, highest: Float, scale: Float
  ) -> [Double] {
    [Double](unsafeUninitializedCapacity: values.count) { weights, count in
      let raw = UnsafeRawBufferPointer(values)
      for block in 0..<(values.count / 16) {
        let next = raw.loadUnaligned(fromByteOffset: block * 64, as: SIMD16<Float>.self)
        let some = sixteen(next, highest, scale)
        for lane in 0..<16 { weights[block * 16 + lane] = Double(some[lane]) }
      }
      let start = values.count / 16 * 16
      var tail = SIMD16<Float>(repeating: -.infinity)
      for index in start..<values.count { tail[index - start] = values[index] }
      let some = sixteen(tail, highest, scale)
      for index in start..<values.count { weights[index] = Double(some[index - start]) }
      count = values.count
    }
  }

  /// The sum of these weights.
  static func total(
    of values: UnsafeBufferPointer<Float>, highest: Float, scale: Float
  ) -> Double {
    let raw = UnsafeRawBufferPointer(values)
    var total = 0.0
    // Floats within a piece, doubles across: as exact as the weights, and no array of them.
    var block = 0
    while block < values.count / 16 {
      let end = min(block + 64, values.count / 16)
      var lanes = SIMD16<Float>(repeating: 0)
      while block < end {
        let next = raw.loadUnaligned(fromByteOffset: block * 64, as: SIMD16<Float>.self)
        lanes += sixteen(next, highest, scale)
        block += 1
      }
      total += Double(lanes.sum())
    }
    var tail = SIMD16<Float>(repeating: -.infinity)
    let start = values.count / 16 * 16
    for index in start..<values.count { tail[index - start] = values[index] }
    return total + Double(sixteen(tail, highest, scale).sum())
  }

  /// ln Σ exp(value − highest) and the entropy of these weights, normalised, in nats.
  static func entropy(
    of values: UnsafeBufferPointer<Float>, highest: Float
  ) -> (logTotal: Double, entropy: Double) {
    let raw = UnsafeRawBufferPointer(values)
    var (total, moment) = (0.0, 0.0)
    func add(_ lanes: SIMD16<Float>, to sums: inout (SIMD16<Float>, SIMD16<Float>)) {
      let weights = sixteen(lanes, highest, 1)
      var products = weights * (highest - lanes)
      products.replace(with: 0, where: weights .== 0)
      sums.0 += weights
      sums.1 += products
    }
    var block = 0
    while block <= values.count / 16 {
      let end = min(block + 64, values.count / 16)
      var sums = (SIMD16<Float>(repeating: 0), SIMD16<Float>(repeating: 0))
      while block < end {
        add(raw.loadUnaligned(fromByteOffset: block * 64, as: SIMD16<Float>.self), to: &sums)
        block += 1
      }
      if block == values.count / 16 {
        var tail = SIMD16<Float>(repeating: -.infinity)
        let start = block * 16
        for index in start..<values.count { tail[index - start] = values[index] }
        add(tail, to: &sums)
        block += 1
      }
      total += Double(sums.0.sum())
      moment += Double(sums.1.sum())
    }
    let logTotal = Foundation.log(total)
    return (logTotal, logTotal + moment / total)
  }

  private static func sixteen(
    _ values: SIMD16<Float>, _ highest: Float, _ scale: Float
  ) -> SIMD16<Float> {
    exp((values - highest) * scale)
  }
}
