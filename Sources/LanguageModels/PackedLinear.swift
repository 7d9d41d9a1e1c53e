import ModelFiles
import NunchiKernels

/// A linear layer of a drafter: a matrix of floats quantised to Q8_0, where its columns allow, and
/// packed for the kernels.
///
/// Immutable; several may use it at once, and take turns at the pool's threads.
public final class PackedLinear: @unchecked Sendable {
  // Unchecked: the bias is only read.

  /// Outputs.
  public var rows: Int { matrix.rows }
  /// Inputs.
  public var columns: Int { matrix.columns }
  /// Bytes of the weights, as packed, with the bias.
  public var byteCount: Int { matrix.byteCount + 4 * (bias?.count ?? 0) }
  public let pool: ComputePool
  private let matrix: PackedMatrix
  private let bias: [Float]?

  /// - Parameters:
  ///   - weights: finite. (rows, columns)
  ///   - bias: (rows)
  ///   - exact: keeps the floats as they are.
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  public init(
    weights: [Float], rows: Int, columns: Int, bias: [Float]? = nil, exact: Bool = false,
    pool: ComputePool
  ) throws {
    precondition(rows > 0 && columns > 0 && weights.count == rows * columns, "(rows, columns)")
    precondition(bias == nil || bias?.count == rows, "a bias for each row")
    self.pool = pool
    self.bias = bias
    let isQuantized = !exact && columns.isMultiple(of: Int(nk_block_elements(NK_Q8_0)))
    matrix = try weights.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { preconditionFailure("no weights") }
      return try PackedMatrix(
        StoredRows(name: "weights", type: NK_F32, base: base, rows: rows, columns: columns),
        as: isQuantized ? NK_Q8_0 : NK_F32, pool: pool, for: "drafter's weights")
    }
  }

  /// Packs a matrix of a file.
  /// - Parameters:
  ///   - rows: rows of the file's matrix.
  ///   - chosen: those to take, in their order; nil takes all.
  ///   - bias: for each row taken.
  /// - Throws: `LanguageModelError` when the tensor is missing or not as it should be, or memory is
  ///   short.
  public init(
    file: any TensorFile, tensor: String, rows: Int, columns: Int, chosen: [Int32]? = nil,
    bias: [Float]? = nil, pool: ComputePool
  ) throws {
    precondition(bias == nil || bias?.count == chosen?.count ?? rows, "a bias for each row")
    let source = try WeightPlan(file: file).tensor(tensor, shape: [rows, columns]).rows(of: file)
    self.pool = pool
    self.bias = bias
    let isQuantized =
      nk_block_elements(source.type) == 1
      && columns.isMultiple(of: Int(nk_block_elements(NK_Q8_0)))
    matrix = try PackedMatrix(
      source, rows: chosen, as: isQuantized ? NK_Q8_0 : source.type, pool: pool, for: file.path)
    source.releasePages()
  }

  /// output[m] = weights · x[m] + bias.
  /// - Parameters:
  ///   - x: (M, columns)
  ///   - count: M, at least 1.
  ///   - output: (M, rows)
  public func apply(
    _ x: UnsafePointer<Float>, rows count: Int, into output: UnsafeMutablePointer<Float>
  ) {
    pool.withPool { pool in
      guard let bias else { return matrix.multiply(x, count: count, into: output, pool: pool) }
      bias.withUnsafeBufferPointer {
        matrix.multiply(x, count: count, bias: $0.baseAddress, into: output, pool: pool)
      }
    }
  }
}

extension ComputePool {
  /// x += silu(y), element by element; y is overwritten. Both have `count` elements.
  public func addSiLU(
    of y: UnsafeMutablePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int
  ) {
    activate(y, count: count, NK_SILU)
    withPool { nk_add($0, x, y, Int64(count)) }
  }

  /// x = gelu(x), by its approximation with tanh (1606.08415). `count` elements.
  public func gelu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    activate(x, count: count, NK_GELU_TANH)
  }

  private func activate(
    _ x: UnsafeMutablePointer<Float>, count: Int, _ activation: nk_activation
  ) {
    withPool { pool in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { ones in
        ones.initialize(repeating: 1)
        nk_gated(pool, activation, x, ones.baseAddress, x, 1, Int64(count))
      }
    }
  }
}
