import TrainingKernels

extension Graph {
  /// Columns side by side: (M, a) and (M, b) -> (M, a + b).
  public func concatenate(_ parts: [Variable]) -> Variable {
    precondition(!parts.isEmpty, "concatenation of nothing")
    let m = parts[0].rows
    precondition(
      parts.allSatisfy { $0.rows == m }, "concatenation of shapes \(parts.map(\.shape))")
    let columns = parts.reduce(0) { $0 + $1.columns }
    let y = allocate([m, columns])
    rows(m, columns: columns) { range in
      for row in range {
        var to = y.data + row * columns
        for part in parts {
          to.update(from: part.value.data + row * part.columns, count: part.columns)
          to += part.columns
        }
      }
    }
    return record(y, parts) { [unowned self] dy in
      var offset = 0
      for part in parts {
        let from = dy.data + offset
        let width = part.columns
        offset += width
        guard let dx = gradient(of: part) else { continue }
        rows(m, columns: width) { range in
          for row in range {
            tk_scale(
              1, from + row * columns, dx.data + row * width, Int64(width), dx.add)
          }
        }
      }
    }
  }

  /// Rows of x by number, in any order and as often as wanted.
  public func rows(_ x: Variable, _ indices: [Int]) -> Variable {
    precondition(
      indices.allSatisfy { $0 >= 0 && $0 < x.rows }, "row number outside 0 ..< \(x.rows)")
    let columns = x.columns
    let y = allocate([indices.count, columns])
    rows(indices.count, columns: columns) { range in
      for row in range {
        (y.data + row * columns).update(
          from: x.value.data + indices[row] * columns, count: columns)
      }
    }
    return record(y, [x]) { [unowned self] dy in
      guard let dx = gradient(of: x) else { return }
      if !dx.add {
        elements(x.value.count) { range in
          (dx.data + range.lowerBound).update(repeating: 0, count: range.count)
        }
      }
      // A row may be there twice, so threads share columns.
      parallel(columns, grain: 64) { _, range in
        let begin = range.lowerBound
        for (row, index) in indices.enumerated() {
          tk_axpy(
            1, dy.data + row * columns + begin, dx.data + index * columns + begin,
            Int64(range.count))
        }
      }
    }
  }

  /// Rows of a table (vocabulary, columns) by token.
  public func embedding(_ tokens: [Int32], _ table: Variable) -> Variable {
    rows(table, tokens.map { Int($0) })
  }
}
