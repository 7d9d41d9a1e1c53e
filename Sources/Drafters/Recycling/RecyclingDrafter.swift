import LanguageModels
import Sampling
import Speculation

/// Token Recycling (Luo et al., 2408.08696): remembers what the target thought probable after each
/// token, in all rows it verified, accepted or not, and drafts a tree from that memory.
///
/// Beyond the paper, contexts of two and three tokens are remembered too, successors keep their
/// probabilities, and the tree is grown from its most probable node instead of by a fixed plan.
/// The memory stays between generations; it may be shared by the drafters of several sequences
/// that one thread serves.
public final class RecyclingDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The longest context, 1 to 4 tokens.
    public var order: Int
    /// Successors kept for each context.
    public var width: Int
    /// The most contexts.
    public var capacity: Int
    /// The longest path.
    public var length: Int
    /// Ends paths that are less probable than this.
    public var minimumPathProbability: Double

    public init(
      order: Int = 3, width: Int = 8, capacity: Int = 1 << 16, length: Int = 8,
      minimumPathProbability: Double = 0.02
    ) {
      self.order = order
      self.width = width
      self.capacity = capacity
      self.length = length
      self.minimumPathProbability = minimumPathProbability
    }
  }

  public let name = "recycling"
  public let configuration: Configuration
  public let memory: SuccessorMemory
  /// The sequence as far as it was learned.
  private var sequence: [Int32] = []
  private var forest: SuccessorForest<SuccessorMemory>
  private let top:
    (
      tokens: UnsafeMutableBufferPointer<Int32>, probabilities: UnsafeMutableBufferPointer<Float>
    )

  /// - Parameter memory: what other drafters have learned already; nil starts a new one.
  /// - Throws: `SpeculationError.invalidSetting` for numbers out of range.
  public init(
    _ configuration: Configuration = Configuration(), memory: SuccessorMemory? = nil
  ) throws {
    for (name, value, range) in [
      ("recycling order", configuration.order, 1...TokenContext.maximumOrder),
      ("recycling width", configuration.width, 1...64),
      ("recycling capacity", configuration.capacity, 1...(1 << 24)),
      ("recycling length", configuration.length, 1...Int.max),
    ] where !range.contains(value) {
      let expected = "\(range.lowerBound) to \(range.upperBound)"
      throw SpeculationError.invalidSetting(name: name, expected: expected, found: "\(value)")
    }
    self.configuration = configuration
    let memory =
      memory
      ?? SuccessorMemory(
        order: configuration.order, width: configuration.width, capacity: configuration.capacity)
    self.memory = memory
    forest = SuccessorForest(memory)
    top = (.allocate(capacity: memory.width), .allocate(capacity: memory.width))
    top.tokens.initialize(repeating: 0)
    top.probabilities.initialize(repeating: 0)
  }

  deinit {
    top.tokens.deallocate()
    top.probabilities.deallocate()
  }

  /// Learns from the prompt which tokens follow one another; its rows' logits are not computed.
  public func begin(prompt: [Int32]) throws {
    let known = zip(sequence, prompt).prefix { $0 == $1 }.count
    sequence = prompt
    var context = TokenContext(prompt[..<known])
    for token in prompt[known...] {
      memory.learn(token, after: context)
      context.append(token)
    }
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    let logits = states.output.logits
    var contexts = [TokenContext(sequence)]
    for node in states.tree.tokens.indices {
      contexts.append(contexts[states.tree.parents[node] + 1].appending(states.tree.tokens[node]))
    }
    for row in 0..<min(logits.rows, contexts.count) {
      let count = TopTokens.find(
        in: UnsafeBufferPointer(logits[row]), tokens: top.tokens,
        probabilities: top.probabilities)
      memory.learn(
        UnsafeBufferPointer(rebasing: top.tokens[..<count]),
        UnsafeBufferPointer(rebasing: top.probabilities[..<count]), after: contexts[row])
    }
    sequence.append(contentsOf: tokens)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let limit = DraftBudget(
      nodes: budget.nodes, depth: min(budget.depth, configuration.length))
    return forest.tree(
      after: TokenContext(context.tokens), budget: limit,
      minimum: max(configuration.minimumPathProbability, context.minimumPathProbability),
      vocabularySize: context.vocabularySize, source: name)
  }
}

extension DrafterRegistry.Entry {
  static let recycling = Self(
    name: "recycling", summary: "recall what the target thought likely after the last tokens"
  ) {
    var configuration = $0.recycling
    if let length = $0.length { configuration.length = length }
    return try RecyclingDrafter(configuration)
  }
}
