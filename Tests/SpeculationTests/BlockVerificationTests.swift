import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

/// Block verification with switches for mistakes that come to mind.
private struct BrokenBlock: AcceptanceRule {
  enum Bug: CaseIterable {
    /// Takes the residual of p, not of w·p.
    case weightIgnored
    /// Ends the walk at the first node that is refused, as token by token does.
    case stopsEarly
    /// Accepts a node with the weight it was reached with, though its children have been tried.
    case weightKept
    /// Accepts with numbers keyed by position only: the next round uses them again.
    case numbersReused
    /// Goes on with p after a rejection.
    case residualMissing
  }

  let bug: Bug
  let name = "broken"
  let guarantee = Guarantee.lossy
  let style = ProposalStyle.sampled

  func verify(_ tree: DraftTree, _ walk: inout TargetWalk) throws -> Verdict {
    try visit(tree, &walk, 1) ?? Verdict(path: [], next: try walk.targetToken())
  }

  private func visit(
    _ tree: DraftTree, _ walk: inout TargetWalk, _ reached: Double
  ) throws -> Verdict? {
    var weight = reached
    var p = try walk.distribution()
    let node = walk.node
    let position = walk.position
    func accepts(_ weight: Double) -> Bool {
      let draw = bug == .numbersReused ? 0 : tree.depths[node] << 16 | node
      return walk.chance.accepts(weight, position: position - 1, draw: draw)
    }
    if bug == .stopsEarly, node != DraftTree.root, !accepts(reached) { return nil }
    for child in tree.children(of: node) {
      let token = tree.tokens[child]
      let q: Distribution
      if case .sampled(let drawn) = tree.proposals[child] {
        q = drawn
      } else {
        q = Distribution(certain: token)
      }
      let ratio = weight * p[token] / q[token]
      if ratio > 0 {
        walk.descend(to: child, in: tree)
        if let verdict = try visit(tree, &walk, min(1, ratio)) { return verdict }
        walk.ascend()
      }
      let (mass, residual) = p.residual(of: bug == .weightIgnored ? 1 : weight, after: q)
      if bug != .residualMissing { p = residual }
      if bug != .weightKept, weight < 1 { weight = mass / (mass + 1 - weight) }
    }
    if bug != .stopsEarly, node != DraftTree.root, !accepts(weight) { return nil }
    let next = walk.chance.token(from: p, position: walk.position, stream: .target, draw: 0)
    return Verdict(path: walk.path, next: next)
  }
}

@Suite struct BlockVerificationTests {
  @Test("block verification of chains has exactly the target's law", arguments: 0...4)
  func chain(depth: Int) throws {
    for sampling in try RuleLaw.samplings() {
      let law = RuleLaw(rule: BlockVerification(), sampling: sampling, length: 4, depth: depth) {
        [try DraftModelDrafter(model: draft(), capacity: 64)]
      }
      #expect(try law.distance() < 1e-12)
    }
  }

  @Test("block verification of trees has exactly the target's law", arguments: [1, 2, 3])
  func tree(width: Int) throws {
    for sampling in try RuleLaw.samplings() {
      let law = RuleLaw(rule: BlockVerification(), sampling: sampling) {
        [SamplingTreeDrafter(model: draft(), width: width)]
      }
      #expect(try law.distance() < 1e-12)
    }
  }

  @Test("block verification of proposals found without chance keeps the target's law")
  func deterministic() throws {
    for sampling in try RuleLaw.samplings() {
      for drafter: () throws -> any Drafter in [
        { try PromptLookupDrafter() }, { RandomDrafter(seed: 3, width: 2) },
      ] {
        let law = RuleLaw(rule: BlockVerification(), sampling: sampling, length: 4) {
          [try drafter()]
        }
        #expect(try law.distance() < 1e-12)
      }
    }
  }

  @Test("a draft that ends where confidence is low keeps the target's law")
  func confidence() throws {
    let sampling = try SamplingParameters(temperature: 1)
    for threshold in [0.4, 0.5, 0.6, 0.7] {
      let law = RuleLaw(rule: BlockVerification(), sampling: sampling, length: 4, depth: 3) {
        [
          try DraftModelDrafter(
            model: draft(), capacity: 64, configuration: .init(minimumConfidence: threshold))
        ]
      }
      #expect(try law.distance() < 1e-12)
    }
  }

  @Test("block verification with temperature 0 gives the plain output")
  func cold() throws {
    let target = TableModel(vocabularySize: 16, order: 3)
    for shape in [DraftShape.chain, .dynamic(topK: 3)] {
      let setup = GenerationSetup(
        drafter: try DraftModelDrafter(
          model: target.noisy(1), capacity: 512, configuration: .init(shape: shape)),
        rule: BlockVerification(), limits: GenerationLimits(maxTokens: 50))
      #expect(try difference(target: target, prompt: RuleLaw.prompt, setup: setup) == nil)
    }
  }

  @Test("a chain's expected acceptance is never below that of token by token, and often above")
  func neverWorse() throws {
    var gains: [Double] = []
    for seed in 0..<20 as Range<UInt64> {
      for depth in 1...3 {
        let target = TableModel(vocabularySize: 3, seed: seed, sharpness: 1.2)
        func expected(_ rule: any AcceptanceRule) throws -> Double {
          try RuleLaw(
            target: target, rule: rule, sampling: SamplingParameters(temperature: 1), depth: depth
          ) { [try DraftModelDrafter(model: target.noisy(1.5), capacity: 64)] }.expectedAccepted()
        }
        let gain = try expected(BlockVerification()) - expected(RejectionSampling())
        #expect(gain > -1e-12)
        if depth == 1 { #expect(gain < 1e-12) } else { gains.append(gain) }
      }
    }
    #expect(gains.filter { $0 > 0.001 }.count > 10)
    #expect(gains.max() ?? 0 > 0.01)
  }

  @Test("block verification with a known bug is found out", arguments: BrokenBlock.Bug.allCases)
  fileprivate func brokenRules(bug: BrokenBlock.Bug) throws {
    let law = RuleLaw(
      rule: BrokenBlock(bug: bug), sampling: try SamplingParameters(temperature: 1), length: 4,
      depth: 3
    ) { [try DraftModelDrafter(model: draft(), capacity: 64)] }
    #expect(try law.distance() > 0.001)
  }

  @Test("real random numbers give the target's law, by chi-square; a bug does not")
  func chiSquare() throws {
    func statistic(_ rule: any AcceptanceRule) throws -> Double {
      let (statistic, outcomes) = try RuleLaw(
        rule: rule, sampling: SamplingParameters(temperature: 1)
      ) { [try DraftModelDrafter(model: draft(), capacity: 64)] }
      .chiSquare(runs: RuleLaw.chiSquareRuns)
      #expect(outcomes == 27)
      return statistic
    }
    #expect(try statistic(BlockVerification()) < RuleLaw.chiSquareLimit)
    #expect(try statistic(BrokenBlock(bug: .residualMissing)) > RuleLaw.chiSquareLimit)
  }
}

private func draft() -> TableModel {
  TableModel(vocabularySize: 3, seed: 4, sharpness: 1.2).noisy(1.5)
}
