import Foundation

/// Cosines and sines of all positions of a cache, computed when a position is first reached, in
/// double precision and then rounded.
final class RotaryTable {
  private let frequencies: [Double]
  private let magnitude: Double
  private let cosines: UnsafeMutablePointer<Float>  // (capacity, pairs)
  private let sines: UnsafeMutablePointer<Float>
  private var known = 0
  private let memory: KernelMemory

  /// - Parameter magnitude: multiplies cosines and sines.
  init(frequencies: [Double], magnitude: Double = 1, capacity: Int) throws {
    let pairs = frequencies.count
    self.frequencies = frequencies
    self.magnitude = magnitude
    memory = try KernelMemory(
      bytes: capacity * pairs * 2 * MemoryLayout<Float>.stride, for: "rotary tables")
    cosines = memory.base.assumingMemoryBound(to: Float.self)
    sines = cosines + capacity * pairs
  }

  /// Writes a position's angles to a row of `rows`.
  func copy(_ position: Int, to rows: RotaryRows, row: Int) {
    let pairs = frequencies.count
    while known <= position {
      for pair in 0..<pairs {
        let angle = Double(known) * frequencies[pair]
        cosines[known * pairs + pair] = Float(magnitude * cos(angle))
        sines[known * pairs + pair] = Float(magnitude * sin(angle))
      }
      known += 1
    }
    (rows.cosines + row * pairs).update(from: cosines + position * pairs, count: pairs)
    (rows.sines + row * pairs).update(from: sines + position * pairs, count: pairs)
  }
}

/// Cosines and sines of the rows of a pass. (rows, pairs)
struct RotaryRows {
  let cosines: UnsafeMutablePointer<Float>
  let sines: UnsafeMutablePointer<Float>
}
