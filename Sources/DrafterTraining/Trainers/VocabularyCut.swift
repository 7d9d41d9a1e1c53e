import Drafters

/// The tokens that a drafter proposes: those that the target writes often (FR-Spec, 2502.14856).
///
/// A drafter's pass over its output matrix costs as much as its layers do, and most of a large
/// vocabulary is hardly ever written.
public struct VocabularyCut: Sendable, Equatable {
  /// The tokens with their counts; nil for the whole vocabulary.
  public let frequent: FrequentTokens?
  /// Ascending.
  public let tokens: [Int32]
  public let vocabularySize: Int
  /// For each token of the vocabulary its place in `tokens`, or -1.
  let places: [Int32]

  /// The whole vocabulary.
  public init(vocabularySize: Int) {
    self.init(frequent: nil, tokens: 0..<Int32(vocabularySize), vocabularySize: vocabularySize)
  }

  /// The tokens of a list.
  public init(_ frequent: FrequentTokens) {
    self.init(
      frequent: frequent, tokens: frequent.tokens.sorted(),
      vocabularySize: frequent.vocabularySize)
  }

  /// The fewest tokens that make up a share of the counted text, or a few more: the kernels take
  /// the rows of a matrix in groups.
  /// - Parameters:
  ///   - counts: how often each token of the vocabulary was written.
  ///   - coverage: the share, from 0 to 1; 1 takes the whole vocabulary.
  ///   - always: tokens to take in any case, such as those that end a turn.
  public init(counts: [Int], coverage: Double, always: Set<Int32> = []) {
    let all = FrequentTokens(counts: counts)
    let size = all.size(covering: coverage)
    guard coverage < 1, size + always.count + Self.group < counts.count else {
      self.init(vocabularySize: counts.count)
      return
    }
    self.init(
      all.prefix((size + always.count + Self.group - 1) / Self.group * Self.group, always: always))
  }

  private static let group = 16

  private init(frequent: FrequentTokens?, tokens: some Sequence<Int32>, vocabularySize: Int) {
    self.frequent = frequent
    self.tokens = Array(tokens)
    self.vocabularySize = vocabularySize
    var places = [Int32](repeating: -1, count: vocabularySize)
    for (place, token) in self.tokens.enumerated() { places[Int(token)] = Int32(place) }
    self.places = places
  }

  /// Whether all tokens are there.
  public var isWhole: Bool { frequent == nil }

  /// The share of the counted text that the tokens make up.
  public var coverage: Double { frequent?.coverage(of: tokens.count) ?? 1 }

  /// Counts the tokens that the target wrote.
  public static func counts(of source: any StateSource, vocabularySize: Int) throws -> [Int] {
    var counts = [Int](repeating: 0, count: vocabularySize)
    var index = 0
    while let batch = try source.batch(inOrder: index, rows: 4096) {
      for (token, answer) in zip(batch.tokens, batch.answer) where answer == 1 {
        counts[Int(token)] += 1
      }
      index += 1
    }
    return counts
  }
}
