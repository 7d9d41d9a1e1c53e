import ModelFiles
import NunchiKernels

/// The rows of a matrix as a file stores them: in the mapped file, read when they are wanted, or
/// elsewhere in memory.
struct StoredRows {
  /// Keeps the mapping alive.
  var file: (any TensorFile)?
  var name: String
  var type: nk_type
  var base: UnsafeRawPointer
  /// (rows, columns)
  var rows: Int
  var columns: Int

  /// Rows are whole blocks.
  var rowBytes: Int { Self.bytes(of: columns, type) }

  private static func bytes(of columns: Int, _ type: nk_type) -> Int {
    columns / Int(nk_block_elements(type)) * Int(nk_block_bytes(type))
  }

  /// Lets the pages leave memory; they come back when they are read again.
  func releasePages() { file?.releasePages(of: name) }

  /// Writes one row as floats. (columns)
  func read(_ row: Int, into output: UnsafeMutablePointer<Float>) {
    nk_dequantize(type, base + row * rowBytes, output, Int64(columns))
  }

  /// Some rows as floats, one after the other; nil stands for all.
  func floats(_ chosen: [Int32]? = nil) -> [Float] {
    let count = chosen?.count ?? rows
    return [Float](unsafeUninitializedCapacity: count * columns) { buffer, filled in
      if let output = buffer.baseAddress {
        for index in 0..<count {
          read(chosen.map { Int($0[index]) } ?? index, into: output + index * columns)
        }
      }
      filled = count * columns
    }
  }

  // MARK: - Packing

  /// Packs some rows, or all, into a matrix of their own kind or of Q8_0.
  /// - Parameter places: rows of the matrix, the first a multiple of `NK_PANEL`.
  func pack(
    _ chosen: [Int32]?, into matrix: UnsafePointer<nk_matrix>, places: Range<Int>,
    pool: ComputePool
  ) {
    let target = matrix.pointee
    if chosen == nil && target.type == type {
      pool.withPool {
        nk_pack($0, matrix, base, Int64(places.lowerBound), Int64(places.count))
      }
      return
    }
    // The kernel packs what lies together: gather the rows, encoded as the matrix wants them.
    let bytes = Self.bytes(of: columns, target.type)
    var gathered = [UInt8](repeating: 0, count: places.count * bytes)
    var floats = [Float](repeating: 0, count: columns)
    gathered.withUnsafeMutableBytes { gathered in
      guard var output = gathered.baseAddress else { return }
      for place in places {
        let row = chosen.map { Int($0[place]) } ?? place
        if target.type == type {
          output.copyMemory(from: base + row * rowBytes, byteCount: bytes)
        } else {
          nk_dequantize(type, base + row * rowBytes, &floats, Int64(columns))
          nk_encode_q8_0(&floats, output, Int64(columns))
        }
        output += bytes
      }
      // Rows come in whole panels, so a piece of a matrix is a matrix.
      let panel = nk_packed_bytes(target.type, Int64(NK_PANEL), Int64(columns))
      let end = nk_packed_bytes(target.type, 2 * Int64(NK_PANEL), Int64(columns))
      var piece = nk_matrix(
        type: target.type, rows: Int64(places.count), columns: target.columns,
        data: target.data + places.lowerBound / Int(NK_PANEL) * (end - panel))
      pool.withPool { nk_pack($0, &piece, gathered.baseAddress, 0, piece.rows) }
    }
  }
}
