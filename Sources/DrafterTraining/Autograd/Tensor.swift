import TrainingKernels

/// Float32 values in row-major order, 64-byte aligned. Nearly everything is (rows, columns).
///
/// Not safe to write on one thread while another uses it.
public final class Tensor: @unchecked Sendable {
  /// Outermost first; empty for a scalar.
  public let shape: [Int]
  public let count: Int
  public let data: UnsafeMutablePointer<Float>

  private let isHollow: Bool

  private init(
    shape: [Int], count: Int, block: UnsafeMutableRawPointer, isHollow: Bool = false
  ) {
    self.shape = shape
    self.count = count
    self.isHollow = isHollow
    data = block.bindMemory(to: Float.self, capacity: max(count, 1))
  }

  /// Contents undefined; nil when there is no memory.
  convenience init?(uninitialized shape: [Int]) {
    let count = Self.count(shape)
    guard let block = TensorMemory.take(count * MemoryLayout<Float>.stride) else { return nil }
    self.init(shape: shape, count: count, block: block)
  }

  private convenience init(undefined shape: [Int]) {
    let count = Self.count(shape)
    guard let block = TensorMemory.take(count * MemoryLayout<Float>.stride)
    else { preconditionFailure("no memory for a tensor of shape \(shape)") }
    self.init(shape: shape, count: count, block: block)
  }

  private static func count(_ shape: [Int]) -> Int {
    precondition(shape.allSatisfy { $0 >= 0 }, "tensor of shape \(shape)")
    return shape.reduce(1, *)
  }

  /// For a graph that has failed, which writes nothing: it takes no memory. Small ones are NaN, so
  /// that a loss shows it.
  convenience init(hollow shape: [Int]) {
    let count = Self.count(shape)
    guard let block = TensorMemory.reserve(count * MemoryLayout<Float>.stride)
    else { preconditionFailure("no address space for a tensor of shape \(shape)") }
    self.init(shape: shape, count: count, block: block, isHollow: true)
    if count <= 16 { data.update(repeating: .nan, count: count) }
  }

  /// Zeros. The program stops without memory: `TensorMemory.check` tells it beforehand.
  public convenience init(shape: [Int]) {
    self.init(undefined: shape)
    zero()
  }

  public convenience init(shape: [Int], _ values: [Float]) {
    self.init(undefined: shape)
    precondition(values.count == count, "\(values.count) values for a tensor of shape \(shape)")
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { data.update(from: base, count: count) }
    }
  }

  /// From bf16, as files hold it.
  public convenience init(shape: [Int], bf16: UnsafePointer<UInt16>) {
    self.init(undefined: shape)
    tk_from_bf16(bf16, data, Int64(count))
  }

  deinit {
    let bytes = count * MemoryLayout<Float>.stride
    if isHollow { TensorMemory.release(data, bytes) } else { TensorMemory.give(data, bytes) }
  }

  /// All dimensions but the last, multiplied.
  public var rows: Int { columns == 0 ? 0 : count / columns }
  /// The last dimension; 1 for a scalar.
  public var columns: Int { shape.last ?? 1 }

  /// The values in an array.
  public var values: [Float] { Array(UnsafeBufferPointer(start: data, count: count)) }

  /// Sets every value to 0.
  public func zero() { fill(0) }
  func fill(_ value: Float) { data.update(repeating: value, count: count) }
}
