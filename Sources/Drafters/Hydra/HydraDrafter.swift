import LanguageModels
import Sampling
import Speculation

/// Speculative decoding with Hydra heads (2402.05109): heads on the target's last state that also
/// see the tokens drafted before. A level of the tree is one product of all its nodes.
public final class HydraDrafter: Drafter {
  public let name = "hydra"
  public let observing = Observation(finalHidden: true)
  public let heads: HydraHeads
  public let configuration: DraftModelConfiguration
  private let logits: RowBuffer
  private var state = LastState()
  /// What every node's input begins with: the target's state and the pending token's embedding.
  private var beginning: [Float] = []

  static let defaults = DraftModelConfiguration(
    shape: .dynamic(), length: HydraHeads.mostHeads)

  /// - Throws: `SpeculationError.invalidSetting`.
  init(heads: HydraHeads, configuration: DraftModelConfiguration) throws {
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
    guard !budget.isEmpty, let pending = context.tokens.last,
      let state = state.values(before: context.tokens)
    else { return DraftTree() }
    beginning = state
    try append(pending, to: &beginning)
    var grower = try TreeGrower(
      configuration, context: context,
      budget: DraftBudget(
        nodes: budget.nodes,
        depth: min(budget.depth, configuration.length, heads.headCount)))
    return try grower.tree(
      from: compute(head: 0, inputs: beginning, rows: 1), by: self, source: name)
  }

  private func compute(head: Int, inputs: [Float], rows: Int) -> DraftLogits {
    logits.removeAll()
    heads.compute(head: head, inputs: inputs, rows: rows, into: logits)
    return DraftLogits(rows: logits.rows, vocabulary: heads.heads.vocabulary)
  }

  private func append(_ token: Int32, to inputs: inout [Float]) throws {
    let start = inputs.count
    inputs.append(contentsOf: repeatElement(0, count: heads.target.hiddenSize))
    try inputs.withUnsafeMutableBufferPointer { inputs in
      guard let base = inputs.baseAddress else { return }
      try heads.target.embed(token, into: base + start)
    }
  }
}

extension HydraDrafter: LevelModel {
  func compute(_ nodes: [Int], of growth: inout TreeGrowth) throws -> DraftLogits {
    var inputs: [Float] = []
    for node in nodes {
      inputs += beginning
      for token in growth.path(to: node) { try append(token, to: &inputs) }
    }
    return compute(
      head: nodes.first.map { growth[$0].depth } ?? 0, inputs: inputs, rows: nodes.count)
  }
}
