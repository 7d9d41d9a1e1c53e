import LanguageModels
import Sampling

/// How much a drafter may propose in one step.
public struct DraftBudget: Sendable, Equatable, Codable {
  /// The most nodes of the tree.
  public var nodes: Int
  /// The longest path.
  public var depth: Int

  public init(nodes: Int, depth: Int) {
    self.nodes = nodes
    self.depth = depth
  }

  public static let nothing = DraftBudget(nodes: 0, depth: 0)
  public var isEmpty: Bool { nodes <= 0 || depth <= 0 }
}

/// How an acceptance rule wants proposals to be drawn when sampling. With greedy sampling, all
/// proposals are the drafter's most probable tokens.
public enum ProposalStyle: Sendable, Equatable {
  /// By the drafter's best guess of what the target itself will draw: the target's own numbers for
  /// the position are known before its pass, and sampling with them makes the two agree most often.
  case matching
  /// By chance, with the drafter's own numbers, and q recorded.
  case sampled
}

/// What a drafter sees when it drafts.
public struct DraftContext {
  /// The whole sequence: prompt and output. The last token has no row in the target's cache yet.
  public let tokens: [Int32]
  /// The target's vocabulary: proposals lie in it.
  public let vocabularySize: Int
  public let sampler: Sampler
  public let chance: any Chance
  public let style: ProposalStyle
  /// A node whose path is accepted with a lower probability than this is not worth its row of the
  /// target's pass.
  public let minimumPathProbability: Double
  /// A node whose path is accepted with a lower probability than this is not worth what the
  /// drafter would compute for nodes under it. Its own time is spent already.
  public let minimumLevelProbability: Double
  /// The target's cache, for a drafter that runs parts of the target itself. It holds all tokens
  /// but the last, and is to be left that way.
  public let targetCache: (any KVCache)?

  public init(
    tokens: [Int32], vocabularySize: Int, sampler: Sampler, chance: any Chance,
    style: ProposalStyle, minimumPathProbability: Double = 0,
    minimumLevelProbability: Double = 0, targetCache: (any KVCache)? = nil
  ) {
    self.tokens = tokens
    self.vocabularySize = vocabularySize
    self.sampler = sampler
    self.chance = chance
    self.style = style
    self.minimumPathProbability = minimumPathProbability
    self.minimumLevelProbability = minimumLevelProbability
    self.targetCache = targetCache
  }

  /// Whether the target's own numbers tell which of the probable tokens it is likely to draw.
  public var foreseesDraws: Bool { style == .matching && !sampler.parameters.isGreedy }

  /// The race in which the target draws the token at `position`, where draws are foreseen.
  public func race(at position: Int) -> ExponentialRace? {
    foreseesDraws ? chance.race(position: position, stream: .target, draw: 0) : nil
  }

  /// The same for one of several drafters, which must not draw with the same numbers. Where draws are
  /// foreseen it is asked for less probable tokens too: they may be known to come.
  func asking(drafter number: Int) -> DraftContext {
    guard number > 0 || foreseesDraws else { return self }
    return DraftContext(
      tokens: tokens, vocabularySize: vocabularySize, sampler: sampler,
      chance: number > 0 ? DrafterChance(chance, number: number) : chance, style: style,
      minimumPathProbability: minimumPathProbability / (foreseesDraws ? 8 : 1),
      minimumLevelProbability: minimumLevelProbability, targetCache: targetCache)
  }
}

/// What one forward pass of the target computed: logits, and inner states as far as the drafter
/// observes them. Valid during the call that receives it.
public struct TargetStates {
  public let output: ForwardOutput
  /// Rows of `output` on the accepted path; row i's logits gave the i-th token of the call.
  public let rows: [Int]
  /// The tree that was verified, with what others drafted: node i is row i+1, row 0 the pending
  /// token's. Empty for a prompt.
  public let tree: DraftTree

  public init(output: ForwardOutput, rows: [Int], tree: DraftTree = DraftTree()) {
    self.output = output
    self.rows = rows
    self.tree = tree
  }
}

/// Proposes the next tokens of one sequence.
///
/// A drafter is an object with the state of its sequence; what it knows in advance (weights,
/// stores) is shared. Whatever it proposes, the output stays the target's.
public protocol Drafter: AnyObject {
  var name: String { get }
  /// What it wants to see of the target's inner states.
  var observing: Observation { get }

  /// Starts a sequence, or goes on with a longer (or shorter) version of the last one: a drafter
  /// that keeps state may reuse what the two have in common.
  func begin(prompt: [Int32]) throws

  /// The target's states of a part of the prompt, in order. Only called when something is
  /// observed; parts that the target had cached are left out.
  /// - Parameter position: index in the prompt of the first row.
  func observePrompt(_ states: TargetStates, from position: Int) throws

  /// Proposes a tree of at most `budget`; an empty one means plain decoding.
  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree

  /// What the last draft has to say of itself, for the trace: seconds of its parts, settings in
  /// force, by name.
  var figures: [String: Double] { get }

  /// New tokens of the sequence: accepted ones and the target's own. All logits rows of the pass
  /// that gave them are there to learn from, those of rejected nodes too.
  func commit(_ tokens: [Int32], states: TargetStates) throws
}

extension Drafter {
  public var observing: Observation { .nothing }
  public var figures: [String: Double] { [:] }
  public func begin(prompt: [Int32]) throws {}
  public func observePrompt(_ states: TargetStates, from position: Int) throws {}
  public func commit(_ tokens: [Int32], states: TargetStates) throws {}
}

/// A drafter that has a part of its proposal left unverified. The trace keeps all of it, so that
/// what pruning loses can be told.
public protocol PruningDrafter: Drafter {
  /// The part of the proposal just made that is worth verifying. Whether a drawn token stays may
  /// depend on what was drawn before it, never on the token itself or what came after it.
  func prune(_ tree: DraftTree) -> DraftTree
}

/// A drafter that can also go on where another's draft ends: a repeated suffix may lead on from
/// what a trained drafter has guessed.
public protocol ExtendingDrafter: Drafter {
  /// Proposes what may follow `path`, tokens drafted after the sequence; quickly, and without a
  /// change to what it knows.
  func extend(_ path: [Int32], after context: DraftContext, budget: DraftBudget) throws
    -> DraftTree
}
