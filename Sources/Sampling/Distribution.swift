/// Probabilities of tokens: over a whole vocabulary, or over a few of its tokens.
public struct Distribution: Sendable, Equatable {
  /// The tokens, ascending; nil when token i has `probabilities[i]`.
  public let tokens: [Int32]?
  /// Probabilities, none negative, with sum 1. In the order of `tokens`.
  public let probabilities: [Double]

  /// Normalises weights (none negative, at least one above zero).
  /// - Parameter tokens: ascending and as many as `weights`; nil stands for 0, 1, 2, …
  public init(tokens: [Int32]? = nil, weights: [Double]) {
    precondition(tokens == nil || tokens?.count == weights.count)
    var total = 0.0
    for weight in weights { total += weight }
    precondition(total > 0, "a distribution needs a positive weight")
    let scale = 1 / total
    self.tokens = tokens
    probabilities = [Double](unsafeUninitializedCapacity: weights.count) { scaled, count in
      for index in weights.indices { scaled[index] = weights[index] * scale }
      count = weights.count
    }
  }

  /// All mass on one token.
  public init(certain token: Int32) {
    tokens = [token]
    probabilities = [1]
  }

  /// The probability of a token; 0 for one outside.
  /// - Complexity: O(log n) in the number of tokens.
  public subscript(token: Int32) -> Double {
    guard let tokens else {
      return probabilities.indices.contains(Int(token)) ? probabilities[Int(token)] : 0
    }
    var low = 0
    var high = tokens.count
    while low < high {
      let middle = (low + high) / 2
      if tokens[middle] < token { low = middle + 1 } else { high = middle }
    }
    return low < tokens.count && tokens[low] == token ? probabilities[low] : 0
  }

  /// The largest probability.
  public var maximum: Double { probabilities.max() ?? 0 }

  /// The token where the cumulative probability, added up in the order of token ids, first
  /// exceeds `uniform` in [0, 1). Tokens without probability are never returned.
  public func token(at uniform: Double) -> Int32 {
    var sum = 0.0
    var last = 0
    for index in probabilities.indices where probabilities[index] > 0 {
      sum += probabilities[index]
      last = index
      if uniform < sum { break }
    }
    return tokens?[last] ?? Int32(last)
  }

  /// norm(max(p − q, 0)): what is left for the target to give after a proposal of q was rejected.
  ///
  /// When nothing is left, which only rounding can bring about, p itself.
  public func residual(after proposal: Distribution) -> Distribution {
    var weights = probabilities
    for index in weights.indices {
      let token = tokens?[index] ?? Int32(index)
      weights[index] = max(0, weights[index] - proposal[token])
    }
    return weights.contains { $0 > 0 } ? Distribution(tokens: tokens, weights: weights) : self
  }

  /// The distribution of a further draw that may not repeat `excluded`; nil when nothing is left.
  public func without(_ excluded: some Sequence<Int32>) -> Distribution? {
    var weights = probabilities
    let excluded = Set(excluded)
    for index in weights.indices where excluded.contains(tokens?[index] ?? Int32(index)) {
      weights[index] = 0
    }
    return weights.contains { $0 > 0 } ? Distribution(tokens: tokens, weights: weights) : nil
  }
}
