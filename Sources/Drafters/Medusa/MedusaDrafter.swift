import LanguageModels
import Sampling
import Speculation

/// Speculative decoding with Medusa heads (2401.10774): several heads on the target's last state,
/// each for a token further ahead.
///
/// The heads do not see each other's tokens, so all are computed at once, and a tree over them
/// costs no more than a chain.
public final class MedusaDrafter: Drafter {
  public let name = "medusa"
  public let observing = Observation(finalHidden: true)
  public let heads: MedusaHeads
  public let configuration: DraftModelConfiguration
  private let logits: RowBuffer
  private var state = LastState()

  /// The tree of the budget's size with the most expected accepted tokens: growing it is free.
  static let defaults = DraftModelConfiguration(
    shape: .optimal(minimumGain: 0), length: MedusaHeads.mostHeads)

  /// - Throws: `SpeculationError.invalidSetting`.
  init(heads: MedusaHeads, configuration: DraftModelConfiguration) throws {
    _ = try GrowthPlan(configuration.shape, length: configuration.length, limit: 1)
    self.heads = heads
    self.configuration = configuration
    logits = RowBuffer(width: heads.heads.count)
  }

  public func begin(prompt: [Int32]) { state = LastState() }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    state.update(tokens, states)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    guard !budget.isEmpty, let state = state.values(before: context.tokens) else {
      return DraftTree()
    }
    let depth = min(budget.depth, configuration.length, heads.headCount)
    logits.removeAll()
    heads.compute(depth, after: state, into: logits)
    var grower = try TreeGrower(
      configuration, context: context, budget: DraftBudget(nodes: budget.nodes, depth: depth))
    return try grower.tree(from: level(0), by: self, source: name)
  }

  /// One head's logits, whatever the tokens before.
  private func level(_ head: Int) -> DraftLogits {
    DraftLogits(
      rows: FloatRows(
        base: logits.rows.base + head * logits.width, rows: 1, columns: logits.width),
      vocabulary: heads.heads.vocabulary, isShared: true)
  }
}

extension MedusaDrafter: LevelModel {
  func compute(_ nodes: [Int], of growth: inout TreeGrowth) throws -> DraftLogits {
    level(nodes.first.map { growth[$0].depth } ?? 0)
  }
}
