import Foundation

/// Turns rows of logits into tokens and distributions.
public struct Sampler: Sendable {
  public let parameters: SamplingParameters

  public init(_ parameters: SamplingParameters) {
    self.parameters = parameters
  }

  /// The token that follows `context`: the argmax when greedy, else a draw from `distribution`.
  /// - Parameters:
  ///   - logits: one row. (vocabularySize)
  ///   - context: the tokens that the row has seen: its position is their count.
  public func token(
    logits: UnsafeMutableBufferPointer<Float>, context: [Int32], chance: some Chance,
    stream: RandomStream = .target, draw: Int = 0
  ) throws -> Int32 {
    if parameters.isGreedy { return try mostProbableToken(logits: logits, context: context) }
    if parameters.keepsAllTokens(of: logits.count),
      let race = chance.race(position: context.count, stream: stream, draw: draw)
    {
      return try withPenalty(logits, context) {
        let (_, highest) = try Selection.argmax($0)
        return race.winner(of: $0, highest: highest, scale: parameters.scale)
      }
    }
    return chance.token(
      from: try distribution(logits: logits, context: context), position: context.count,
      stream: stream, draw: draw)
  }

  /// The most probable token after the repetition penalty, the lowest on ties.
  public func mostProbableToken(
    logits: UnsafeMutableBufferPointer<Float>, context: [Int32]
  ) throws -> Int32 {
    try withPenalty(logits, context) { Int32(try Selection.argmax($0).index) }
  }

  /// The distribution from which the next token is drawn, after all steps. When greedy, all mass
  /// lies on the most probable token.
  public func distribution(
    logits: UnsafeMutableBufferPointer<Float>, context: [Int32]
  ) throws -> Distribution {
    try withPenalty(logits, context) { logits in
      let (best, highest) = try Selection.argmax(logits)
      if parameters.isGreedy { return Distribution(certain: Int32(best)) }
      let scale = parameters.scale
      var tokens: [Int32]?
      var weights: [Double]
      if parameters.topK > 0 && parameters.topK < logits.count {
        let kept = Selection.largest(parameters.topK, of: logits)
        weights = kept.map { logits[Int($0)] }.withUnsafeBufferPointer {
          Exponential.weights(of: $0, highest: highest, scale: scale)
        }
        tokens = kept
      } else {
        weights = Exponential.weights(of: logits, highest: highest, scale: scale)
      }
      if parameters.topP < 1 {
        keep(Selection.nucleus(parameters.topP, of: weights), &tokens, &weights)
      }
      if parameters.minP > 0 {
        // The largest weight is exp(0) = 1.
        keep(weights.indices.filter { weights[$0] >= parameters.minP }, &tokens, &weights)
      }
      return Distribution(tokens: tokens, weights: weights)
    }
  }

  /// The most probable tokens of `distribution` with their probabilities, most probable first, the
  /// lower token on ties. Greedy sampling, which is certain of anything, is judged by temperature 1
  /// over the whole vocabulary.
  public func mostProbableTokens(
    _ count: Int, logits: UnsafeMutableBufferPointer<Float>, context: [Int32]
  ) throws -> [(token: Int32, probability: Double)] {
    guard parameters.isGreedy else {
      return try distribution(logits: logits, context: context).mostProbable(count)
    }
    return try withPenalty(logits, context) { logits in
      let (best, highest) = try Selection.argmax(logits)
      let total = Exponential.total(of: logits, highest: highest, scale: 1)
      let found = count == 1 ? [Int32(best)] : Selection.largest(count, of: logits)
      return found.sorted { (logits[Int($1)], $0) < (logits[Int($0)], $1) }.map {
        (token: $0, probability: Double(Foundation.exp(logits[Int($0)] - highest)) / total)
      }
    }
  }

  /// The logarithm that turns a row's logits into log-probabilities of temperature 1, when taken
  /// from them, and their entropy in nats.
  public static func entropy(
    logits: UnsafeBufferPointer<Float>
  ) throws -> (logSum: Double, entropy: Double) {
    let (_, highest) = try Selection.argmax(logits)
    let (logTotal, entropy) = Exponential.entropy(of: logits, highest: highest)
    return (Double(highest) + logTotal, entropy)
  }

  private func keep(_ kept: [Int], _ tokens: inout [Int32]?, _ weights: inout [Double]) {
    let old = tokens
    tokens = kept.map { old?[$0] ?? Int32($0) }
    let oldWeights = weights
    weights = kept.map { oldWeights[$0] }
  }

  /// Applies the repetition penalty for the duration of `body`: afterwards the row is as before,
  /// so it may be processed again.
  private func withPenalty<Result>(
    _ logits: UnsafeMutableBufferPointer<Float>, _ context: [Int32],
    _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) throws -> Result {
    let penalty = Float(parameters.repetitionPenalty)
    guard penalty != 1 else { return try body(UnsafeBufferPointer(logits)) }
    let recent = Set(context.suffix(parameters.repetitionWindow).map(Int.init))
    let saved = recent.filter { logits.indices.contains($0) }.map { ($0, logits[$0]) }
    for (token, logit) in saved {
      logits[token] = logit > 0 ? logit / penalty : logit * penalty
    }
    defer { for (token, logit) in saved { logits[token] = logit } }
    return try body(UnsafeBufferPointer(logits))
  }
}
