import LanguageModels
import Speculation

/// Speculative decoding with EAGLE-1 (2401.15077), EAGLE-2's dynamic trees (2406.16858) and EAGLE-3
/// (2503.01840): one decoder layer goes on from the target's own state, so that a draft costs
/// little and knows what the target knows.
///
/// Its cache has a row for each token but the first: the token, with the target's state of the
/// token before. What it drafts goes on from its own predicted states; these rows are dropped
/// after verification, and the accepted tokens enter with their true states in one pass with the
/// next draft's first level.
public final class EagleDrafter: WaitingDrafter {
  public var name: String { weights.version.rawValue }
  public var observing: Observation { weights.observing }
  public let weights: EagleWeights
  public let configuration: DraftModelConfiguration
  public var isWaiting = false
  private let cache: TransformerCache
  private let capacity: Int
  /// The sequence.
  private var tokens: [Int32] = []
  /// Where in the sequence each of its states stands, ascending: first those that have a row in
  /// the cache, then those that wait. Parts of a prompt that the target had cached may be missing:
  /// what is before them moves closer.
  private var positions: [Int] = []
  private let waiting: RowBuffer
  /// The predicted states of the pending token and of the nodes computed, in the order of their
  /// rows.
  private let predicted: RowBuffer
  /// Those that a level goes on from.
  private let input: RowBuffer
  private let logits: RowBuffer

  /// So many states enter without waiting for a draft, which may not come soon.
  private static let mostWaiting = 32

  /// - Parameter capacity: the most tokens of a sequence; at most the drafter's context is used.
  /// - Throws: `SpeculationError.invalidSetting`, or what the cache's memory makes fail.
  public init(
    weights: EagleWeights, capacity: Int,
    configuration: DraftModelConfiguration = DraftModelConfiguration(shape: .dynamic())
  ) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "1 or more", found: "\(configuration.length)")
    }
    _ = try GrowthPlan(configuration.shape, length: configuration.length, limit: 1)
    self.weights = weights
    self.configuration = configuration
    self.capacity = min(capacity, weights.model.contextLength)
    cache = try weights.model.makeCache(capacity: self.capacity)
    waiting = RowBuffer(width: weights.hiddenSize)
    predicted = RowBuffer(width: weights.hiddenSize)
    input = RowBuffer(width: weights.hiddenSize)
    logits = RowBuffer(width: weights.head.count)
  }

  // MARK: - The sequence

  public func begin(prompt: [Int32]) throws {
    let common = zip(tokens, prompt).prefix { $0 == $1 }.count
    // A row knows the token after its state, a waiting state does not.
    let entered = positions.prefix(cache.count).prefix { $0 + 1 < common }.count
    if entered < cache.count {
      positions.removeSubrange(entered...)
      waiting.removeAll()
    } else {
      positions.removeLast(positions.reversed().prefix { $0 >= common }.count)
      waiting.keep(positions.count - entered)
    }
    cache.truncate(to: entered)
    tokens = prompt
  }

  public func observePrompt(_ states: TargetStates, from position: Int) throws {
    observe(states, from: position)
    if !isWaiting { try enter() }
  }

  public func commit(_ new: [Int32], states: TargetStates) throws {
    observe(states, from: tokens.count - 1)
    tokens += new
    if waiting.count > Self.mostWaiting, !isWaiting { try enter() }
  }

  /// Takes the target's states from `position` on, those it has left out.
  private func observe(_ states: TargetStates, from position: Int) {
    let known = (positions.last ?? -1) + 1
    let rows = states.rows.dropFirst(max(0, known - position))
    let first = max(known, position)
    guard !rows.isEmpty, first + rows.count <= capacity else { return }
    positions.append(contentsOf: first..<first + rows.count)
    if let fusion = weights.fusion {
      let side = gather(rows, of: states.output.layers)
      waiting.append(count: rows.count) { fused in
        side.withUnsafeBufferPointer { side in
          if let base = side.baseAddress { fusion.apply(base, rows: rows.count, into: fused) }
        }
      }
    } else if let final = states.output.finalHidden {
      for row in rows { waiting.append(final[row]) }
    }
  }

  /// Rows of several states side by side.
  private func gather(_ rows: some Collection<Int>, of layers: [FloatRows]) -> [Float] {
    var side: [Float] = []
    side.reserveCapacity(rows.count * layers.count * weights.hiddenSize)
    for row in rows {
      for layer in layers { side.append(contentsOf: layer[row]) }
    }
    return side
  }

  /// Computes the rows of waiting states whose next token is known.
  /// - Returns: the last one's output; nil when there was none.
  @discardableResult
  private func enter() throws -> ForwardOutput? {
    let following = positions.suffix(waiting.count).prefix { $0 + 1 < tokens.count }
    guard !following.isEmpty else { return nil }
    let output = try weights.model.forward(
      [
        SequenceRows(
          cache: cache, tokens: following.map { tokens[$0 + 1] },
          parents: (0..<Int32(following.count)).map { $0 - 1 }, states: waiting.rows.base)
      ], options: options)[0]
    cache.commit(path: Array(0..<following.count))
    waiting.removeFirst(following.count)
    return output
  }

  // MARK: - Drafting

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    // The pending token's own state is not known, but that of the token before it has to be.
    guard !budget.isEmpty, context.tokens.count == tokens.count, waiting.count > 0,
      positions.last == tokens.count - 2, let output = try enter()
    else { return DraftTree() }
    let last = output.layers[0].rows - 1
    predicted.removeAll()
    predicted.append(output.layers[0][last])
    var grower = try TreeGrower(
      configuration, context: context, budget: budget, room: capacity - positions.count)
    return try grower.tree(
      from: headLogits(of: output, rows: last..<last + 1), by: self, source: name)
  }

  /// EAGLE-3 goes on from the layer's output; its head sees the normalised one. In EAGLE-1 the two
  /// are the same.
  private var options: ForwardOptions {
    ForwardOptions(
      logits: .none,
      observing: Observation(finalHidden: weights.version == .eagle3, layers: [1]))
  }

  private func headLogits(of output: ForwardOutput, rows: Range<Int>) -> DraftLogits {
    let states = output.finalHidden ?? output.layers[0]
    logits.removeAll()
    logits.append(count: rows.count) {
      weights.head.logits(
        of: states.base + rows.lowerBound * states.columns, rows: rows.count, into: $0)
    }
    return DraftLogits(rows: logits.rows, vocabulary: weights.head.vocabulary)
  }
}

extension EagleDrafter: LevelModel {
  func compute(_ nodes: [Int], of growth: inout TreeGrowth) throws -> DraftLogits {
    // Row 0 of the predicted states is the root's.
    let first = predicted.count - 1
    var parents: [Int32] = []
    input.removeAll()
    for (index, node) in nodes.enumerated() {
      let parent = growth[node].parent
      let row = parent == DraftTree.root ? -1 : growth[parent].row
      parents.append(row)
      input.append(predicted.rows[Int(row) + 1])
      growth[node].row = Int32(first + index)
    }
    let output = try weights.model.forward(
      [
        SequenceRows(
          cache: cache, tokens: nodes.map { growth[$0].token }, parents: parents,
          extendsPending: first > 0, states: input.rows.base)
      ], options: options)[0]
    for row in nodes.indices { predicted.append(output.layers[0][row]) }
    return headLogits(of: output, rows: 0..<nodes.count)
  }
}
