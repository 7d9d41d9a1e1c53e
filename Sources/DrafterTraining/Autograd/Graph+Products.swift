import COpenBLAS
import LanguageModels
import TrainingKernels

/// A matrix of a product: rows `stride` floats apart, read as its transpose where that is said.
struct Matrix {
  let data: UnsafePointer<Float>
  let stride: Int
  var transposed = false

  /// Element (row, column) of the matrix as it is read.
  func at(_ row: Int, _ column: Int) -> UnsafePointer<Float> {
    transposed ? data + column * stride + row : data + row * stride + column
  }
}

/// output (M, N; rows `stride` apart) = scale · a (M, K) · b (K, N) on the calling thread, added to
/// the output where `add` says so.
func matrixProduct(
  _ a: Matrix, _ b: Matrix, into output: UnsafeMutablePointer<Float>, stride: Int,
  _ m: Int, _ n: Int, _ k: Int, scale: Float = 1, add: Bool
) {
  guard m > 0, n > 0 else { return }
  cblas_sgemm(
    CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
    b.transposed ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k), scale, a.data,
    blasint(a.stride), b.data, blasint(b.stride), add ? 1 : 0, output, blasint(stride))
}

extension Graph {
  /// The same on all threads, each with a slice of the output.
  func product(
    _ a: Matrix, _ b: Matrix, into output: UnsafeMutablePointer<Float>, stride: Int,
    _ m: Int, _ n: Int, _ k: Int, add: Bool
  ) {
    // Rows are split unless the output is so wide and low that each thread would read all of b
    // for few rows.
    let splitsRows = m * 4 >= n
    let total = splitsRows ? m : n
    let slice = max(16, ((total + pool.threads - 1) / pool.threads + 15) / 16 * 16)
    parallel((total + slice - 1) / slice) { _, range in
      let begin = range.lowerBound * slice
      let end = min(total, range.upperBound * slice)
      if splitsRows {
        matrixProduct(
          Matrix(data: a.at(begin, 0), stride: a.stride, transposed: a.transposed), b,
          into: output + begin * stride, stride: stride, end - begin, n, k, add: add)
      } else {
        matrixProduct(
          a, Matrix(data: b.at(0, begin), stride: b.stride, transposed: b.transposed),
          into: output + begin, stride: stride, m, end - begin, k, add: add)
      }
    }
  }

  /// x (M, in) · weightᵀ (+ bias) -> (M, out), with weight (out, in) and bias (out).
  public func linear(_ x: Variable, _ weight: Variable, bias: Variable? = nil) -> Variable {
    let (m, inputs, outputs) = (x.rows, x.columns, weight.rows)
    precondition(
      weight.shape.count == 2 && weight.columns == inputs,
      "linear: input \(x.shape), weight \(weight.shape)")
    precondition(bias == nil || bias?.value.count == outputs, "linear: bias of another size")
    let y = allocate([m, outputs])
    if let bias {
      rows(m, columns: outputs) { range in
        for row in range { (y.data + row * outputs).update(from: bias.value.data, count: outputs) }
      }
    }
    product(
      Matrix(data: x.value.data, stride: inputs),
      Matrix(data: weight.value.data, stride: inputs, transposed: true),
      into: y.data, stride: outputs, m, outputs, inputs, add: bias != nil)
    return record(y, [x, weight] + (bias.map { [$0] } ?? [])) { [unowned self] dy in
      if let dx = gradient(of: x) {
        product(
          Matrix(data: dy.data, stride: outputs), Matrix(data: weight.value.data, stride: inputs),
          into: dx.data, stride: inputs, m, inputs, outputs, add: dx.add)
      }
      if let dw = gradient(of: weight) {
        product(
          Matrix(data: dy.data, stride: outputs, transposed: true),
          Matrix(data: x.value.data, stride: inputs),
          into: dw.data, stride: inputs, outputs, inputs, m, add: dw.add)
      }
      if let bias { addColumnSums(of: dy, to: bias) }
    }
  }

  /// Adds the sum over rows to a gradient of one row.
  private func addColumnSums(of dy: Tensor, to bias: Variable) {
    guard let db = gradient(of: bias) else { return }
    let (m, columns) = (dy.rows, dy.columns)
    parallel(columns, grain: 64) { _, range in
      if !db.add { (db.data + range.lowerBound).update(repeating: 0, count: range.count) }
      tk_column_sums(
        dy.data, Int64(m), Int64(columns), Int64(range.lowerBound), Int64(range.upperBound),
        db.data)
    }
  }
}
