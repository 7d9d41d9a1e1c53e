import Foundation
import TrainingKernels

/// Cosines and sines of rows of positions. (rows, pairs)
struct RotaryAngles {
  let positions: [Int32]
  let frequencies: [Double]
  let cosines: Tensor
  let sines: Tensor
}

extension Graph {
  /// x / sqrt(mean(x²) + epsilon) · weight for every row (arXiv 1910.07467). x (M, columns), weight
  /// (columns).
  public func rmsNorm(_ x: Variable, weight: Variable, epsilon: Float) -> Variable {
    let (m, columns) = (x.rows, x.columns)
    precondition(
      weight.value.count == columns, "norm of shape \(x.shape), weight \(weight.shape)")
    let y = allocate(x.shape)
    let inverse = allocate([m])
    rows(m, columns: columns) { range in
      let i = range.lowerBound
      tk_rms_norm(
        x.value.data + i * columns, weight.value.data, epsilon, Int64(range.count),
        Int64(columns), y.data + i * columns, inverse.data + i)
    }
    return record(y, [x, weight]) { [unowned self] dy in
      if let dx = gradient(of: x) {
        rows(m, columns: columns) { range in
          let i = range.lowerBound
          tk_rms_norm_gradient(
            x.value.data + i * columns, weight.value.data, inverse.data + i,
            dy.data + i * columns, Int64(range.count), Int64(columns), dx.data + i * columns,
            dx.add)
        }
      }
      if let dw = gradient(of: weight) {
        parallel(columns, grain: 64) { _, range in
          if !dw.add {
            (dw.data + range.lowerBound).update(repeating: 0, count: range.count)
          }
          tk_rms_norm_weight_gradient(
            x.value.data, inverse.data, dy.data, Int64(m), Int64(columns),
            Int64(range.lowerBound), Int64(range.upperBound), dw.data)
        }
      }
    }
  }

  /// Rotary embedding (arXiv 2104.09864). x (M, heads · headDim); a position for each row;
  /// frequencies in radians a position, headDim / 2 of them. Pairs are (2i, 2i + 1) when
  /// interleaved, otherwise (i, i + headDim / 2).
  public func rotary(
    _ x: Variable, positions: [Int32], heads: Int, frequencies: [Double], interleaved: Bool
  ) -> Variable {
    let (m, columns) = (x.rows, x.columns)
    let dim = frequencies.count * 2
    precondition(
      columns == heads * dim && positions.count == m,
      "rotary of shape \(x.shape) with \(heads) heads of \(dim), \(positions.count) positions")
    let rotation = Rotation(
      angles: angles(positions, frequencies), heads: heads, dim: dim, isInterleaved: interleaved)
    let y = allocate(x.shape)
    rotate(x.value, rotation, sign: 1, into: y.data, add: false)
    return record(y, [x]) { [unowned self] dy in
      if let dx = gradient(of: x) { rotate(dy, rotation, sign: -1, into: dx.data, add: dx.add) }
    }
  }

  private struct Rotation {
    let angles: RotaryAngles
    let heads, dim: Int
    let isInterleaved: Bool
  }

  private func rotate(
    _ x: Tensor, _ rotation: Rotation, sign: Float, into out: UnsafeMutablePointer<Float>,
    add: Bool
  ) {
    let (angles, columns, pairs) = (rotation.angles, x.columns, rotation.dim / 2)
    rows(x.rows, columns: columns) { range in
      let i = range.lowerBound
      tk_rotate(
        x.data + i * columns, angles.cosines.data + i * pairs, angles.sines.data + i * pairs,
        sign, Int64(range.count), Int64(rotation.heads), Int64(rotation.dim),
        rotation.isInterleaved, out + i * columns, add)
    }
  }

  private func angles(_ positions: [Int32], _ frequencies: [Double]) -> RotaryAngles {
    if let known = rotaryAngles, known.positions == positions, known.frequencies == frequencies {
      return known
    }
    let pairs = frequencies.count
    let angles = RotaryAngles(
      positions: positions, frequencies: frequencies,
      cosines: allocate([positions.count, pairs]), sines: allocate([positions.count, pairs]))
    rows(positions.count, columns: pairs * 16) { range in
      for row in range {
        for pair in 0..<pairs {
          let angle = Double(positions[row]) * frequencies[pair]
          angles.cosines.data[row * pairs + pair] = Float(cos(angle))
          angles.sines.data[row * pairs + pair] = Float(sin(angle))
        }
      }
    }
    rotaryAngles = angles
    return angles
  }
}
