import Sampling
import Testing

@testable import Speculation

@Suite struct DraftTreeTests {
  @Test("a chain is a tree of width one")
  func chain() {
    let tree = DraftTree(chain: [5, 6, 5], source: "test")
    #expect(tree.tokens == [5, 6, 5] && tree.parents == [-1, 0, 1] && tree.depths == [1, 2, 3])
    #expect(tree.rows(after: 9).tokens == [9, 5, 6, 5])
    #expect(tree.rows(after: 9).parents == [-1, 0, 1, 2])
    #expect(tree._checkInvariants() == nil)
  }

  @Test("a token found again under its parent is merged")
  func merge() {
    var tree = DraftTree()
    let a = tree.add(1, source: "x")
    let b = tree.add(2, under: a, source: "x")
    #expect(tree.add(1, source: "y") == a)
    #expect(tree.add(2, under: a, source: "y") == b)
    #expect(tree.add(2, source: "y") == 2)
    #expect(tree.count == 3 && tree.children(of: DraftTree.root) == [0, 2])
    #expect(tree.child(of: a, token: 2) == b && tree.child(of: b, token: 2) == nil)
    #expect(tree.depth == 2 && tree._checkInvariants() == nil)
  }

  @Test("a budget cuts nodes by place, and their descendants with them")
  func limited() {
    var tree = DraftTree()
    tree.add(1, source: "x")
    tree.add(2, source: "x")
    tree.add(3, under: 0, source: "x")
    tree.add(4, under: 2, source: "x")
    tree.add(5, under: 1, source: "x")
    #expect(tree.limited(to: DraftBudget(nodes: 9, depth: 9)) == tree)
    let shallow = tree.limited(to: DraftBudget(nodes: 9, depth: 2))
    #expect(shallow.tokens == [1, 2, 3, 5] && shallow.parents == [-1, -1, 0, 1])
    let small = tree.limited(to: DraftBudget(nodes: 2, depth: 9))
    #expect(small.tokens == [1, 2] && small._checkInvariants() == nil)
    #expect(tree.limited(to: .nothing).isEmpty)
  }

  @Test("a proposal outside its recorded distribution is noticed")
  func proposalOutside() {
    var tree = DraftTree()
    let q = Distribution(weights: [1, 0, 1])
    tree.add(0, proposal: .sampled(q), source: "x")
    #expect(tree._checkInvariants() == nil)
    tree.add(1, proposal: .sampled(q), source: "x")
    #expect(tree._checkInvariants() != nil)
  }

  @Test("scores learn what the target's numbers say of a token, once, where draws are foreseen")
  func foreseeing() throws {
    var tree = DraftTree()
    let first = tree.add(4, score: 0.3, source: "x")
    tree.add(5, under: first, score: 0.6, source: "x")
    tree.add(6, score: 0.2, source: "x")
    let random = KeyedRandom(seed: 1)
    func context(
      _ temperature: Double, _ style: ProposalStyle, least: Double = 0
    ) throws -> DraftContext {
      DraftContext(
        tokens: [1, 2, 3], vocabularySize: 10,
        sampler: Sampler(try SamplingParameters(temperature: temperature)), chance: random,
        style: style, minimumPathProbability: least)
    }
    for above in [0, 2] {
      let seen = tree.foreseeing(try context(1, .matching), above: above)
      #expect(seen.tokens == tree.tokens && seen.parents == tree.parents && seen.foreseesDraws)
      for node in 0..<3 {
        // The root's children stand at index 3 of the sequence.
        let race = random.race(position: 2 + above + tree.depths[node], stream: .target, draw: 0)
        #expect(
          seen.scores[node]
            == race?.chance(of: tree.tokens[node], probability: tree.scores[node]))
      }
      #expect(seen.foreseeing(try context(1, .matching)) == seen)
      #expect(seen.keeping([true, false, true]).foreseesDraws)
      let paths = [seen.scores[0], seen.scores[0] * seen.scores[1], seen.scores[2]]
      for least in paths {
        let probable = tree.foreseeing(try context(1, .matching, least: least), above: above)
        #expect(probable.tokens == (0..<3).filter { paths[$0] >= least }.map { tree.tokens[$0] })
      }
    }
    #expect(tree.foreseeing(try context(0, .matching)) == tree)
    #expect(tree.foreseeing(try context(1, .sampled)) == tree)
  }
}
