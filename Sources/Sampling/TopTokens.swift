/// The few most probable tokens of a row of logits, found fast enough to look at every row that a
/// target verifies.
public enum TopTokens {
  /// Writes the most probable tokens of a row, best first (the lower id wins a tie), with their
  /// probabilities at temperature 1, and returns how many there are: as many as the buffers hold,
  /// or fewer where the row is shorter or holds no finite number.
  ///
  /// Which tokens they are is exact. Of large rows, the sum over all other tokens, by which
  /// probabilities are divided, is estimated from some thousand of them.
  /// - Parameters:
  ///   - logits: one row. (vocabularySize)
  ///   - tokens: (count), as `probabilities`
  public static func find(
    in logits: UnsafeBufferPointer<Float>, tokens: UnsafeMutableBufferPointer<Int32>,
    probabilities: UnsafeMutableBufferPointer<Float>
  ) -> Int {
    let found = largest(logits, tokens, probabilities)
    guard found > 0, probabilities[0].isFinite else { return 0 }
    let highest = probabilities[0]
    var kept: Float = 0
    for rank in 0..<found {
      probabilities[rank] = exp(probabilities[rank] - highest)
      kept += probabilities[rank]
    }
    let rest = otherWeight(logits, highest, tokens: tokens[..<found])
    for rank in 0..<found { probabilities[rank] /= kept + rest }
    return found
  }

  /// The largest logits, descending, and their tokens.
  private static func largest(
    _ logits: UnsafeBufferPointer<Float>, _ tokens: UnsafeMutableBufferPointer<Int32>,
    _ values: UnsafeMutableBufferPointer<Float>
  ) -> Int {
    let width = tokens.count
    guard width > 0 else { return 0 }
    var found = 0
    var threshold = -Float.infinity
    func offer(_ index: Int) {
      let value = logits[index]
      guard value > threshold else { return }
      var place = found < width ? found : width - 1
      found = max(found, place + 1)
      while place > 0 && values[place - 1] < value {
        values[place] = values[place - 1]
        tokens[place] = tokens[place - 1]
        place -= 1
      }
      values[place] = value
      tokens[place] = Int32(index)
      if found == width { threshold = values[width - 1] }
    }
    var index = 0
    while index < logits.count {
      index = logits.next(above: threshold, from: index)
      if index < logits.count { offer(index) }
      index += 1
    }
    return found
  }

  /// Σ exp(logit − highest) of all tokens but the few given, from every n-th block of them.
  private static func otherWeight(
    _ logits: UnsafeBufferPointer<Float>, _ highest: Float,
    tokens: Slice<UnsafeMutableBufferPointer<Int32>>
  ) -> Float {
    let raw = UnsafeRawBufferPointer(logits)
    let blocks = logits.count / 16
    let stride = max(1, blocks / 192)
    var lanes = SIMD16<Float>()
    var sampled = 0
    for block in Swift.stride(from: 0, to: blocks, by: stride) {
      let next = raw.loadUnaligned(fromByteOffset: block * 64, as: SIMD16<Float>.self)
      lanes += Exponential.exp(next - highest)
      sampled += 16
    }
    var sum = lanes.sum()
    if stride == 1 {
      for index in (blocks * 16)..<logits.count { sum += exp(logits[index] - highest) }
      sampled = logits.count
    }
    var others = sampled
    for token in tokens {
      let index = Int(token)
      guard stride == 1 || (index < blocks * 16 && index / 16 % stride == 0) else { continue }
      sum -= exp(logits[index] - highest)
      others -= 1
    }
    guard others > 0 else { return 0 }
    return max(0, sum) * Float(logits.count - tokens.count) / Float(others)
  }

  private static func exp(_ value: Float) -> Float {
    Exponential.exp(SIMD16(repeating: value))[0]
  }
}
