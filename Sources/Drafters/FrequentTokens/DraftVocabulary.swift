import Foundation
import Sampling

/// The tokens that a drafter's logits stand for. One whose head is cut to some tokens gives the
/// others no probability.
struct DraftVocabulary: Sendable {
  /// Ascending, so that places and tokens have the same order; nil when logit i is token i's.
  let tokens: [Int32]?

  /// How a row of logits is sampled from: q.
  func distribution(
    _ logits: UnsafeMutableBufferPointer<Float>, _ sampler: Sampler, after path: [Int32]
  ) throws -> Distribution {
    let q = try sampler.distribution(logits: logits, context: context(path, sampler))
    guard let tokens else { return q }
    return Distribution(
      tokens: q.tokens.map { $0.map { tokens[Int($0)] } } ?? tokens, weights: q.probabilities)
  }

  /// The most probable tokens of a row, as `Sampler.mostProbableTokens` has them.
  func mostProbable(
    _ count: Int, _ logits: UnsafeMutableBufferPointer<Float>, _ sampler: Sampler,
    after path: [Int32]
  ) throws -> [(token: Int32, probability: Double)] {
    let best = try sampler.mostProbableTokens(
      count, logits: logits, context: context(path, sampler))
    guard let tokens else { return best }
    return best.map { (tokens[Int($0.token)], $0.probability) }
  }

  /// The part of a path that the repetition penalty counts, as places in the row.
  private func context(_ path: [Int32], _ sampler: Sampler) -> [Int32] {
    guard tokens != nil else { return path }
    guard sampler.parameters.repetitionPenalty != 1 else { return [] }
    return path.suffix(sampler.parameters.repetitionWindow).compactMap { token in
      column(of: token).map(Int32.init)
    }
  }

  /// The place of a token in a row; nil for one that the row does not have.
  func column(of token: Int32) -> Int? {
    guard let tokens else { return Int(token) }
    var (low, high) = (0, tokens.count)
    while low < high {
      let middle = (low + high) / 2
      if tokens[middle] < token { low = middle + 1 } else { high = middle }
    }
    return low < tokens.count && tokens[low] == token ? low : nil
  }
}
