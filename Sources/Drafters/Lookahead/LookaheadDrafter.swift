import LanguageModels
import Sampling
import Speculation

/// Lookahead decoding (Fu et al., 2402.02057): the target itself guesses several tokens ahead by
/// Jacobi iteration, in rows that ride along with verification, and n-grams of these guesses are
/// proposed when their first token comes up.
///
/// The rows that iterate are nodes of the draft tree like all others, marked as probes. Where
/// another drafter proposes the same path, or a budget leaves a part out, the window works with
/// what was verified.
public final class LookaheadDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// Columns of the window (W).
    public var window: Int
    /// Tokens of an n-gram, its key included (N).
    public var nGram: Int
    /// The most n-grams that are proposed in one step (G).
    public var candidates: Int
    /// Whether n-grams of the prompt and the output are put into the pool.
    public var learnsFromText: Bool

    public init(
      window: Int = 5, nGram: Int = 4, candidates: Int = 4, learnsFromText: Bool = true
    ) {
      self.window = window
      self.nGram = nGram
      self.candidates = candidates
      self.learnsFromText = learnsFromText
    }
  }

  public let name = "lookahead"
  public let configuration: Configuration
  private(set) var pool: NGramPool
  private(set) var window: JacobiWindow?
  private var sequence: [Int32] = []
  private var random = SplitMix(state: 0)

  /// Keys of the pool.
  private static let poolCapacity = 1 << 13
  /// The score of a probe: chosen for what it teaches, hardly ever accepted.
  private static let probeScore = 0.02
  /// How often the target takes the first token of the n-gram seen last, last but one, …, and
  /// each later one: measured on Spec-Bench with SmolLM2-135M and Qwen2.5-Coder-1.5B.
  private static let firstRates = [0.42, 0.3, 0.22, 0.18]
  private static let laterRates = [0.7, 0.55, 0.42]

  /// - Throws: `SpeculationError.invalidSetting` for numbers out of range.
  public init(_ configuration: Configuration = Configuration()) throws {
    for (name, value, range) in [
      ("lookahead window", configuration.window, 0...64),
      ("lookahead n-gram", configuration.nGram, 2...16),
      ("lookahead candidates", configuration.candidates, 1...64),
    ] where !range.contains(value) {
      throw SpeculationError.invalidSetting(
        name: name, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
    }
    self.configuration = configuration
    pool = NGramPool(
      length: configuration.nGram - 1, width: configuration.candidates,
      capacity: Self.poolCapacity)
  }

  /// Starts a new window; the pool stays.
  public func begin(prompt: [Int32]) throws {
    let known = zip(sequence, prompt).prefix { $0 == $1 }.count
    sequence = Array(prompt[..<known])
    random = SplitMix(state: UInt64(prompt.count))
    append(prompt[known...])
    window = JacobiWindow(
      width: configuration.window, height: configuration.nGram - 1, guess: guess)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    guard let pending = context.tokens.last, !budget.isEmpty else { return tree }
    // The window keeps half of a small budget, or the pool would never grow.
    let probes = min(budget.nodes / 2, configuration.window * (configuration.nGram - 1))
    addCandidates(to: &tree, after: pending, budget, limit: budget.nodes - probes)
    addWindow(to: &tree, context, budget)
    return tree
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    if var window {
      let answers = try answers(window, states)
      window.advance(answers: answers, by: tokens.count, guess: guess) {
        if let key = $0.first { pool.insert($0.dropFirst(), after: key) }
      }
      self.window = window
    }
    append(tokens[...])
  }

  /// Proposes the n-grams of the pending token.
  private func addCandidates(
    to tree: inout DraftTree, after pending: Int32, _ budget: DraftBudget, limit: Int
  ) {
    for rank in 0..<pool.count(of: pending) {
      var parent = DraftTree.root
      for (depth, token) in pool.ngram(rank, after: pending).prefix(budget.depth).enumerated() {
        if tree.count == limit && tree.child(of: parent, token: token) == nil { break }
        let score =
          depth == 0
          ? Self.firstRates[min(rank, Self.firstRates.count - 1)]
          : Self.laterRates[min(rank, Self.laterRates.count - 1)]
        parent = tree.add(token, under: parent, score: score, source: name)
      }
    }
  }

  /// Adds as much of the window as the budget holds, column by column.
  private func addWindow(to tree: inout DraftTree, _ context: DraftContext, _ budget: DraftBudget) {
    guard let window else { return }
    var base = DraftTree.root
    for column in window.columns {
      var parent = base
      for (level, token) in column.enumerated() {
        let depth = parent == DraftTree.root ? 0 : tree.depths[parent]
        guard tree.count < budget.nodes, depth < budget.depth, token < context.vocabularySize
        else { return }
        parent = tree.add(
          token, under: parent, score: Self.probeScore, isProbe: true, source: name)
        if level == 0 { base = parent }
      }
    }
  }

  /// The target's most probable token after each column; nil where a part of it was not verified.
  private func answers(_ window: JacobiWindow, _ states: TargetStates) throws -> [Int32?] {
    let sampler = Sampler(.greedy)
    let tree = states.tree
    var base: Int? = DraftTree.root
    return try window.columns.map { column in
      var node = base
      for (level, token) in column.enumerated() {
        node = node.flatMap { tree.child(of: $0, token: token) }
        if level == 0 { base = node }
      }
      return try node.map {
        try sampler.mostProbableToken(logits: states.output.logits[$0 + 1], context: [])
      }
    }
  }

  /// Goes on with the sequence, and learns the n-grams that its new tokens complete.
  private func append(_ tokens: ArraySlice<Int32>) {
    for token in tokens {
      sequence.append(token)
      if configuration.learnsFromText && sequence.count >= configuration.nGram {
        let ngram = sequence.suffix(configuration.nGram)
        pool.insert(ngram.dropFirst(), after: ngram[ngram.startIndex])
      }
    }
  }

  /// A token of the sequence, at random: a likelier one than any of the vocabulary.
  private func guess() -> Int32 { sequence.randomElement(using: &random) ?? 0 }
}

extension DrafterRegistry.Entry {
  static let lookahead = Self(
    name: "lookahead", summary: "n-grams that the target guesses ahead in spare rows"
  ) {
    try LookaheadDrafter($0.lookahead)
  }
}
