import LanguageModels
import Sampling
import Speculation
import Synchronization

/// The affine-aligned draft tree: a draft model grows a tree, its states are brought into the
/// target's space, a small network predicts which nodes the target accepts, and the tree is pruned
/// before it is verified.
///
/// A candidate is judged by the state that it was proposed from, so a node is judged before the
/// draft model computes it: what has no chance costs no row of either model.
public final class AffineTreeDrafter<Model: LanguageModel>: PruningDrafter {
  public let name = "affine-tree"
  public let tree: AffineTree
  private let inner: DraftModelDrafter<Model>
  private let scorer: AffineScorer?
  private var pruner: TreePruner
  private var pruneSeconds = 0.0
  /// What was to be verified of the last draft, until it is known what became of it.
  private var open = DraftTree()
  private let knownText: KnownText?
  /// Tokens of the sequence when it was drafted for.
  private var length = 0

  /// - Parameters:
  ///   - capacity: the most tokens of a sequence.
  ///   - length: the longest path; nil: as the configuration says.
  ///   - knownText: what will come, for the oracle.
  /// - Throws: `SpeculationError.invalidSetting`, or what the cache's memory makes fail.
  public init(
    model: Model, tree: AffineTree, capacity: Int, length: Int? = nil,
    knownText: KnownText? = nil
  ) throws {
    if tree.configuration.pruning.strategy == .oracle, knownText == nil {
      throw SpeculationError.invalidSetting(
        name: "pruning.strategy", expected: "one that need not know the output", found: "oracle")
    }
    if let expected = tree.alignment?.inputs, expected != model.hiddenSize {
      throw SpeculationError.incompatibleModel(
        expected: "states of \(expected) numbers, as the alignment's",
        found: "\(model.hiddenSize)")
    }
    self.tree = tree
    self.knownText = knownText
    pruner = TreePruner(tree.configuration.pruning)
    scorer = AffineScorer(tree)
    inner = try DraftModelDrafter(
      model: model, name: name, capacity: capacity,
      configuration: DraftModelConfiguration(
        shape: tree.configuration.tree.shape,
        length: min(length ?? .max, tree.configuration.tree.maxDepth)), scorer: scorer)
  }

  public func begin(prompt: [Int32]) throws {
    open = DraftTree()
    try inner.begin(prompt: prompt)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    scorer?.begin(isGreedy: context.sampler.parameters.isGreedy)
    length = context.tokens.count
    return try inner.draft(after: try drawing(context), budget: budget)
  }

  /// Where proposals are drawn, they are drawn as the configuration says.
  private func drawing(_ context: DraftContext) throws -> DraftContext {
    guard context.style == .sampled, !context.sampler.parameters.isGreedy else { return context }
    let (own, wanted) = (context.sampler.parameters, tree.configuration.tree)
    let parameters = try SamplingParameters(
      temperature: wanted.temperature, topK: wanted.topK, topP: wanted.topP,
      repetitionPenalty: own.repetitionPenalty, repetitionWindow: own.repetitionWindow,
      seed: own.seed)
    return DraftContext(
      tokens: context.tokens, vocabularySize: context.vocabularySize,
      sampler: Sampler(parameters), chance: context.chance, style: context.style,
      minimumPathProbability: context.minimumPathProbability,
      minimumLevelProbability: context.minimumLevelProbability, targetCache: context.targetCache)
  }

  public func prune(_ tree: DraftTree) -> DraftTree {
    var watch = Stopwatch()
    open = tree.keeping(pruner.kept(of: tree, rest: knownText?.tokens(from: length) ?? []))
    pruneSeconds = watch.lap()
    return open
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    follow(tokens)
    try inner.commit(tokens, states: states)
  }

  /// Tells the pruner which levels held the tokens that came.
  private func follow(_ tokens: [Int32]) {
    var node = DraftTree.root
    var held = 0
    var missed = false
    for token in tokens where !open.children(of: node).isEmpty {
      guard let next = open.child(of: node, token: token) else {
        missed = true
        break
      }
      node = next
      held += 1
    }
    pruner.record(held: held, missed: missed)
    open = DraftTree()
  }

  public var figures: [String: Double] {
    var figures = ["prune seconds": pruneSeconds, "acceptance": pruner.acceptance]
    if let setting = pruner.setting { figures["pruning setting"] = setting }
    if let scorer {
      figures["align seconds"] = scorer.alignSeconds
      figures["predict seconds"] = scorer.predictSeconds
    }
    return figures
  }
}

/// A text that is known before it is generated, as an experiment knows it that decodes it again.
public final class KnownText: Sendable {
  private let sequence: Mutex<[Int32]>

  /// - Parameter sequence: prompt and output.
  public init(_ sequence: [Int32] = []) {
    self.sequence = Mutex(sequence)
  }

  public func set(_ new: [Int32]) { sequence.withLock { $0 = new } }

  func tokens(from position: Int) -> ArraySlice<Int32> {
    sequence.withLock { $0.dropFirst(position) }
  }
}

/// Scores candidates by the predictor, on aligned states or the draft model's own.
final class AffineScorer: CandidateScorer {
  private let alignment: AffineMap?
  private let predictor: AcceptancePredictor
  private let aligned: RowBuffer
  private var isGreedy = true
  /// Of the draft since `begin`.
  private(set) var alignSeconds = 0.0
  private(set) var predictSeconds = 0.0

  /// nil where nothing predicts.
  init?(_ tree: AffineTree) {
    guard let predictor = tree.predictor else { return nil }
    self.predictor = predictor
    alignment = predictor.card.input == .aligned ? tree.alignment : nil
    aligned = RowBuffer(width: max(1, predictor.stateSize))
  }

  func begin(isGreedy: Bool) {
    self.isGreedy = isGreedy
    alignSeconds = 0
    predictSeconds = 0
  }

  func scores(of families: [CandidateFamily], states: FloatRows) throws -> [[Double]] {
    var watch = Stopwatch()
    var seen = UnsafePointer(states.base)
    if let alignment {
      aligned.removeAll()
      aligned.append(count: states.rows) {
        alignment.apply(states.base, rows: states.rows, into: $0)
      }
      seen = UnsafePointer(aligned.rows.base)
    }
    alignSeconds += watch.lap()
    defer { predictSeconds += watch.lap() }
    return predictor.probabilities(of: families, states: seen, isGreedy: isGreedy)
  }
}
