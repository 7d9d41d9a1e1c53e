import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let model = TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2).noisy(1.5)
private let shapes: [DraftShape] = [
  .chain, .dynamic(topK: 2), .dynamic(topK: 3), .optimal(minimumGain: 0),
  .optimal(minimumGain: 0.2), .widths([2, 2]), .widths([3, 1]),
  .paths([[0], [1], [2], [1, 0], [1, 1]]),
]

private func drafter(_ shape: DraftShape, replacement: Bool = false) throws -> any Drafter {
  try DraftModelDrafter(
    model: model, capacity: 64,
    configuration: .init(shape: shape, drawsWithReplacement: replacement))
}

/// Another drafter's trees, with mistakes put in.
private final class MisreportingDrafter: Drafter {
  enum Bug: CaseIterable {
    /// Records draws with replacement as if each had left out the ones before.
    case replacementAsWithout
    /// Records draws without replacement as if all were from the first one's q.
    case withoutAsReplacement
    /// Leaves out nodes whose own token is improbable.
    case choosesByToken
  }

  let name = "misreporting"
  let bug: Bug
  let base: any Drafter

  init(_ bug: Bug) throws {
    self.bug = bug
    base = try drafter(.widths([2, 2]), replacement: bug == .replacementAsWithout)
  }

  func begin(prompt: [Int32]) throws { try base.begin(prompt: prompt) }

  func commit(_ tokens: [Int32], states: TargetStates) throws {
    try base.commit(tokens, states: states)
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let right = try base.draft(after: context, budget: budget)
    var wrong = DraftTree()
    var places = [Int?](repeating: nil, count: right.count)
    for node in 0..<right.count {
      let above = right.parents[node]
      guard let parent = above == DraftTree.root ? above : places[above] else { continue }
      var proposal = right.proposals[node]
      let before = right.children(of: above).filter { $0 < node }
      guard case .sampled(let q) = proposal else { continue }
      switch bug {
      case .replacementAsWithout:
        if let left = q.without(before.map { right.tokens[$0] }) { proposal = .sampled(left) }
      case .withoutAsReplacement:
        if let first = before.first { proposal = right.proposals[first] }
      case .choosesByToken:
        if q[right.tokens[node]] < 0.3 { continue }
      }
      places[node] = wrong.add(
        right.tokens[node], under: parent, proposal: proposal, source: name)
    }
    return wrong
  }
}

/// Draws siblings from a model and proposes others without chance, in changing order.
private final class MixingDrafter: Drafter {
  let name = "mixing"
  /// For each child of a node in turn whether it is drawn.
  let isDrawn: [Bool]

  init(_ isDrawn: [Bool]) { self.isDrawn = isDrawn }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    var tree = DraftTree()
    var level = [(node: DraftTree.root, tokens: context.tokens)]
    for depth in 0..<budget.depth {
      var next: [(node: Int, tokens: [Int32])] = []
      for (parent, tokens) in level {
        var logits = model.logits(after: tokens)
        let q = try logits.withUnsafeMutableBufferPointer {
          try context.sampler.distribution(logits: $0, context: tokens)
        }
        for (place, drawn) in isDrawn.enumerated() where tree.count < budget.nodes {
          let token =
            drawn
            ? context.chance.token(
              from: q, position: tokens.count, stream: .drafter, draw: depth | tree.count << 8)
            : Int32((tokens.count + place) % 3)
          let node = tree.add(
            token, under: parent, proposal: drawn ? .sampled(q) : .deterministic, source: name)
          if !next.contains(where: { $0.node == node }) { next.append((node, tokens + [token])) }
        }
      }
      level = next
    }
    return tree
  }
}

private let rules: [any AcceptanceRule] = [RejectionSampling(), BlockVerification()]

@Suite struct CandidateTests {
  @Test(
    "trees drawn from a draft model, with and without replacement, keep the target's law",
    arguments: shapes)
  func everyShape(shape: DraftShape) throws {
    for rule in rules {
      for sampling in try RuleLaw.samplings() {
        for replacement in [false, true] {
          for nodes in [2, 3, 5] {
            let law = RuleLaw(rule: rule, sampling: sampling, nodes: nodes) {
              [try drafter(shape, replacement: replacement)]
            }
            #expect(
              try law.distance() < 1e-12, "\(rule.name), \(replacement), \(nodes) nodes")
          }
        }
      }
    }
  }

  @Test("deeper trees keep the target's law, whose places the scores of drawn levels decide")
  func deep() throws {
    for rule in rules {
      for shape in [DraftShape.dynamic(topK: 2), .optimal(minimumGain: 0.2)] {
        let law = RuleLaw(
          rule: rule, sampling: try SamplingParameters(temperature: 1), length: 4, depth: 3,
          nodes: 4
        ) { [try drafter(shape)] }
        #expect(try law.distance() < 1e-12, "\(rule.name), \(shape)")
      }
    }
  }

  @Test(
    "drawn siblings and those found without chance may be mixed",
    arguments: [[true, false], [false, true], [true, true, false], [false, true, true]])
  func mixed(isDrawn: [Bool]) throws {
    for rule in rules {
      for sampling in try RuleLaw.samplings() {
        let law = RuleLaw(rule: rule, sampling: sampling) { [MixingDrafter(isDrawn)] }
        #expect(try law.distance() < 1e-12, "\(rule.name)")
      }
    }
  }

  @Test("one tree that several drafters draw keeps the target's law")
  func composed() throws {
    let sampling = try SamplingParameters(temperature: 1)
    for rule in rules {
      for drafters: () throws -> [any Drafter] in [
        { [try drafter(.chain), try PromptLookupDrafter()] },
        { [try PromptLookupDrafter(), try drafter(.chain)] },
        { [try drafter(.chain), try drafter(.chain)] },
      ] {
        let law = RuleLaw(
          rule: rule, sampling: sampling, nodes: 4, drafters: drafters)
        #expect(try law.distance() < 1e-12, "\(rule.name)")
      }
    }
  }

  @Test("drafters that draw with the same numbers would be found out")
  func sharedNumbers() throws {
    let q = Distribution(weights: [1, 2, 1])
    let (_, reused) = try Enumerator.law { chance in
      [0, 0].map { _ in chance.token(from: q, position: 3, stream: .drafter, draw: 0) }
    }
    #expect(reused)
    let (law, apart) = try Enumerator.law { chance in
      [0, 1].map {
        DrafterChance(chance, number: $0)
          .token(from: q, position: 3, stream: .drafter, draw: 0)
      }
    }
    #expect(!apart && law[[1, 1]] == 0.25)
    let random = KeyedRandom(seed: 3)
    let other = DrafterChance(random, number: 1)
    let draws = (0..<100).map { place in
      [RandomStream.target, .drafter].map { stream in
        let both = [random.token(from: q, position: place, stream: stream, draw: 0)]
        return both + [other.token(from: q, position: place, stream: stream, draw: 0)]
      }
    }
    // The target's numbers stay as they are, the drafter's are others.
    #expect(draws.allSatisfy { $0[0][0] == $0[0][1] })
    #expect(draws.contains { $0[1][0] != $0[1][1] })
  }

  @Test("a drafter that misreports how it drew is found out", arguments: rules.indices)
  func brokenDrafters(rule: Int) throws {
    for bug in MisreportingDrafter.Bug.allCases {
      let law = RuleLaw(rule: rules[rule], sampling: try SamplingParameters(temperature: 1)) {
        [try MisreportingDrafter(bug)]
      }
      var distance = Double.infinity
      do { distance = try law.distance() } catch SpeculationError.proposalOutsideSupport {}
      #expect(distance > 0.001, "\(bug)")
    }
  }

  @Test("more candidates are accepted more often, most of all without replacement")
  func acceptance() throws {
    func expected(_ shape: DraftShape, _ replacement: Bool) throws -> Double {
      try RuleLaw(
        rule: RejectionSampling(), sampling: SamplingParameters(temperature: 1), depth: 1
      ) { [try drafter(shape, replacement: replacement)] }.expectedAccepted()
    }
    let one = try expected(.widths([1]), false)
    let with = try expected(.widths([2]), true)
    let without = try expected(.widths([2]), false)
    #expect(one < with && with < without)
  }

  @Test("real random numbers give the target's law, by chi-square; a bug does not")
  func chiSquare() throws {
    func statistic(_ rule: any AcceptanceRule) throws -> Double {
      let (statistic, outcomes) = try RuleLaw(
        rule: rule, sampling: SamplingParameters(temperature: 1)
      ) { [try drafter(.widths([2, 2]))] }.chiSquare(runs: RuleLaw.chiSquareRuns)
      #expect(outcomes == 27)
      return statistic
    }
    #expect(try statistic(RejectionSampling()) < RuleLaw.chiSquareLimit)
    #expect(try statistic(BrokenRejection(bug: .residualMissing)) > RuleLaw.chiSquareLimit)
  }
}
