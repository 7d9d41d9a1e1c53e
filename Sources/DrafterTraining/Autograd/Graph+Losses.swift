import Foundation
import TrainingKernels

extension Graph {
  /// Σ w · (log Σ exp(logits) − logits[target]) / Σ w, a scalar; over rows whose target is not -1.
  /// logits (M, vocabulary). 0 when the weights are all 0.
  public func crossEntropy(_ logits: Variable, targets: [Int32], weights: [Float]) -> Variable {
    let (m, columns) = (logits.rows, logits.columns)
    precondition(
      targets.count == m && weights.count == m && targets.allSatisfy { $0 < columns },
      "cross-entropy: logits \(logits.shape), \(targets.count) targets, \(weights.count) weights")
    let weights = zip(weights, targets).map { $1 < 0 ? 0 : $0 }
    let factor = inverseSum(weights)
    let logSums = allocate([m])
    let losses = allocate([m])
    rows(m, columns: columns) { range in
      for row in range {
        let x = logits.value.data + row * columns
        guard weights[row] != 0 else {
          (logSums.data[row], losses.data[row]) = (0, 0)
          continue
        }
        logSums.data[row] = tk_log_sum_exp(x, 1, Int64(columns))
        losses.data[row] = weights[row] * (logSums.data[row] - x[Int(targets[row])])
      }
    }
    return record(sum(of: losses, times: factor), [logits]) { [unowned self] dy in
      guard let dx = gradient(of: logits) else { return }
      let factor = factor * dy.data[0]
      rows(m, columns: columns) { range in
        for row in range {
          let weight = weights[row] * factor
          let to = dx.data + row * columns
          guard weight != 0 else {
            if !dx.add { to.update(repeating: 0, count: columns) }
            continue
          }
          tk_softmax_gradient(
            logits.value.data + row * columns, 1, logSums.data[row], weight, to, Int64(columns),
            dx.add)
          to[Int(targets[row])] -= weight
        }
      }
    }
  }

  /// Σ w · CE(softmax(teacher / temperature), logits / temperature) / Σ w, a scalar (Hinton and
  /// others, arXiv 1503.02531, without the factor temperature²). The gradient goes to the logits
  /// alone. Both (M, vocabulary).
  public func distillation(
    _ logits: Variable, teacher: Tensor, weights: [Float], temperature: Float = 1
  ) -> Variable {
    let (m, columns) = (logits.rows, logits.columns)
    precondition(
      teacher.shape == logits.shape && weights.count == m && temperature > 0,
      "distillation: logits \(logits.shape), teacher \(teacher.shape), \(weights.count) weights")
    let factor = inverseSum(weights)
    let scale = 1 / temperature
    let logSums = allocate([2, m])
    let losses = allocate([m])
    rows(m, columns: columns) { range in
      for row in range {
        guard weights[row] != 0 else {
          losses.data[row] = 0
          continue
        }
        let (t, s) = (teacher.data + row * columns, logits.value.data + row * columns)
        let (tSum, sSum) = (
          tk_log_sum_exp(t, scale, Int64(columns)), tk_log_sum_exp(s, scale, Int64(columns))
        )
        (logSums.data[row], logSums.data[m + row]) = (tSum, sSum)
        losses.data[row] =
          weights[row] * tk_distill(t, tSum, s, sSum, scale, Int64(columns)).cross_entropy
      }
    }
    return record(sum(of: losses, times: factor), [logits]) { [unowned self] dy in
      guard let dx = gradient(of: logits) else { return }
      let factor = factor * scale * dy.data[0]
      rows(m, columns: columns) { range in
        for row in range {
          let to = dx.data + row * columns
          guard weights[row] != 0 else {
            if !dx.add { to.update(repeating: 0, count: columns) }
            continue
          }
          tk_distill_gradient(
            teacher.data + row * columns, logSums.data[row], logits.value.data + row * columns,
            logSums.data[m + row], scale, weights[row] * factor, to, Int64(columns), dx.add)
        }
      }
    }
  }

  /// Σ w · mean over columns of smoothL1(x − y) / Σ w, a scalar: d² / 2 where |d| < 1, else
  /// |d| − 1/2. Both (M, columns).
  public func smoothL1(_ x: Variable, _ y: Tensor, weights: [Float]) -> Variable {
    let (m, columns) = (x.rows, x.columns)
    precondition(
      x.shape == y.shape && weights.count == m,
      "smooth L1 of shapes \(x.shape) and \(y.shape), \(weights.count) weights")
    let factor = inverseSum(weights) / Float(columns)
    let losses = allocate([m])
    rows(m, columns: columns) { range in
      for row in range {
        losses.data[row] =
          weights[row]
          * Float(
            tk_smooth_l1(x.value.data + row * columns, y.data + row * columns, Int64(columns)))
      }
    }
    return record(sum(of: losses, times: factor), [x]) { [unowned self] dy in
      guard let dx = gradient(of: x) else { return }
      let factor = factor * dy.data[0]
      rows(m, columns: columns) { range in
        for row in range {
          tk_smooth_l1_gradient(
            x.value.data + row * columns, y.data + row * columns, weights[row] * factor,
            dx.data + row * columns, Int64(columns), dx.add)
        }
      }
    }
  }

  /// The mean of −y·ln σ(x) − (1 − y)·ln(1 − σ(x)) over all elements, a scalar. x (M, columns), y of
  /// the same shape, from 0 to 1.
  public func binaryCrossEntropy(_ x: Variable, _ y: Tensor) -> Variable {
    precondition(
      x.shape == y.shape && x.value.count > 0,
      "binary cross-entropy of shapes \(x.shape) and \(y.shape)")
    let factor = 1 / Float(x.value.count)
    let losses = allocate(x.shape)
    elements(losses.count) { range in
      for index in range {
        let value = x.value.data[index]
        // ln(1 + exp(-|x|)) does not overflow.
        losses.data[index] = max(value, 0) - value * y.data[index] + log1p(exp(-abs(value)))
      }
    }
    return record(sum(of: losses, times: factor), [x]) { [unowned self] dy in
      guard let dx = gradient(of: x) else { return }
      let factor = factor * dy.data[0]
      elements(x.value.count) { range in
        for index in range {
          let slope = factor * (1 / (1 + exp(-x.value.data[index])) - y.data[index])
          dx.data[index] = slope + (dx.add ? dx.data[index] : 0)
        }
      }
    }
  }

  /// Σ factor · term, of scalars or other tensors of one shape.
  public func sum(_ terms: [(Variable, Float)]) -> Variable {
    precondition(!terms.isEmpty, "sum of nothing")
    let shape = terms[0].0.shape
    precondition(terms.allSatisfy { $0.0.shape == shape }, "sum of several shapes")
    let y = allocate(shape)
    elements(y.count) { range in
      let i = range.lowerBound
      for (index, term) in terms.enumerated() {
        tk_scale(
          term.1, term.0.value.data + i, y.data + i, Int64(range.count), index > 0)
      }
    }
    return record(y, terms.map(\.0)) { [unowned self] dy in
      for (term, factor) in terms { accumulate(dy, times: factor, to: term) }
    }
  }

  /// 1 / Σ w, or 0 when that is 0.
  func inverseSum(_ weights: [Float]) -> Float {
    let total = weights.reduce(0.0) { $0 + Double($1) }
    return total == 0 ? 0 : Float(1 / total)
  }

  /// The scalar factor · Σ values, added in order.
  func sum(of values: Tensor, times factor: Float) -> Tensor {
    let y = allocate([])
    guard failure == nil else { return y }
    var total = 0.0
    for i in 0..<values.count { total += Double(values.data[i]) }
    y.data[0] = Float(total * Double(factor))
    return y
  }
}
