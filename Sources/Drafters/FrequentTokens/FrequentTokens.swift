/// A vocabulary's tokens in the order of how often a text has them: what a drafter's output head is
/// cut to (FR-Spec, 2502.14856).
///
///     let frequent = FrequentTokens(counts: counts)
///     let cut = frequent.prefix(frequent.size(covering: 0.98))
public struct FrequentTokens: Sendable, Equatable {
  /// Most frequent first, the lower token on ties; each occurs.
  public let tokens: [Int32]
  /// Occurrences of each of `tokens`.
  public let counts: [Int]
  /// Tokens of the whole vocabulary.
  public let vocabularySize: Int
  /// Occurrences of all tokens, those left out included.
  public let total: Int

  /// All tokens that occur.
  /// - Parameter counts: occurrences of each token of the vocabulary.
  public init(counts: [Int]) {
    let order = counts.indices.filter { counts[$0] > 0 }
      .sorted { (counts[$1], $0) < (counts[$0], $1) }
    self.init(
      tokens: order.map(Int32.init), counts: order.map { counts[$0] },
      vocabularySize: counts.count, total: counts.reduce(0, +))
  }

  private init(tokens: [Int32], counts: [Int], vocabularySize: Int, total: Int) {
    self.tokens = tokens
    self.counts = counts
    self.vocabularySize = vocabularySize
    self.total = total
  }

  /// The most frequent of them.
  /// - Parameters:
  ///   - size: how many.
  ///   - always: tokens that stay whatever their count, such as those that end an answer.
  public func prefix(_ size: Int, always: Set<Int32> = []) -> FrequentTokens {
    let places = Dictionary(uniqueKeysWithValues: zip(tokens, counts))
    let kept = always.filter { $0 >= 0 && $0 < vocabularySize }
    let others = tokens.filter { !kept.contains($0) }.prefix(max(0, size - kept.count))
    let chosen = (Array(kept) + others).sorted {
      (places[$1] ?? 0, $0) < (places[$0] ?? 0, $1)
    }
    return FrequentTokens(
      tokens: chosen, counts: chosen.map { places[$0] ?? 0 }, vocabularySize: vocabularySize,
      total: total)
  }

  /// How many of the most frequent tokens make up a share of all occurrences.
  /// - Parameter share: from 0 to 1.
  public func size(covering share: Double) -> Int {
    var covered = 0
    let wanted = share * Double(total)
    for (index, count) in counts.enumerated() {
      if Double(covered) >= wanted { return index }
      covered += count
    }
    return tokens.count
  }

  /// The share of all occurrences that the `size` most frequent tokens make up.
  public func coverage(of size: Int) -> Double {
    total > 0 ? Double(counts.prefix(size).reduce(0, +)) / Double(total) : 0
  }

  /// The share of other text's tokens that are among these.
  public func coverage(of text: some Sequence<Int32>) -> Double {
    var isKnown = [Bool](repeating: false, count: vocabularySize)
    for token in tokens { isKnown[Int(token)] = true }
    var (known, all) = (0, 0)
    for token in text {
      all += 1
      if isKnown.indices.contains(Int(token)), isKnown[Int(token)] { known += 1 }
    }
    return all > 0 ? Double(known) / Double(all) : 0
  }
}

// MARK: - Files

extension FrequentTokens {
  /// The name of the file in a drafter's folder.
  public static let fileName = "frequent_tokens.json"

  private struct File: Codable {
    var vocabularySize: Int
    var total: Int
    var tokens: [Int32]
    var counts: [Int]
  }

  /// Reads a file.
  /// - Parameter vocabularySize: what the file's must be.
  /// - Throws: `StoreError`.
  public init(path: String, vocabularySize: Int) throws {
    let file = try readJSON(File.self, path: path)
    func check(_ isRight: Bool, _ field: String, _ expected: String, _ found: String) throws {
      guard !isRight else { return }
      throw StoreError.malformed(path: path, field: field, expected: expected, found: found)
    }
    try check(
      file.vocabularySize == vocabularySize, "vocabularySize", "\(vocabularySize)",
      "\(file.vocabularySize)")
    try check(
      file.counts.count == file.tokens.count, "counts", "\(file.tokens.count) of them",
      "\(file.counts.count)")
    try check(!file.tokens.isEmpty, "tokens", "at least one", "none")
    try check(
      Set(file.tokens).count == file.tokens.count, "tokens", "each token once", "one twice")
    if let wrong = file.tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) {
      try check(false, "tokens", "0 to \(vocabularySize - 1)", "\(wrong)")
    }
    if let wrong = file.counts.first(where: { $0 < 0 || $0 > file.total }) {
      try check(false, "counts", "0 to the total of \(file.total)", "\(wrong)")
    }
    self.init(
      tokens: file.tokens, counts: file.counts, vocabularySize: vocabularySize,
      total: file.total)
  }

  /// - Throws: `ModelFileError`.
  public func write(to path: String) throws {
    try writeJSON(
      File(vocabularySize: vocabularySize, total: total, tokens: tokens, counts: counts),
      path: path, pretty: false)
  }
}
