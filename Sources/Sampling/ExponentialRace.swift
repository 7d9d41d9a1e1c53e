import Foundation
import NunchiKernels

/// A race of tokens, in which token i arrives at Eᵢ/pᵢ. With independent standard exponential
/// numbers E, the first to arrive is a draw from p (the Gumbel-max trick, without its logarithms).
///
/// The numbers belong to the tokens, whatever the distribution: two distributions mostly let the same
/// token win, with a probability of at least (1 − d)/(1 + d) at a total variation distance of d
/// (Daliri et al., "Coupling without communication", 2408.07978). And since they are known before
/// p is, they tell which of the tokens that may follow are likely to.
public struct ExponentialRace: Sendable, Equatable {
  private let key: UInt64

  /// - Parameter key: independent of those of other races.
  init(key: UInt64) {
    self.key = key
  }

  /// 1 − exp(−E) of a token: uniform in (0, 1), and below E.
  @inline(__always)
  private func uniform(of token: Int32) -> Double {
    nk_race_uniform(key, UInt32(bitPattern: token))
  }

  /// E of a token, above 0.
  func number(of token: Int32) -> Double { -log1p(-uniform(of: token)) }

  /// The first tokens to arrive, and when; those without probability never do.
  public func first(
    _ count: Int, of distribution: Distribution
  ) -> [(token: Int32, arrival: Double)] {
    var found: [(token: Int32, arrival: Double)] = []
    guard count > 0 else { return found }
    found.reserveCapacity(count + 1)
    var limit = Double.infinity
    distribution.probabilities.withUnsafeBufferPointer { probabilities in
      for index in probabilities.indices {
        let probability = probabilities[index]
        let token = distribution.tokens?[index] ?? Int32(index)
        // Nearly all are too late by the lower bound already, and need no logarithm.
        guard uniform(of: token) < limit * probability else { continue }
        let arrival = number(of: token) / probability
        guard arrival < limit else { continue }
        let place = found.firstIndex { $0.arrival > arrival } ?? found.count
        found.insert((token, arrival), at: place)
        if found.count > count { found.removeLast() }
        if found.count == count { limit = found[count - 1].arrival }
      }
    }
    return found
  }

  /// The first token to arrive: a draw from the distribution.
  func winner(of distribution: Distribution) -> Int32 {
    // Some token has a probability, hence arrives.
    first(1, of: distribution)[0].token
  }

  /// The same for p = exp((logit − highest)·scale), normalised, without computing p.
  func winner(
    of logits: UnsafeBufferPointer<Float>, highest: Float, scale: Float
  ) -> Int32 {
    Int32(nk_race(logits.baseAddress, Int64(logits.count), highest, scale, key))
  }

  /// The chance that a token wins whose probability is `probability`, now that its number is known:
  /// exp(−E·(1 − p)/p), of which p is the mean over E.
  public func chance(of token: Int32, probability: Double) -> Double {
    guard probability > 0 else { return 0 }
    return exp(-number(of: token) * (1 - min(1, probability)) / probability)
  }
}
