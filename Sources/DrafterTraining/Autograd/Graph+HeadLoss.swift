import TrainingKernels

/// Where a teacher's logits come from.
public enum HeadTeacher {
  /// teacher (M, hidden) · weightᵀ, weight (vocabulary, hidden): the target's last hidden states
  /// and its head.
  case hidden(Tensor, weight: Tensor)
  /// (M, vocabulary)
  case logits(Tensor)
}

/// The parts of a head's loss.
public struct HeadLoss {
  /// The loss itself, a scalar of the graph.
  public let loss: Variable
  /// Mean cross-entropy with the targets; 0 without targets.
  public let crossEntropy: Double
  /// Mean KL(p ‖ q) of the teacher's p from the student's q; 0 without a teacher.
  public let divergence: Double
  /// Σ w, over which the divergence, overlap and agreement are means.
  public let weight: Double
  /// Mean Σ min(p, q) over tokens: the chance that a draft sampled from q is accepted (arXiv
  /// 2211.17192); 0 without a teacher.
  public let overlap: Double
  /// Share of rows where the student's most likely token is the teacher's, or the target where
  /// there is no teacher: the chance that a greedy draft is accepted.
  public let agreement: Double
}

extension Graph {
  /// Room for the logits of one chunk of rows.
  private static let chunkBytes = 64 << 20

  /// An output matrix and its losses in one: Σ over rows of w · (a · CE(targets) + b · KL(teacher ‖
  /// student)), each divided by its Σ w. The logits exist for a chunk of rows at a time, in the
  /// forward pass, which also computes the gradients. A row without target (-1) has no
  /// cross-entropy.
  ///
  /// - Parameters:
  ///   - hidden: (M, hidden)
  ///   - head: (vocabulary, hidden). No gradient is computed when it is frozen.
  ///   - temperature: divides both logits in the divergence.
  public func headLoss(
    _ hidden: Variable, head: Variable, targets: [Int32]? = nil, teacher: HeadTeacher? = nil,
    weights: [Float], crossEntropy a: Float = 1, divergence b: Float = 1, temperature: Float = 1
  ) -> HeadLoss {
    let m = hidden.rows
    let pass = HeadPass(
      hidden: hidden, head: head, targets: targets, teacher: teacher, weights: weights,
      crossEntropyFactor: a
        * inverseSum(zip(weights, targets ?? []).map { $1 < 0 ? 0 : $0 }),
      divergenceFactor: teacher == nil ? 0 : b * inverseSum(weights), scale: 1 / temperature)
    let rowBytes = pass.columns * MemoryLayout<Float>.stride * (teacher == nil ? 1 : 2)
    let chunk = max(16, min(m, Self.chunkBytes / rowBytes / 16 * 16))
    let student = allocate([chunk, pass.columns])
    let teacherLogits: Tensor? =
      if case .hidden = teacher { allocate([chunk, pass.columns]) } else { nil }
    let dHidden = hidden.requiresGradient ? allocate(hidden.shape) : nil
    let dHead = head.requiresGradient ? allocate(head.shape) : nil
    let terms = HeadTerms(rows: allocate([m, HeadTerms.count]))

    for first in stride(from: 0, to: m, by: chunk) {
      let range = first..<min(first + chunk, m)
      run(pass, range, student, teacherLogits, terms, dHidden, dHead)
    }
    let loss = allocate([])
    if failure == nil { loss.data[0] = Float(terms.total(.loss)) }
    let variable = record(loss, [hidden, head]) { [unowned self] dy in
      if let dHidden { accumulate(dHidden, times: dy.data[0], to: hidden) }
      if let dHead { accumulate(dHead, times: dy.data[0], to: head) }
    }
    return failure == nil
      ? terms.summary(variable, pass)
      : HeadLoss(
        loss: variable, crossEntropy: .nan, divergence: .nan, weight: .nan, overlap: .nan,
        agreement: .nan)
  }

  private func run(
    _ pass: HeadPass, _ range: Range<Int>, _ student: Tensor, _ teacherRoom: Tensor?,
    _ terms: HeadTerms, _ dHidden: Tensor?, _ dHead: Tensor?
  ) {
    let (width, columns, count) = (pass.hidden.columns, pass.columns, range.count)
    let x = Matrix(
      data: pass.hidden.value.data + range.lowerBound * width, stride: width)
    let weight = pass.head.value.data
    product(
      x, Matrix(data: weight, stride: width, transposed: true), into: student.data,
      stride: columns, count, columns, width, add: false)
    let teacher: UnsafeMutablePointer<Float>?
    switch pass.teacher {
    case .hidden(let states, let weight):
      teacher = teacherRoom!.data
      product(
        Matrix(data: states.data + range.lowerBound * states.columns, stride: states.columns),
        Matrix(data: weight.data, stride: states.columns, transposed: true),
        into: teacherRoom!.data, stride: columns, count, columns, states.columns, add: false)
    case .logits(let logits): teacher = logits.data + range.lowerBound * columns
    case nil: teacher = nil
    }
    let wantsGradient = dHidden != nil || dHead != nil
    parallel(count) { _, rows in
      for row in rows {
        pass.row(
          range.lowerBound + row, student.data + row * columns, teacher.map { $0 + row * columns },
          terms, wantsGradient: wantsGradient)
      }
    }
    if let dHidden {
      product(
        Matrix(data: student.data, stride: columns), Matrix(data: weight, stride: width),
        into: dHidden.data + range.lowerBound * width, stride: width, count, width, columns,
        add: false)
    }
    if let dHead {
      product(
        Matrix(data: student.data, stride: columns, transposed: true), x, into: dHead.data,
        stride: width, columns, width, count, add: range.lowerBound > 0)
    }
  }
}

/// What stays the same over the chunks of a head's loss.
private struct HeadPass {
  let hidden: Variable
  let head: Variable
  let targets: [Int32]?
  let teacher: HeadTeacher?
  let weights: [Float]
  /// What a row's weight is multiplied with in the loss.
  let crossEntropyFactor: Float
  let divergenceFactor: Float
  let scale: Float

  var columns: Int { head.rows }

  init(
    hidden: Variable, head: Variable, targets: [Int32]?, teacher: HeadTeacher?, weights: [Float],
    crossEntropyFactor: Float, divergenceFactor: Float, scale: Float
  ) {
    let m = hidden.rows
    precondition(
      hidden.columns == head.columns && weights.count == m,
      "head loss: hidden \(hidden.shape), head \(head.shape), \(weights.count) weights")
    precondition(
      targets.map { $0.count == m && $0.allSatisfy { $0 < head.rows } } ?? true,
      "head loss: targets for \(m) rows and \(head.rows) tokens")
    precondition(targets != nil || teacher != nil, "head loss: neither targets nor teacher")
    switch teacher {
    case .hidden(let states, let weight):
      precondition(
        states.rows == m && states.columns == weight.columns && weight.rows == head.rows,
        "head loss: teacher \(states.shape), its head \(weight.shape), head \(head.shape)")
    case .logits(let logits):
      precondition(logits.shape == [m, head.rows], "head loss: teacher's logits \(logits.shape)")
    case nil: break
    }
    self.hidden = hidden
    self.head = head
    self.targets = targets
    self.teacher = teacher
    self.weights = weights
    self.crossEntropyFactor = crossEntropyFactor
    self.divergenceFactor = divergenceFactor
    self.scale = scale
  }

  /// One row's terms; its student logits become their gradient.
  func row(
    _ row: Int, _ s: UnsafeMutablePointer<Float>, _ t: UnsafePointer<Float>?, _ terms: HeadTerms,
    wantsGradient: Bool
  ) {
    let count = Int64(columns)
    let weight = weights[row]
    let target = targets.map { Int($0[row]) } ?? -1
    terms.clear(row)
    guard weight != 0, target >= 0 || t != nil else {
      if wantsGradient { s.update(repeating: 0, count: columns) }
      return
    }
    let logSum = tk_log_sum_exp(s, 1, count)
    let a = target >= 0 ? weight * crossEntropyFactor : 0
    let b = weight * divergenceFactor
    let best = tk_argmax(s, count)
    if target >= 0 {
      let loss = logSum - s[target]
      terms.add(row, .crossEntropy, weight * loss)
      terms.add(row, .loss, a * loss)
      terms.add(row, .targetWeight, weight)
    }
    if let t {
      let scaledSum = scale == 1 ? logSum : tk_log_sum_exp(s, scale, count)
      let teacherSum = tk_log_sum_exp(t, scale, count)
      let distance = tk_distill(t, teacherSum, s, scaledSum, scale, count)
      let divergence = distance.cross_entropy - distance.entropy
      terms.add(row, .divergence, weight * divergence)
      terms.add(row, .loss, b * divergence)
      terms.add(row, .overlap, weight * distance.overlap)
      if tk_argmax(t, count) == best { terms.add(row, .agreement, weight) }
      if wantsGradient {
        tk_head_gradient(
          t, teacherSum, s, logSum, scaledSum, scale, a, b * scale, s, count)
      }
    } else {
      if best == target { terms.add(row, .agreement, weight) }
      if wantsGradient { tk_softmax_gradient(s, 1, logSum, a, s, count, false) }
    }
    if wantsGradient, target >= 0 { s[target] -= a }
  }
}

/// Sums of each row, added up in order in the end.
private struct HeadTerms {
  enum Term: Int, CaseIterable {
    case loss, crossEntropy, targetWeight, divergence, overlap, agreement
  }
  static let count = Term.allCases.count

  let rows: Tensor

  func clear(_ row: Int) {
    (rows.data + row * Self.count).update(repeating: 0, count: Self.count)
  }

  func add(_ row: Int, _ term: Term, _ value: Float) {
    rows.data[row * Self.count + term.rawValue] += value
  }

  func total(_ term: Term) -> Double {
    (0..<rows.rows).reduce(0) { $0 + Double(rows.data[$1 * Self.count + term.rawValue]) }
  }

  func summary(_ loss: Variable, _ pass: HeadPass) -> HeadLoss {
    let all = pass.weights.reduce(0.0) { $0 + Double($1) }
    let withTarget = total(.targetWeight)
    func mean(_ term: Term, _ weight: Double) -> Double {
      weight == 0 ? 0 : total(term) / weight
    }
    return HeadLoss(
      loss: loss, crossEntropy: mean(.crossEntropy, withTarget),
      divergence: mean(.divergence, all), weight: all, overlap: mean(.overlap, all),
      agreement: mean(.agreement, pass.teacher == nil ? withTarget : all))
  }
}
