import LanguageModels
import TrainingKernels

/// Sizes of an attention. Rows of `width` = heads · dim floats.
struct AttentionShape {
  let heads: Int
  let kvHeads: Int
  let dim: Int
  let scale: Float
  let extras: Int

  var queryWidth: Int { heads * dim }
  var keyWidth: Int { kvHeads * dim }
  /// Query heads that share a key.
  var group: Int { heads / kvHeads }
}

extension Graph {
  /// Query rows that are handled at once.
  private static let block = 128

  /// Causal attention. query (M, heads · headDim), key and value (M, kvHeads · headDim). The rows
  /// of a segment are one document: row t sees rows ≤ t of its segment of key and value, and row t
  /// of every extra, which is how EAGLE-3 attends to its own earlier drafts (arXiv 2503.01840).
  /// Rows outside all segments give 0.
  public func attention(
    query: Variable, key: Variable, value: Variable,
    extra: [(key: Variable, value: Variable)] = [], heads: Int, kvHeads: Int, scale: Float,
    segments: [Range<Int>]
  ) -> Variable {
    let m = query.rows
    precondition(
      heads % kvHeads == 0 && query.columns % heads == 0
        && ([(key, value)] + extra).allSatisfy { pair in
          [pair.0, pair.1].allSatisfy { $0.shape == [m, query.columns / heads * kvHeads] }
        },
      "attention: query \(query.shape), key \(key.shape), \(heads) and \(kvHeads) heads")
    precondition(
      zip(segments, segments.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
        && segments.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= m },
      "attention: segments overlap or leave the \(m) rows")
    let shape = AttentionShape(
      heads: heads, kvHeads: kvHeads, dim: query.columns / heads, scale: scale,
      extras: extra.count)
    let keys = [key] + extra.map(\.key)
    let values = [value] + extra.map(\.value)
    let output = allocate([m, shape.queryWidth])
    // What turns scores into probabilities again in the backward pass.
    let logSums = allocate([m, heads])
    zeroOutside(segments, output)

    let longest = (segments.map(\.count).max() ?? 0) + extra.count
    let scratch = allocate([pool.threads, Self.block * longest])
    let tasks = segments.flatMap { segment in
      (0..<heads).flatMap { head in
        stride(from: segment.lowerBound, to: segment.upperBound, by: Self.block).map {
          (segment: segment, head: head, rows: $0..<min($0 + Self.block, segment.upperBound))
        }
      }
    }
    parallel(tasks.count) { thread, range in
      for task in tasks[range] {
        let scores = scratch.data + thread * Self.block * longest
        let columns = task.rows.upperBound - task.segment.lowerBound + extra.count
        shape.scores(
          query.value, keys.map(\.value), task.segment, task.rows, task.head, into: scores)
        for (index, row) in task.rows.enumerated() {
          let x = scores + index * columns
          let logSum = tk_log_sum_exp(x, scale, Int64(columns))
          logSums.data[row * heads + task.head] = logSum
          tk_exp_scaled(x, scale, logSum, Int64(columns))
        }
        shape.mix(
          scores, values.map(\.value), task.segment, task.rows, task.head, into: output.data)
      }
    }
    return record(output, [query] + keys + values) { [unowned self] dy in
      attentionGradient(
        shape, query, keys, values, output: output, logSums: logSums, dy, segments)
    }
  }

  private func attentionGradient(
    _ shape: AttentionShape, _ query: Variable, _ keys: [Variable], _ values: [Variable],
    output: Tensor, logSums: Tensor, _ dy: Tensor, _ segments: [Range<Int>]
  ) {
    /// A gradient to add to, zeroed where nothing was there; nil when it isn't wanted.
    func zeroed(_ input: Variable) -> UnsafeMutablePointer<Float>? {
      guard let gradient = gradient(of: input) else { return nil }
      if !gradient.add {
        elements(input.value.count) { range in
          (gradient.data + range.lowerBound).update(repeating: 0, count: range.count)
        }
      }
      return gradient.data
    }
    let gradients = AttentionGradients(
      query: zeroed(query), keys: keys.map(zeroed), values: values.map(zeroed))
    let longest = (segments.map(\.count).max() ?? 0) + shape.extras
    let area = Self.block * longest
    let scratch = allocate([pool.threads, 2 * area])
    // One thread handles all that adds to one key head of a segment.
    parallel(segments.count * shape.kvHeads) { thread, range in
      let p = scratch.data + thread * 2 * area
      for task in range {
        let (segment, kvHead) = (segments[task / shape.kvHeads], task % shape.kvHeads)
        for head in kvHead * shape.group..<(kvHead + 1) * shape.group {
          for first in stride(from: segment.lowerBound, to: segment.upperBound, by: Self.block) {
            let rows = first..<min(first + Self.block, segment.upperBound)
            let columns = rows.upperBound - segment.lowerBound + shape.extras
            let ds = p + area
            shape.scores(query.value, keys.map(\.value), segment, rows, head, into: p)
            shape.scores(dy, values.map(\.value), segment, rows, head, into: ds)
            for (index, row) in rows.enumerated() {
              let (x, dx) = (p + index * columns, ds + index * columns)
              tk_exp_scaled(x, shape.scale, logSums.data[row * shape.heads + head], Int64(columns))
              let at = row * shape.queryWidth + head * shape.dim
              let delta = tk_dot(dy.data + at, output.data + at, Int64(shape.dim))
              // Where nothing is seen the score is -inf and p is 0.
              for column in row + 1 - segment.lowerBound..<columns - shape.extras {
                dx[column] = 0
              }
              tk_attention_gradient(x, dx, Float(delta), shape.scale, dx, Int64(columns))
            }
            shape.spread(
              p, ds, query.value, keys.map(\.value), dy, segment, rows, head, into: gradients)
          }
        }
      }
    }
  }

  private func zeroOutside(_ segments: [Range<Int>], _ output: Tensor) {
    guard failure == nil else { return }
    var row = 0
    for segment in segments + [output.rows..<output.rows] {
      let skipped = max(0, segment.lowerBound - row)
      (output.data + row * output.columns).update(repeating: 0, count: skipped * output.columns)
      row = segment.upperBound
    }
  }
}

/// Where the gradients of an attention go; nil where none is wanted.
struct AttentionGradients {
  let query: UnsafeMutablePointer<Float>?
  let keys: [UnsafeMutablePointer<Float>?]
  let values: [UnsafeMutablePointer<Float>?]
}

extension AttentionShape {
  /// Products of a block of query rows with the keys that they may see: (rows, seen + extras), rows
  /// of the segment first. What a row must not see becomes -inf.
  func scores(
    _ query: Tensor, _ keys: [Tensor], _ segment: Range<Int>, _ rows: Range<Int>, _ head: Int,
    into scores: UnsafeMutablePointer<Float>
  ) {
    let seen = rows.upperBound - segment.lowerBound
    let columns = seen + extras
    let keyOffset = head / group * dim
    let q = query.data + rows.lowerBound * queryWidth + head * dim
    matrixProduct(
      Matrix(data: q, stride: queryWidth),
      Matrix(
        data: keys[0].data + segment.lowerBound * keyWidth + keyOffset, stride: keyWidth,
        transposed: true),
      into: scores, stride: columns, rows.count, seen, dim, add: false)
    for (index, row) in rows.enumerated() {
      let x = scores + index * columns
      for column in row + 1 - segment.lowerBound..<seen { x[column] = -.infinity }
      for extra in 0..<extras {
        x[seen + extra] = Float(
          tk_dot(
            q + index * queryWidth, keys[extra + 1].data + row * keyWidth + keyOffset, Int64(dim)))
      }
    }
  }

  /// Writes the rows' mixtures of values.
  func mix(
    _ p: UnsafePointer<Float>, _ values: [Tensor], _ segment: Range<Int>, _ rows: Range<Int>,
    _ head: Int, into output: UnsafeMutablePointer<Float>
  ) {
    let seen = rows.upperBound - segment.lowerBound
    let columns = seen + extras
    let offset = head / group * dim
    let y = output + rows.lowerBound * queryWidth + head * dim
    matrixProduct(
      Matrix(data: p, stride: columns),
      Matrix(data: values[0].data + segment.lowerBound * keyWidth + offset, stride: keyWidth),
      into: y, stride: queryWidth, rows.count, dim, seen, add: false)
    for (index, row) in rows.enumerated() {
      for extra in 0..<extras {
        tk_axpy(
          p[index * columns + seen + extra], values[extra + 1].data + row * keyWidth + offset,
          y + index * queryWidth, Int64(dim))
      }
    }
  }

  /// Adds a block's gradients: p are its probabilities, ds the scores' gradients.
  func spread(
    _ p: UnsafePointer<Float>, _ ds: UnsafePointer<Float>, _ query: Tensor, _ keys: [Tensor],
    _ dy: Tensor, _ segment: Range<Int>, _ rows: Range<Int>, _ head: Int,
    into gradients: AttentionGradients
  ) {
    let seen = rows.upperBound - segment.lowerBound
    let columns = seen + extras
    let offset = head / group * dim
    let queryAt = rows.lowerBound * queryWidth + head * dim
    let keyAt = segment.lowerBound * keyWidth + offset
    if let dq = gradients.query {
      matrixProduct(
        Matrix(data: ds, stride: columns), Matrix(data: keys[0].data + keyAt, stride: keyWidth),
        into: dq + queryAt, stride: queryWidth, rows.count, dim, seen, add: true)
    }
    if let dk = gradients.keys[0] {
      matrixProduct(
        Matrix(data: ds, stride: columns, transposed: true),
        Matrix(data: query.data + queryAt, stride: queryWidth),
        into: dk + keyAt, stride: keyWidth, seen, dim, rows.count, add: true)
    }
    if let dv = gradients.values[0] {
      matrixProduct(
        Matrix(data: p, stride: columns, transposed: true),
        Matrix(data: dy.data + queryAt, stride: queryWidth),
        into: dv + keyAt, stride: keyWidth, seen, dim, rows.count, add: true)
    }
    for (index, row) in rows.enumerated() {
      let at = queryAt + index * queryWidth
      let extraAt = row * keyWidth + offset
      for extra in 0..<extras {
        let (share, slope) = (p[index * columns + seen + extra], ds[index * columns + seen + extra])
        if let dq = gradients.query {
          tk_axpy(slope, keys[extra + 1].data + extraAt, dq + at, Int64(dim))
        }
        if let dk = gradients.keys[extra + 1] {
          tk_axpy(slope, query.data + at, dk + extraAt, Int64(dim))
        }
        if let dv = gradients.values[extra + 1] {
          tk_axpy(share, dy.data + at, dv + extraAt, Int64(dim))
        }
      }
    }
  }
}
