import Foundation

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

  /// H = −Σ p·ln p, in nats.
  public var entropy: Double {
    var sum = 0.0
    for probability in probabilities where probability > 0 {
      sum -= probability * log(probability)
    }
    return sum
  }

  /// The most probable tokens with their probabilities, most probable first, the lower token on
  /// ties; none without probability.
  public func mostProbable(_ count: Int) -> [(token: Int32, probability: Double)] {
    var best: [(token: Int32, probability: Double)] = []
    guard count > 0 else { return best }
    best.reserveCapacity(count + 1)
    var least = 0.0
    for index in probabilities.indices where probabilities[index] > least {
      let probability = probabilities[index]
      let place = best.firstIndex { $0.probability < probability } ?? best.count
      best.insert((tokens?[index] ?? Int32(index), probability), at: place)
      if best.count > count { best.removeLast() }
      if best.count == count { least = best[count - 1].probability }
    }
    return best
  }

  /// norm(max(p − q, 0)): what is left for the target to give after a proposal of q was rejected.
  ///
  /// When nothing is left, which only rounding can bring about, p itself.
  public func residual(after proposal: Distribution) -> Distribution {
    residual(of: 1, after: proposal).distribution
  }

  /// max(share·p − q, 0): its mass, and normalised; p itself where the mass is 0.
  /// - Complexity: O(n) in the number of tokens.
  public func residual(
    of share: Double, after proposal: Distribution
  ) -> (mass: Double, distribution: Distribution) {
    var weights = probabilities
    if share != 1 { for index in weights.indices { weights[index] *= share } }
    switch (tokens, proposal.tokens) {
    case (nil, let taken?):
      for (token, probability) in zip(taken, proposal.probabilities)
      where weights.indices.contains(Int(token)) {
        weights[Int(token)] = max(0, weights[Int(token)] - probability)
      }
    case (nil, nil):
      for index in 0..<min(weights.count, proposal.probabilities.count) {
        weights[index] = max(0, weights[index] - proposal.probabilities[index])
      }
    case (let own?, _):
      for index in weights.indices {
        weights[index] = max(0, weights[index] - proposal[own[index]])
      }
    }
    var mass = 0.0
    for weight in weights { mass += weight }
    return mass > 0 ? (mass, Distribution(tokens: tokens, weights: weights)) : (0, self)
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
