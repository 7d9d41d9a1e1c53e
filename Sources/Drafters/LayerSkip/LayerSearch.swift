import LanguageModels

/// Searches a set of layers to leave out, on known tokens and a cache of its own (SWIFT,
/// 2410.06916): at first sets at random, then changes of the best.
struct LayerSearch<Model: LanguageModel> {
  private let target: Model
  private let cache: Model.Cache
  private let tokens: [Int32]
  /// The whole target's most probable token after each of `tokens`.
  private let wanted: [Int]
  private var random: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// - Parameter tokens: not empty.
  init(target: Model, tokens: some Collection<Int32>) throws {
    self.target = target
    self.tokens = Array(tokens)
    cache = try target.makeCache(capacity: tokens.count)
    wanted = try Self.choices(target, cache, self.tokens, [])
  }

  /// The best set that was found; empty when none is expected to pay.
  mutating func run(passes: Int) throws -> Set<Int> {
    // The first and last layers are the least dispensable.
    let layers = Array(0..<target.layerCount).dropFirst().dropLast()
    guard !layers.isEmpty else { return [] }
    var (best, bestValue) = (Set<Int>(), 1.0)
    for pass in 0..<passes {
      var candidate = best
      if pass < passes / 2 || best.isEmpty {
        let share = 0.3 + 0.4 * unit()
        candidate = Set(layers.filter { _ in unit() < share })
      } else {
        for _ in 0...(pass % 2) {
          candidate.formSymmetricDifference([layers[layers.startIndex + below(layers.count)]])
        }
      }
      guard !candidate.isEmpty else { continue }
      let value = try value(of: candidate)
      if value > bestValue { (best, bestValue) = (candidate, value) }
    }
    return best
  }

  /// Tokens a step over the step's cost in whole passes, at the best draft length, with
  /// verification at the cost of one pass.
  func value(of skipped: Set<Int>) throws -> Double {
    let found = try Self.choices(target, cache, tokens, skipped)
    let matched = zip(found, wanted).filter { $0 == $1 }.count
    let acceptance = min(0.99, Double(matched) / Double(wanted.count))
    let cost = 1 - Double(skipped.count) / Double(target.layerCount)
    var (best, expected, survival) = (1.0, 1.0, 1.0)
    for length in 1...8 {
      survival *= acceptance
      expected += survival
      best = max(best, expected / (1 + Double(length) * cost))
    }
    return best
  }

  private static func choices(
    _ target: Model, _ cache: Model.Cache, _ tokens: [Int32], _ skipped: Set<Int>
  ) throws -> [Int] {
    cache.truncate(to: 0)
    let parents = tokens.indices.map { Int32($0) - 1 }
    let logits = try target.forward(
      [SequenceRows(cache: cache, tokens: tokens, parents: parents)],
      options: ForwardOptions(skippedLayers: skipped))[0].logits
    return tokens.indices.map { row in
      var best = 0
      let values = logits[row]
      for token in values.indices where values[token] > values[best] { best = token }
      return best
    }
  }

  private mutating func unit() -> Double { Double(below(1 << 20)) / Double(1 << 20) }

  private mutating func below(_ count: Int) -> Int {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return Int(random >> 11) % count
  }
}
