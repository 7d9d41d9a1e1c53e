import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

private func argmax(_ row: [Float]) -> Int32 {
  Int32(row.indices.max { row[$0] < row[$1] || (row[$0] == row[$1] && $0 > $1) } ?? 0)
}

/// Checks each step of a drafter's window against the model itself, and may spoil its trees: put
/// another drafter's nodes before them, and leave some out.
private final class Witness: Drafter {
  let name = "witness"
  let drafter: LookaheadDrafter
  let target: TableModel
  let spoils: Bool
  private var sequence: [Int32] = []
  private(set) var faults: [String] = []
  private(set) var answers = 0

  init(_ drafter: LookaheadDrafter, _ target: TableModel, spoils: Bool = false) {
    self.drafter = drafter
    self.target = target
    self.spoils = spoils
  }

  func begin(prompt: [Int32]) throws {
    sequence = prompt
    try drafter.begin(prompt: prompt)
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let tree = try drafter.draft(after: context, budget: budget)
    if let fault = tree._checkInvariants() { faults.append(fault) }
    if tree.count > budget.nodes || tree.depth > budget.depth { faults.append("over budget") }
    guard spoils else { return tree }
    var spoiled = DraftTree(chain: [0, 1], source: "other")
    var places = [Int?](repeating: nil, count: tree.count)
    for node in tree.tokens.indices where (node + context.tokens.count) % 7 != 0 {
      let parent =
        tree.parents[node] == DraftTree.root ? DraftTree.root : places[tree.parents[node]]
      guard let parent, spoiled.count < budget.nodes else { continue }
      places[node] = spoiled.add(
        tree.tokens[node], under: parent, score: tree.scores[node], isProbe: tree.probes[node],
        source: name)
    }
    return spoiled
  }

  func commit(_ tokens: [Int32], states: TargetStates) throws {
    guard var window = drafter.window else { return }
    // What Jacobi iteration says of all columns whose paths were verified.
    var expected: [Int32?] = []
    var base: [Int32] = []
    for column in window.columns {
      let path = base + column
      base.append(column[0])
      var node: Int? = DraftTree.root
      for token in path { node = node.flatMap { states.tree.child(of: $0, token: token) } }
      expected.append(node.map { _ in argmax(target.logits(after: sequence + path)) })
    }
    answers += expected.compactMap { $0 }.count
    var ngrams: [[Int32]] = []
    window.advance(answers: expected, by: tokens.count, guess: { -1 }) { ngrams.append(Array($0)) }
    sequence += tokens
    try drafter.commit(tokens, states: states)
    for (column, (one, other)) in zip(window.columns, drafter.window?.columns ?? []).enumerated()
    where one != [-1] && one != other {
      faults.append("column \(column): expected \(one), found \(other)")
    }
    for ngram in ngrams {
      let known = (0..<drafter.pool.count(of: ngram[0])).map {
        Array(drafter.pool.ngram($0, after: ngram[0]))
      }
      if !known.contains(Array(ngram.dropFirst())) && ngrams.filter({ $0[0] == ngram[0] }).count < 3
      {
        faults.append("\(ngram) is not in the pool: \(known)")
      }
    }
  }
}

private func statistics(
  _ drafter: any Drafter, _ target: TableModel, nodes: Int = 32, length: Int = 8
) throws -> SpeculationStatistics {
  let generator = try SpeculativeGenerator(target: target, capacity: 512)
  let setup = GenerationSetup(
    drafter: drafter, draftLength: .fixed(length), draftNodes: nodes,
    limits: GenerationLimits(maxTokens: 200))
  #expect(try generate(generator, prompt: [3, 1, 4, 1, 5, 9, 2, 6], setup: setup).faults == [])
  return SpeculationStatistics(generator.traces)
}

@Suite struct LookaheadTests {
  @Test("the pool gives the n-grams of a token, the last one first, and is bounded")
  func pool() {
    var pool = NGramPool(length: 2, width: 2, capacity: 2)
    pool.insert([1, 2], after: 7)
    pool.insert([3, 4], after: 7)
    #expect(pool.count(of: 7) == 2 && pool.ngram(0, after: 7) == [3, 4])
    pool.insert([1, 2], after: 7)
    #expect(pool.count(of: 7) == 2)
    #expect(pool.ngram(0, after: 7) == [1, 2] && pool.ngram(1, after: 7) == [3, 4])
    pool.insert([5, 6], after: 7)
    #expect(pool.ngram(0, after: 7) == [5, 6] && pool.ngram(1, after: 7) == [1, 2])
    pool.insert([1, 1], after: 8)
    pool.insert([2, 2], after: 9)
    #expect(pool.count(of: 7) == 0 && pool.ngram(0, after: 7) == [])
    #expect(pool.ngram(0, after: 8) == [1, 1] && pool.ngram(0, after: 9) == [2, 2])
  }

  @Test("a window moves with the sequence, and full columns become n-grams")
  func window() {
    var guesses: [Int32] = [10, 20, 30]
    func guess() -> Int32 { guesses.isEmpty ? 99 : guesses.removeFirst() }
    var window = JacobiWindow(width: 3, height: 2, guess: guess)
    #expect(window.columns == [[10], [20], [30]])
    var ngrams: [[Int32]] = []
    func advance(_ answers: [Int32?], by places: Int) {
      window.advance(answers: answers, by: places, guess: guess) { ngrams.append(Array($0)) }
    }
    // The first column's level 0 is decided now; what was above it is the new one.
    advance([11, 21, 31], by: 1)
    #expect(window.columns == [[20, 21], [30, 31], [99]])
    // Full columns lose level 0 and stay in place.
    advance([22, 32, 98], by: 1)
    #expect(window.columns == [[21, 22], [31, 32], [99]])
    #expect(ngrams == [[20, 21, 22], [30, 31, 32]])
    // Not asked: columns just move on.
    advance([nil, nil, nil], by: 1)
    #expect(window.columns == [[31, 32], [99], [99]])
    // A jump over more than there is.
    advance([nil, nil, nil], by: 9)
    #expect(window.columns == [[99], [99], [99]])
  }

  @Test(
    "the window evolves as Jacobi iteration says, and gets tokens accepted",
    arguments: [false, true], [32, 12])
  func iteration(spoils: Bool, nodes: Int) throws {
    let target = TableModel(vocabularySize: 12, seed: 3, order: 2)
    let drafter = try LookaheadDrafter(.init(learnsFromText: false))
    let witness = Witness(drafter, target, spoils: spoils)
    let found = try statistics(witness, target, nodes: nodes)
    #expect(witness.faults == [])
    #expect(witness.answers > 50)
    #expect(found.accepted > 20, "\(found.acceptanceLength)")
  }

  @Test("n-grams of the text are learned too when asked for")
  func text() throws {
    let drafter = try LookaheadDrafter(.init(window: 0, nGram: 3))
    try drafter.begin(prompt: [1, 2, 3, 4, 1, 5, 6, 1])
    let context = DraftContext(
      tokens: [1, 2, 3, 4, 1, 5, 6, 1], vocabularySize: 10, sampler: Sampler(.greedy),
      chance: KeyedRandom(seed: 1), style: .matching)
    let tree = try drafter.draft(after: context, budget: DraftBudget(nodes: 8, depth: 8))
    #expect(tree.tokens == [5, 6, 2, 3] && tree.parents == [-1, 0, -1, 2])
    #expect(tree.scores[0] > tree.scores[2])
  }

  @Test("settings out of range are refused")
  func settings() {
    for configuration in [
      LookaheadDrafter.Configuration(window: -1), .init(nGram: 1), .init(candidates: 0),
    ] {
      #expect(throws: SpeculationError.self) { try LookaheadDrafter(configuration) }
    }
  }
}
