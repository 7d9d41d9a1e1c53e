import Sampling
import Speculation

// Drafters that exist to prove that no drafter can change the output: one that is always right,
// one that is always wrong, one that guesses, one that proposes nothing.

/// Proposes nothing: plain decoding.
public final class EmptyDrafter: Drafter {
  public let name = "none"

  public init() {}

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    DraftTree()
  }
}

/// Knows the sequence in advance and proposes it: every draft is accepted whole.
public final class OracleDrafter: Drafter {
  public let name = "oracle"
  private let sequence: [Int32]

  /// - Parameter sequence: prompt and plain output.
  public init(sequence: [Int32]) {
    self.sequence = sequence
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    DraftTree(
      chain: sequence.dropFirst(context.tokens.count).prefix(min(budget.depth, budget.nodes)),
      source: name)
  }
}

/// Knows the sequence and proposes the token after the right one, at every place.
public final class AlwaysWrongDrafter: Drafter {
  public let name = "always-wrong"
  private let sequence: [Int32]

  /// - Parameter sequence: prompt and plain output.
  public init(sequence: [Int32]) {
    self.sequence = sequence
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let wrong = sequence.dropFirst(context.tokens.count).prefix(min(budget.depth, budget.nodes))
      .map { ($0 + 1) % Int32(context.vocabularySize) }
    return DraftTree(chain: wrong, source: name)
  }
}

/// Proposes random trees of random tokens, now and then with the right continuation hidden among
/// them, so that accepted paths wind through trees of every shape.
public final class RandomDrafter: Drafter {
  public let name = "random"
  private let sequence: [Int32]
  private let width: Int
  private var random: SplitMix

  /// - Parameters:
  ///   - sequence: prompt and plain output, to hide in the trees; empty hides nothing.
  ///   - width: the most children of a node; 1 makes chains.
  public init(seed: UInt64, width: Int = 3, sequence: [Int32] = []) {
    self.sequence = sequence
    self.width = width
    random = SplitMix(state: seed)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    guard !budget.isEmpty else { return tree }
    // (node, whether the path to it is the right continuation)
    var frontier = [(node: DraftTree.root, right: true)]
    let size = Int.random(in: 0...budget.nodes, using: &random)
    while tree.count < size, !frontier.isEmpty {
      let (parent, right) = frontier.removeFirst()
      let depth = parent == DraftTree.root ? 0 : tree.depths[parent]
      guard depth < budget.depth else { continue }
      let place = context.tokens.count + depth
      let answer = right && place < sequence.count ? sequence[place] : nil
      for _ in 0..<Int.random(in: 1...width, using: &random) where tree.count < size {
        var token = Int32.random(in: 0..<Int32(context.vocabularySize), using: &random)
        if let answer, Bool.random(using: &random) { token = answer }
        guard tree.child(of: parent, token: token) == nil else { continue }
        frontier.append((tree.add(token, under: parent, source: name), token == answer))
      }
    }
    return tree
  }
}

/// SplitMix64 (Steele et al., 2014): a small generator that can be seeded.
package struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  package init(state: UInt64) {
    self.state = state
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }
}
