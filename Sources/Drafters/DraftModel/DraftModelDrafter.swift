import LanguageModels
import Sampling
import Speculation

/// Speculative decoding with a smaller language model of the same vocabulary
/// (Leviathan et al., 2211.17192; Chen et al., 2302.01318). It drafts a chain or a tree, one pass
/// of the draft model a level; the nodes of a tree share keys and values along their paths.
///
/// It keeps a cache of its own. What is accepted of its tree stays in it; tokens it has not seen,
/// such as the bonus token or those that others drafted, are computed in one pass with the next
/// draft.
public final class DraftModelDrafter<Model: LanguageModel>: Drafter {
  public typealias Configuration = DraftModelConfiguration

  public let name: String
  public let model: Model
  public let configuration: Configuration
  private let cache: Model.Cache
  private let capacity: Int
  /// Judges candidates by the model's states, where there is one.
  private let scorer: (any CandidateScorer)?
  /// The tokens in `cache`, without pending ones.
  private var cached: [Int32] = []
  /// Nodes of the last draft that the model has computed, in the order of their rows.
  private var pending = Rows()

  private struct Rows {
    var tokens: [Int32] = []
    /// Rows; -1 for the root's children.
    var parents: [Int32] = []
  }

  /// Rows of one pass over tokens not yet seen, as the generator's own.
  private let chunk = 512

  /// - Parameters:
  ///   - name: what its proposals are said to come from.
  ///   - capacity: the most tokens of a sequence; at most the model's context is used.
  /// - Throws: `SpeculationError.invalidSetting`, or what the cache's memory makes fail.
  public convenience init(
    model: Model, name: String = "draft-model", capacity: Int,
    configuration: Configuration = Configuration()
  ) throws {
    try self.init(
      model: model, name: name, capacity: capacity, configuration: configuration, scorer: nil)
  }

  init(
    model: Model, name: String, capacity: Int, configuration: Configuration,
    scorer: (any CandidateScorer)?
  ) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "1 or more", found: "\(configuration.length)")
    }
    _ = try GrowthPlan(configuration.shape, length: configuration.length, limit: 1)
    self.model = model
    self.name = name
    self.configuration = configuration
    self.scorer = scorer
    self.capacity = min(capacity, model.contextLength)
    cache = try model.makeCache(capacity: self.capacity)
  }

  public func begin(prompt: [Int32]) throws {
    // The last token waits for the first draft, whose pass computes it with the pending one.
    guard prompt.count <= capacity else { return }
    _ = try catchUp(with: prompt.dropLast(), logits: .none)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let known = context.tokens.count
    guard !budget.isEmpty, known <= capacity else { return DraftTree() }
    try (model as? any TextFollowing)?.follow(context.tokens)
    guard let last = try catchUp(with: context.tokens[...], logits: .last) else {
      return DraftTree()
    }
    var grower = try TreeGrower(
      configuration, context: context, budget: budget, room: capacity - known, scorer: scorer)
    return try grower.tree(from: last, by: self, source: name)
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    guard !pending.tokens.isEmpty else { return }
    var path: [Int] = []
    for token in tokens {
      let parent = Int32(path.last ?? -1)
      let row = pending.tokens.indices.first {
        pending.parents[$0] == parent && pending.tokens[$0] == token
      }
      guard let row else { break }
      path.append(row)
    }
    cache.commit(path: path)
    cached.append(contentsOf: tokens.prefix(path.count))
    pending = Rows()
  }

  /// Brings the cache to exactly `tokens`; returns the last row's logits if asked for and there
  /// was a row to compute. After a token that the model lacks it stays where it is.
  private func catchUp(with tokens: ArraySlice<Int32>, logits: LogitRows) throws -> DraftLogits? {
    let limit = logits == .none ? tokens.count : tokens.count - 1
    var start = zip(cached, tokens.prefix(limit)).prefix { $0 == $1 }.count
    cache.truncate(to: start)
    cached.removeSubrange(start...)
    pending = Rows()
    guard model.knows(tokens[start...]) else { return nil }
    var last: DraftLogits?
    while start < tokens.count {
      let end = min(start + chunk, tokens.count)
      let rows = Array(tokens[start..<end])
      let isLast = end == tokens.count && logits == .last
      let output = try model.forward(
        chain: rows, cache: cache, logits: isLast ? .last : .none,
        observing: isLast ? observation : .nothing)
      cache.commit(path: Array(rows.indices))
      cached.append(contentsOf: rows)
      if isLast { last = named(output) }
      start = end
    }
    return last
  }
}

extension DraftModelDrafter: LevelModel {
  func compute(_ nodes: [Int], of growth: inout TreeGrowth) throws -> DraftLogits {
    let isFirst = pending.tokens.isEmpty
    var rows = Rows()
    for (index, node) in nodes.enumerated() {
      let parent = growth[node].parent
      rows.tokens.append(growth[node].token)
      rows.parents.append(parent == DraftTree.root ? -1 : growth[parent].row)
      growth[node].row = Int32(pending.tokens.count + index)
    }
    let output = try model.forward(
      [
        SequenceRows(
          cache: cache, tokens: rows.tokens, parents: rows.parents, extendsPending: !isFirst)
      ], options: ForwardOptions(observing: observation))[0]
    pending.tokens += rows.tokens
    pending.parents += rows.parents
    return named(output)
  }

  private var observation: Observation { Observation(finalHidden: scorer != nil) }

  /// The rows that have logits: the last ones.
  private func named(_ output: ForwardOutput) -> DraftLogits {
    var logits = DraftLogits(
      rows: output.logits, vocabulary: DraftVocabulary(tokens: model.headTokens))
    if let states = output.finalHidden {
      let first = states.rows - output.logits.rows
      logits.states = FloatRows(
        base: states.base + first * states.columns, rows: output.logits.rows,
        columns: states.columns)
    }
    return logits
  }
}
