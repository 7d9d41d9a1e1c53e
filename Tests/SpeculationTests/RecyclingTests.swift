import Foundation
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

/// The `count` largest of a row, best first, the lower token on ties.
private func bruteForce(_ row: some Collection<Float>, _ count: Int) -> [Int32] {
  Array(row).enumerated().filter { !$0.element.isNaN && $0.element > -.infinity }
    .sorted { $0.element > $1.element || ($0.element == $1.element && $0.offset < $1.offset) }
    .prefix(count).map { Int32($0.offset) }
}

private func top(_ count: Int, of row: [Float]) -> (tokens: [Int32], probabilities: [Float]) {
  var tokens = [Int32](repeating: -1, count: count)
  var probabilities = [Float](repeating: -1, count: count)
  let found = row.withUnsafeBufferPointer { row in
    tokens.withUnsafeMutableBufferPointer { tokens in
      probabilities.withUnsafeMutableBufferPointer {
        TopTokens.find(in: row, tokens: tokens, probabilities: $0)
      }
    }
  }
  return (Array(tokens.prefix(found)), Array(probabilities.prefix(found)))
}

/// Watches what a drafter is shown: for each context of 1 to 3 tokens, the last row seen.
private final class Witness: Drafter {
  let name = "witness"
  let drafter: RecyclingDrafter
  private var sequence: [Int32] = []
  private(set) var expected: [[Int32]: [Int32]] = [:]

  init(_ drafter: RecyclingDrafter) { self.drafter = drafter }

  func begin(prompt: [Int32]) throws {
    sequence = prompt
    try drafter.begin(prompt: prompt)
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    try drafter.draft(after: context, budget: budget)
  }

  func commit(_ tokens: [Int32], states: TargetStates) throws {
    for row in 0..<states.output.logits.rows {
      var path: [Int32] = []
      var node = row - 1
      while node != DraftTree.root {
        path.insert(states.tree.tokens[node], at: 0)
        node = states.tree.parents[node]
      }
      let best = bruteForce(states.output.logits[row], drafter.memory.width)
      for order in 1...3 { expected[Array((sequence + path).suffix(order))] = best }
    }
    sequence += tokens
    try drafter.commit(tokens, states: states)
  }
}

private func statistics(
  _ drafter: any Drafter, _ target: TableModel, prompt: [Int32], nodes: Int = 16, tokens: Int = 80
) throws -> SpeculationStatistics {
  let generator = try SpeculativeGenerator(target: target, capacity: 512)
  let setup = GenerationSetup(
    drafter: drafter, draftLength: .fixed(6), draftNodes: nodes,
    limits: GenerationLimits(maxTokens: tokens))
  #expect(try generate(generator, prompt: prompt, setup: setup).faults == [])
  return SpeculationStatistics(generator.traces)
}

@Suite struct RecyclingTests {
  @Test(
    "the most probable tokens of a row are those of a full sort, whatever its size",
    arguments: [1, 7, 16, 255, 256, 1000, 5000, 50_001])
  func topTokens(size: Int) {
    var random = SplitMix(state: UInt64(size))
    for round in 0..<6 {
      // Few different values make ties; some rows hold what is no number.
      var row = (0..<size).map { _ in
        round % 2 == 0
          ? Float.random(in: -9...9, using: &random) : Float(Int.random(in: 0...9, using: &random))
      }
      if round == 4 { row[0] = .nan }
      if round == 5 { for index in 0..<min(size, 20) { row[index] = -.infinity } }
      let found = top(8, of: row)
      #expect(found.tokens == bruteForce(row, 8))
      guard round < 4, let highest = row.max() else { continue }
      let total = row.reduce(0.0) { $0 + exp(Double($1 - highest)) }
      // The sum of large rows is an estimate.
      let tolerance = size > 5000 ? 0.15 : 1e-4
      for (token, probability) in zip(found.tokens, found.probabilities) {
        let exact = exp(Double(row[Int(token)] - highest)) / total
        #expect(abs(Double(probability) - exact) <= tolerance * exact)
      }
    }
  }

  @Test("a row without a number teaches nothing")
  func hopelessRow() {
    #expect(top(4, of: [.nan, .nan]).tokens == [])
    #expect(top(4, of: [-.infinity, -.infinity]).tokens == [])
    #expect(top(4, of: []).tokens == [])
  }

  @Test("the memory holds what the target said last after each context, in every row")
  func memory() throws {
    let witness = Witness(try RecyclingDrafter(.init(minimumPathProbability: 0)))
    let target = TableModel(vocabularySize: 40, order: 2)
    _ = try statistics(witness, target, prompt: [3, 1, 4, 1, 5])
    #expect(witness.expected.count > 500, "rejected rows were not shown")
    for (tokens, best) in witness.expected {
      let known = witness.drafter.memory.successors(
        of: TokenContext(tokens), order: tokens.count)
      #expect(
        known.map { Array(UnsafeBufferPointer(start: $0.tokens, count: $0.count)) } == best,
        "\(tokens)")
    }
  }

  @Test("a full memory forgets what was written longest ago")
  func bounded() {
    let memory = SuccessorMemory(order: 1, width: 2, capacity: 64)
    for token in 0..<1000 as Range<Int32> {
      memory.learn(token, after: TokenContext([token]))
      #expect(memory.successors(of: TokenContext([token]), order: 1)?.tokens[0] == token)
    }
    let kept = (0..<1000 as Range<Int32>).filter {
      memory.successors(of: TokenContext([$0]), order: 1) != nil
    }
    #expect(kept.count <= 64 && kept.count > 32)
    #expect(kept.reduce(0, +) / Int32(kept.count) > 900)
  }

  @Test("a tree grows by its most probable node, within budget and above the least probability")
  func bestFirst() throws {
    let drafter = try RecyclingDrafter()
    _ = try statistics(drafter, TableModel(vocabularySize: 30, order: 2), prompt: [1, 2, 3])
    var sizes: Set<Int> = []
    for pending in 0..<30 as Range<Int32> {
      var smaller = DraftTree()
      for nodes in [1, 2, 5, 12, 40] {
        let context = DraftContext(
          tokens: [2, pending], vocabularySize: 30, sampler: Sampler(.greedy),
          chance: KeyedRandom(seed: 1), style: .matching, minimumPathProbability: 0.05)
        let tree = try drafter.draft(
          after: context, budget: DraftBudget(nodes: nodes, depth: 3))
        #expect(tree._checkInvariants() == nil)
        #expect(tree.count <= nodes && tree.depth <= 3)
        var probabilities: [Double] = []
        for node in tree.tokens.indices {
          let parent = tree.parents[node]
          probabilities.append(
            tree.scores[node] * (parent == DraftTree.root ? 1 : probabilities[parent]))
        }
        #expect(zip(probabilities, probabilities.dropFirst()).allSatisfy { $0 >= $1 - 1e-6 })
        #expect(probabilities.allSatisfy { $0 >= 0.05 - 1e-6 })
        #expect(tree.tokens.starts(with: smaller.tokens), "another tree for a larger budget")
        smaller = tree
        sizes.insert(tree.count)
      }
    }
    #expect(sizes.count > 4)
  }

  @Test("what follows a token in the prompt is proposed, and longer contexts count for more")
  func prompt() throws {
    let drafter = try RecyclingDrafter()
    let tokens: [Int32] = [1, 2, 3, 7, 2, 4, 9, 2, 4, 1, 2]
    try drafter.begin(prompt: tokens)
    let context = DraftContext(
      tokens: tokens, vocabularySize: 10, sampler: Sampler(.greedy),
      chance: KeyedRandom(seed: 1), style: .matching)
    let tree = try drafter.draft(after: context, budget: DraftBudget(nodes: 8, depth: 1))
    #expect(tree.tokens == [3, 4])
  }

  @Test("the memory stays between generations, and serves other drafters too")
  func persistence() throws {
    let target = TableModel(vocabularySize: 200, order: 2, sharpness: 800)
    let drafter = try RecyclingDrafter()
    let first = try statistics(drafter, target, prompt: [5, 6, 7])
    let again = try statistics(drafter, target, prompt: [5, 6, 7])
    let shared = try RecyclingDrafter(memory: drafter.memory)
    let other = try statistics(shared, target, prompt: [5, 6, 7])
    #expect(first.acceptanceLength < 2)
    #expect(again.acceptanceLength > 4 && other.acceptanceLength > 4)
  }

  @Test("settings out of range are refused")
  func settings() {
    for configuration in [
      RecyclingDrafter.Configuration(order: 0), .init(order: 5), .init(width: 0),
      .init(capacity: 0), .init(length: 0),
    ] {
      #expect(throws: SpeculationError.self) { try RecyclingDrafter(configuration) }
    }
  }
}
