import NunchiKernels

/// A packed matrix with memory of its own, and what a product with it needs beside its output.
///
/// The scratch is only touched by who holds the compute pool.
final class PackedMatrix: @unchecked Sendable {
  // Unchecked: the matrix is written while it is made and only read afterwards.

  let matrix: UnsafePointer<nk_matrix>
  private let memory: KernelMemory?
  /// Keeps a shared matrix alive.
  private let owner: AnyObject?
  /// Rows of a product's input in int8; empty when the matrix wants floats.
  private let quantized: KernelMemory?
  private let isOwn: Bool
  /// Bytes of the packed rows.
  var byteCount: Int {
    nk_packed_bytes(matrix.pointee.type, matrix.pointee.rows, matrix.pointee.columns)
  }

  /// The most input rows of one kernel call.
  private static let chunkRows = 64

  /// Packs some rows, or all.
  /// - Parameter type: the rows' own, or Q8_0.
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  init(
    _ source: StoredRows, rows chosen: [Int32]? = nil, as type: nk_type, pool: ComputePool,
    for purpose: String
  ) throws {
    let rows = chosen?.count ?? source.rows
    let memory = try KernelMemory(
      bytes: nk_packed_bytes(type, Int64(rows), Int64(source.columns)), for: purpose)
    quantized = try Self.scratch(type, columns: source.columns)
    let matrix = UnsafeMutablePointer<nk_matrix>.allocate(capacity: 1)
    matrix.initialize(
      to: nk_matrix(
        type: type, rows: Int64(rows), columns: Int64(source.columns), data: memory.base))
    self.matrix = UnsafePointer(matrix)
    self.memory = memory
    owner = nil
    isOwn = true
    source.pack(chosen, into: matrix, places: 0..<rows, pool: pool)
  }

  /// A matrix that `owner` holds.
  init(sharing matrix: UnsafePointer<nk_matrix>, of owner: AnyObject) throws {
    self.matrix = matrix
    self.owner = owner
    memory = nil
    quantized = try Self.scratch(matrix.pointee.type, columns: Int(matrix.pointee.columns))
    isOwn = false
  }

  deinit { if isOwn { matrix.deallocate() } }

  private static func scratch(_ type: nk_type, columns: Int) throws -> KernelMemory? {
    guard nk_wants_quantized(type) else { return nil }
    return try KernelMemory(
      bytes: chunkRows * nk_quantized_bytes(Int64(columns)), for: "activations")
  }

  var rows: Int { Int(matrix.pointee.rows) }
  var columns: Int { Int(matrix.pointee.columns) }

  /// output[m] = matrix · input[m] + bias. input (M, columns), output (M, rows).
  func multiply(
    _ input: UnsafePointer<Float>, count: Int, bias: UnsafePointer<Float>? = nil,
    into output: UnsafeMutablePointer<Float>, pool: OpaquePointer
  ) {
    for first in stride(from: 0, to: count, by: Self.chunkRows) {
      let part = Int64(min(Self.chunkRows, count - first))
      let x = input + first * columns
      if let quantized {
        nk_quantize(pool, x, part, matrix.pointee.columns, quantized.base)
      }
      var product = nk_product(
        matrix: matrix, bias: bias, output: output + first * rows,
        output_stride: matrix.pointee.rows, accumulate: false)
      nk_linear(pool, &product, 1, x, quantized?.base, part)
    }
  }
}
