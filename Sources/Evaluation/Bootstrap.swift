/// An interval that a figure lies in, with a stated confidence.
public struct ConfidenceInterval: Sendable, Equatable, Codable {
  public var low: Double
  public var high: Double
}

/// The percentile bootstrap of a ratio of sums (Efron, "Bootstrap methods", 1979). Questions are
/// drawn anew, with replacement, and keep their numerator and denominator together.
public struct RatioBootstrap: Sendable {
  public var resamples = 1000
  public var confidence = 0.95
  public var seed: UInt64 = 0

  public init() {}

  /// The interval of Σ numerators / Σ denominators; nil with fewer than two questions, which tell
  /// nothing about how questions differ, or without a positive denominator.
  public func interval(_ pairs: [(numerator: Double, denominator: Double)])
    -> ConfidenceInterval?
  {
    guard pairs.count > 1, resamples > 0, pairs.allSatisfy({ $0.denominator > 0 }) else {
      return nil
    }
    var random = SplitMix64(state: seed)
    var ratios: [Double] = []
    for _ in 0..<resamples {
      var (numerator, denominator) = (0.0, 0.0)
      for _ in pairs.indices {
        let pair = pairs[Int.random(in: pairs.indices, using: &random)]
        numerator += pair.numerator
        denominator += pair.denominator
      }
      ratios.append(numerator / denominator)
    }
    ratios.sort()
    let tail = (1 - confidence) / 2
    return ConfidenceInterval(
      low: quantile(tail, of: ratios), high: quantile(1 - tail, of: ratios))
  }

  /// Between the two nearest of the sorted values.
  private func quantile(_ share: Double, of sorted: [Double]) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. The same seed
/// draws the same questions on every machine.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
