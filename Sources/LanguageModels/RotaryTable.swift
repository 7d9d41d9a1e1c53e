import Foundation

/// Cosines and sines of all positions of a cache, computed when a position is first reached, in
/// double precision and then rounded.
final class RotaryTable {
  /// Of the rows of the current pass. (rows, pairs)
  let cosines: UnsafeMutablePointer<Float>
  let sines: UnsafeMutablePointer<Float>

  private let frequencies: [Double]
  private let tableCosines: UnsafeMutablePointer<Float>  // (capacity, pairs)
  private let tableSines: UnsafeMutablePointer<Float>
  private var known = 0
  private let memory: KernelMemory

  init(frequencies: [Double], capacity: Int, rows: Int) throws {
    let pairs = frequencies.count
    self.frequencies = frequencies
    memory = try KernelMemory(
      bytes: (capacity + rows) * pairs * 2 * MemoryLayout<Float>.stride, for: "rotary tables")
    cosines = memory.base.assumingMemoryBound(to: Float.self)
    sines = cosines + rows * pairs
    tableCosines = sines + rows * pairs
    tableSines = tableCosines + capacity * pairs
  }

  /// Sets `cosines` and `sines` for rows at these positions.
  func select(_ positions: UnsafePointer<Int32>, rows: Int) {
    let pairs = frequencies.count
    for row in 0..<rows {
      let position = Int(positions[row])
      while known <= position {
        for pair in 0..<pairs {
          let angle = Double(known) * frequencies[pair]
          tableCosines[known * pairs + pair] = Float(cos(angle))
          tableSines[known * pairs + pair] = Float(sin(angle))
        }
        known += 1
      }
      (cosines + row * pairs).update(from: tableCosines + position * pairs, count: pairs)
      (sines + row * pairs).update(from: tableSines + position * pairs, count: pairs)
    }
  }
}
