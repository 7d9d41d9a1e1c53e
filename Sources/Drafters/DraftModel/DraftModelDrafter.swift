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

  public let name = "draft-model"
  public let model: Model
  public let configuration: Configuration
  private let cache: Model.Cache
  private let capacity: Int
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

  /// - Parameter capacity: the most tokens of a sequence; at most the model's context is used.
  /// - Throws: `SpeculationError.invalidSetting`, or what the cache's memory makes fail.
  public init(
    model: Model, capacity: Int, configuration: Configuration = Configuration()
  ) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "1 or more", found: "\(configuration.length)")
    }
    _ = try GrowthPlan(configuration.shape, length: configuration.length, limit: 1)
    self.model = model
    self.configuration = configuration
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
    let plan = try GrowthPlan(
      configuration.shape, length: configuration.length, limit: budget.nodes)
    // The last level needs no rows of its own.
    let depth = min(plan.depth, budget.depth, (capacity - known) / plan.width + 1)
    guard var logits = try catchUp(with: context.tokens[...], logits: .last) else {
      return DraftTree()
    }
    var growth = TreeGrowth(
      limit: budget.nodes, minimumProbability: context.minimumPathProbability)
    var parents = [DraftTree.root]
    for level in 1...depth {
      let before = growth.expected
      let new = try grow(&growth, under: parents, logits, plan, context)
      guard level < depth, goesOn(growth, new, since: before, plan, context) else { break }
      parents = best(plan.width, of: new, growth, plan)
      guard !parents.isEmpty else { break }
      logits = try compute(parents, &growth, isFirst: level == 1)
    }
    return growth.tree(source: name)
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

  /// Whether another level is worth its pass.
  private func goesOn(
    _ growth: TreeGrowth, _ new: Range<Int>, since before: Double, _ plan: GrowthPlan,
    _ context: DraftContext
  ) -> Bool {
    guard plan.minimumGain > 0 else { return true }
    guard draws(context) else { return growth.expected - before >= plan.minimumGain }
    // What a level adds depends on tokens drawn before it, and through the places it takes could
    // tell of them. Its best node does not: one below the limit can only have worse descendants.
    return new.contains { growth[$0].isKept && growth[$0].probability >= plan.minimumGain }
  }

  /// The nodes of a level that get children, most probable first.
  private func best(
    _ count: Int, of level: Range<Int>, _ growth: TreeGrowth, _ plan: GrowthPlan
  ) -> [Int] {
    let able = level.filter {
      growth[$0].isKept && plan.childCount(place: growth[$0].place) > 0 && !growth.isRepeated($0)
    }
    guard able.count > count else { return able }
    let ordered = able.sorted {
      (growth[$1].probability, $0) < (growth[$0].probability, $1)
    }
    return Array(ordered.prefix(count))
  }

  /// Computes nodes in one pass; returns their logits, row by row.
  private func compute(
    _ nodes: [Int], _ growth: inout TreeGrowth, isFirst: Bool
  ) throws -> FloatRows {
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
      ], options: ForwardOptions())[0]
    pending.tokens += rows.tokens
    pending.parents += rows.parents
    return output.logits
  }

  /// Brings the cache to exactly `tokens`; returns the last row's logits if asked for and there
  /// was a row to compute.
  private func catchUp(with tokens: ArraySlice<Int32>, logits: LogitRows) throws -> FloatRows? {
    let limit = logits == .none ? tokens.count : tokens.count - 1
    var start = zip(cached, tokens.prefix(limit)).prefix { $0 == $1 }.count
    cache.truncate(to: start)
    cached.removeSubrange(start...)
    pending = Rows()
    var last: FloatRows?
    while start < tokens.count {
      let end = min(start + chunk, tokens.count)
      let rows = Array(tokens[start..<end])
      let output = try model.forward(
        chain: rows, cache: cache, logits: end == tokens.count ? logits : .none)
      cache.commit(path: Array(rows.indices))
      cached.append(contentsOf: rows)
      if end == tokens.count && logits == .last { last = output.logits }
      start = end
    }
    return last
  }
}
