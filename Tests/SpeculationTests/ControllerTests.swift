import Drafters
import Foundation
import LanguageModels
import Losslessness
import Sampling
import Testing

@testable import Speculation

private typealias Point = VerificationCosts.Point

/// Rows are cheap, and drafters' time counts nothing beside a second.
private func cheapRows(rowSeconds: Double = 1) throws -> VerificationCosts {
  let ratios: [(Int, Double)] = [(1, 1), (4, 1.15), (16, 1.6)]
  return try VerificationCosts(
    points: ratios.map { Point(rows: $0.0, seconds: $0.1 * rowSeconds) })
}

/// The text that all sequences here follow.
private func text(_ place: Int) -> Int32 { Int32(place * place % 11) }

/// Proposes a chain that is right or wrong, after some time.
private final class ChainDrafter: Drafter {
  let name = "chain"
  var isRight: Bool
  let microseconds: UInt32
  var calls = 0

  init(isRight: Bool, microseconds: UInt32 = 0) {
    self.isRight = isRight
    self.microseconds = microseconds
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    calls += 1
    if microseconds > 0 { usleep(microseconds) }
    let start = context.tokens.count
    let chain = (start..<start + min(budget.depth, budget.nodes)).map {
      isRight ? text($0) : text($0) + 20
    }
    return DraftTree(chain: chain, source: name)
  }
}

/// Proposes one tree, whatever went before.
private final class TreeDrafter: Drafter {
  let name = "tree"
  let tree: DraftTree
  init(_ tree: DraftTree) { self.tree = tree }
  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree { tree }
}

/// Goes on from other drafts only: rightly, as far as it knows.
private final class Follower: ExtendingDrafter {
  let name = "follower"
  var isRight = true
  var paths: [[Int32]] = []

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree { DraftTree() }

  func extend(_ path: [Int32], after context: DraftContext, budget: DraftBudget) throws
    -> DraftTree
  {
    paths.append(path)
    let start = context.tokens.count + path.count
    let chain = (start..<start + min(3, budget.depth)).map { isRight ? text($0) : text($0) + 20 }
    return DraftTree(chain: chain, score: 0.9, source: name)
  }
}

/// Proposes the next token, at a price.
private final class OneTokenDrafter: Drafter {
  let name = "one token"
  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    usleep(300)
    return DraftTree(chain: [text(context.tokens.count)], score: 0.9, source: name)
  }
}

/// Proposes nothing, at a price, and keeps what it was told.
private final class Listener: Drafter {
  let name = "listener"
  var floors: (path: Double, level: Double) = (0, 0)
  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    usleep(300)
    floors = (context.minimumPathProbability, context.minimumLevelProbability)
    return DraftTree()
  }
}

/// A sequence without a model: what the passes take is what the costs say.
private final class Steps {
  private let composer: DraftComposer
  private let cache: TableCache
  private let output: ForwardOutput
  private(set) var tokens = [text(0)]

  init(_ drafters: [any Drafter], _ controller: SpeedController) throws {
    composer = DraftComposer(drafters: drafters, policy: .controlled(controller))
    let model = TableModel(vocabularySize: 2)
    cache = try model.makeCache(capacity: 4)
    output = try model.forward(chain: [0], cache: cache)
    try composer.begin(prompt: tokens)
  }

  func plan(_ room: DraftBudget = DraftBudget(nodes: 64, depth: 64)) throws -> DraftPlan {
    try composer.draft(room, others: PassShare()) {
      DraftContext(
        tokens: tokens, vocabularySize: 100, sampler: Sampler(.greedy),
        chance: KeyedRandom(seed: 1), style: .matching, minimumPathProbability: $0.path,
        minimumLevelProbability: $0.level)
    }
  }

  /// One step; returns how many nodes were verified.
  @discardableResult
  func step() throws -> Int {
    let tree = try plan().tree
    var new: [Int32] = []
    var node = DraftTree.root
    while let next = tree.child(of: node, token: text(tokens.count + new.count)) {
      new.append(tree.tokens[next])
      node = next
    }
    new.append(text(tokens.count + new.count))
    tokens += new
    try composer.commit(new, states: TargetStates(output: output, rows: [0]))
    return tree.count
  }

  func steps(_ count: Int) throws -> [Int] { try (0..<count).map { _ in try step() } }
}

@Suite struct VerificationCostsTests {
  @Test("costs are linear between measured points, and go on beyond the last")
  func interpolation() throws {
    let costs = try VerificationCosts(points: [
      Point(rows: 9, seconds: 8), Point(rows: 1, seconds: 2), Point(rows: 5, seconds: 4),
    ])
    #expect(costs.rowSeconds == 2)
    #expect([1, 3, 5, 7, 9, 11].map(costs.ratio) == [1, 1.5, 2, 3, 4, 5])
    let flat = try VerificationCosts(points: [Point(rows: 1, seconds: 3)])
    #expect(flat.ratio(rows: 7) == 1)
  }

  @Test("more rows never count as cheaper than fewer")
  func monotone() throws {
    let costs = try VerificationCosts(points: [
      Point(rows: 1, seconds: 3), Point(rows: 2, seconds: 2), Point(rows: 4, seconds: 5),
      Point(rows: 8, seconds: 4),
    ])
    let ratios = (1...30).map(costs.ratio)
    #expect(zip(ratios, ratios.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(costs.rowSeconds == 2)
  }

  @Test("costs without a positive time for one row are refused")
  func refused() {
    let bad: [[Point]] = [
      [], [Point(rows: 2, seconds: 1)], [Point(rows: 0, seconds: 1), Point(rows: 1, seconds: 1)],
      [Point(rows: 1, seconds: 0)], [Point(rows: 1, seconds: -1)],
      [Point(rows: 1, seconds: 1), Point(rows: 2, seconds: .infinity)],
      [Point(rows: 1, seconds: .nan)],
    ]
    for points in bad {
      #expect(throws: SpeculationError.self) { try VerificationCosts(points: points) }
    }
  }
}

@Suite struct ControllerTests {
  @Test("the tree that is verified is the best of all that could be", arguments: 0..<60)
  func bestTree(seed: UInt64) throws {
    var random = Drafters.SplitMix(state: seed)
    var tree = DraftTree()
    for token in 0..<Int32.random(in: 1...8, using: &random) {
      let parent = Int.random(in: -1..<tree.count, using: &random)
      let score = Double.random(in: 0...1, using: &random)
      tree.add(token, under: parent, score: score, source: "tree")
    }
    var seconds = 1.0
    let points = (1...9).map { rows in
      if rows > 1 { seconds += Double.random(in: 0...0.5, using: &random) }
      return Point(rows: rows, seconds: seconds)
    }
    let controller = SpeedController(costs: try VerificationCosts(points: points))
    // As one that was asked before, so that it is asked for all of its tree.
    let member = controller.knowledge.index(of: "tree")
    controller.knowledge.members[member].callSeconds = 0
    let found = try Steps([TreeDrafter(tree)], controller).plan().tree

    var candidates = CandidateTree()
    candidates.merge(tree, from: 0, calibration: Calibration(), depth: 64)
    candidates.settle(ConsensusCalibrations())
    func rate(_ nodes: [Int]) -> Double {
      let tokens = nodes.reduce(1.0) { $0 + candidates.nodes[$1].pathProbability }
      return tokens / controller.ratio(rows: nodes.count + 1)
    }
    var best = 0.0
    for subset in 0..<(1 << tree.count) {
      let nodes = (0..<tree.count).filter { subset >> $0 & 1 == 1 }
      let isClosed = nodes.allSatisfy {
        tree.parents[$0] == DraftTree.root || nodes.contains(tree.parents[$0])
      }
      if isClosed { best = max(best, rate(nodes)) }
    }
    // Tokens name the nodes. Plain decoding wins ties, up to a hundredth.
    let chosen = rate(found.tokens.map(Int.init))
    let least = found.isEmpty ? best / 1.011 : best - 1e-6
    #expect(chosen >= least)
  }

  @Test("a drafter that is always wrong is soon not verified any more; one that is right gets long")
  func wrongAndRight() throws {
    let wrong = ChainDrafter(isRight: false)
    let drafted = try Steps([wrong], SpeedController(costs: try cheapRows())).steps(150)
    #expect(drafted[0] > 0)
    #expect(drafted[100...].reduce(0, +) == 0)
    #expect(wrong.calls == 150, "a cheap drafter is asked at every step")
    let right = ChainDrafter(isRight: true)
    let long = try Steps([right], SpeedController(costs: try cheapRows())).steps(100)
    #expect(long[80...].allSatisfy { $0 >= 8 })
  }

  @Test("a cheap drafter that was wrong for a hundred steps is used when it turns right")
  func turnsRight() throws {
    let drafter = ChainDrafter(isRight: false)
    let sequence = try Steps([drafter], SpeedController(costs: try cheapRows()))
    #expect(try sequence.steps(100)[80...].reduce(0, +) == 0)
    drafter.isRight = true
    let drafted = try sequence.steps(60)
    #expect(drafted[40...].allSatisfy { $0 >= 2 })
  }

  @Test("a drafter that can goes on where a costly one's draft ends, while it is right")
  func extends() throws {
    let follower = Follower()
    let controller = SpeedController(costs: try cheapRows(rowSeconds: 0.01))
    let sequence = try Steps([OneTokenDrafter(), follower], controller)
    #expect(try sequence.steps(20)[5...].allSatisfy { $0 == 4 }, "one token, and three after it")
    #expect(follower.paths.allSatisfy { $0.count == 1 })
    let tree = try sequence.plan().tree
    #expect(tree.sources == ["one token", "follower", "follower", "follower"])
    #expect(tree.parents == [-1, 0, 1, 2])
    follower.isRight = false
    #expect(
      try sequence.steps(250)[200...].allSatisfy { $0 == 1 }, "the first token is still right")
  }

  @Test("a drafter is told what the cheapest row costs, and of levels what a long draft does")
  func floors() throws {
    let listener = Listener()
    let costs = try VerificationCosts(points: [
      Point(rows: 1, seconds: 0.01), Point(rows: 2, seconds: 0.0105),
      Point(rows: 3, seconds: 0.015), Point(rows: 9, seconds: 0.045),
    ])
    _ = try Steps([listener], SpeedController(costs: costs)).steps(4)
    #expect((0.045...0.055).contains(listener.floors.path), "V(2) - 1, not (V(9) - 1) / 8")
    #expect(listener.floors.level > 3.5 / 16, "half of V(9) - 1 by 8, and the call itself")
  }

  @Test("a useless drafter that costs time is called rarely, but again, and used once it is right")
  func costly() throws {
    let drafter = ChainDrafter(isRight: false, microseconds: 1000)
    let controller = SpeedController(costs: try cheapRows(rowSeconds: 0.01))
    let sequence = try Steps([drafter], controller)
    _ = try sequence.steps(100)
    let before = drafter.calls
    #expect(before > 1 && before < 60)
    _ = try sequence.steps(400)
    let later = drafter.calls - before
    #expect(later >= 1 && later <= 20)
    drafter.isRight = true
    var steps = 0
    var row = 0
    while steps < 4000 && row < 10 {
      let calls = drafter.calls
      row = try sequence.step() > 0 && drafter.calls > calls ? row + 1 : 0
      steps += 1
    }
    #expect(row == 10)
  }

  @Test("a drafter that one text switched off is tried early in the next ones, at little cost")
  func newText() throws {
    let drafter = ChainDrafter(isRight: false, microseconds: 1000)
    let controller = SpeedController(costs: try cheapRows(rowSeconds: 0.01))
    _ = try Steps([drafter], controller).steps(200)
    let before = drafter.calls
    for _ in 0..<4 { _ = try Steps([drafter], controller).steps(60) }
    // A call is a tenth of a pass: at most 0.7 % of the time.
    #expect((1...16).contains(drafter.calls - before), "\(drafter.calls - before)")
    drafter.isRight = true
    var used = 0
    for _ in 0..<3 { used = try Steps([drafter], controller).steps(60).count { $0 > 0 } }
    #expect(used > 30)
  }

  @Test(
    "a drafter whose first call was slow is soon known to be quick; a slow call is not believed")
  func coldCall() {
    let chain = DraftTree(chain: [1, 2], source: "chain")
    var member = DraftKnowledge.Member(name: "chain")
    member.recordCall(seconds: 1000, tree: chain)
    #expect(member.callSeconds == nil)
    member.recordCall(seconds: 8, tree: chain)
    for _ in 0..<4 { member.recordCall(seconds: 1, tree: chain) }
    #expect(member.callSeconds.map { $0 < 1.5 } == true && member.levelSeconds < 0.75)
    member.recordCall(seconds: 100, tree: chain)
    #expect(member.callSeconds.map { $0 < 2 } == true)
    for _ in 0..<60 { member.recordCall(seconds: 3, tree: chain) }
    #expect(member.callSeconds.map { $0 > 2.9 } == true)
  }

  @Test("a machine twice as slow is followed, and the shape of its costs stays")
  func slower() throws {
    let controller = SpeedController(costs: try cheapRows())
    #expect(controller.rowSeconds == 1)
    for _ in 0..<200 {
      controller.observe(rows: 1, seconds: 2)
      controller.observe(rows: 4, seconds: 2.3)
    }
    #expect(abs(controller.rowSeconds - 2) < 0.05)
    #expect(abs(controller.ratio(rows: 4) - 1.15) < 0.1)
    let rowSeconds = controller.rowSeconds
    controller.observe(rows: 1, seconds: 0)
    controller.observe(rows: 0, seconds: 5)
    #expect(controller.rowSeconds == rowSeconds)
  }

  @Test("rows that become dear for good are seen to be")
  func dearer() throws {
    let controller = SpeedController(costs: try cheapRows())
    for _ in 0..<400 {
      controller.observe(rows: 1, seconds: 1)
      controller.observe(rows: 4, seconds: 2)
    }
    let ratio = controller.ratio(rows: 4)
    #expect(ratio > 1.7 && ratio < 2.2)
    // Never cheaper than one row.
    for _ in 0..<400 {
      controller.observe(rows: 1, seconds: 1)
      controller.observe(rows: 4, seconds: 0.5)
    }
    #expect(controller.ratio(rows: 4) >= 1)
  }

  @Test("what one generation taught holds for the next")
  func persistence() throws {
    let controller = SpeedController(costs: try cheapRows())
    let wrong = ChainDrafter(isRight: false)
    _ = try Steps([wrong], controller).steps(100)
    #expect(try Steps([wrong], controller).step() == 0)
    let fresh = SpeedController(costs: try cheapRows())
    #expect(try Steps([wrong], fresh).step() > 0)
  }

  @Test("no draft goes beyond the tokens asked for or the context")
  func room() throws {
    let target = TableModel(vocabularySize: 12)
    let prompt: [Int32] = [3, 1, 4]
    let plain = try generate(
      SpeculativeGenerator(target: target, capacity: 64), prompt: prompt,
      setup: GenerationSetup(limits: GenerationLimits(maxTokens: 40))
    ).output
    let controller = SpeedController(costs: try cheapRows(rowSeconds: 1000))
    for (limit, capacity) in [(1, 64), (2, 64), (5, 64), (30, 64), (40, 4), (40, 9), (40, 30)] {
      let generator = try SpeculativeGenerator(target: target, capacity: capacity)
      let setup = GenerationSetup(
        drafters: [
          OracleDrafter(sequence: prompt + plain), RandomDrafter(seed: 2, sequence: plain),
        ],
        draftLength: .controlled(controller), limits: GenerationLimits(maxTokens: limit))
      let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
      #expect(output == Array(plain.prefix(min(limit, capacity - prompt.count + 1))))
      #expect(faults == [])
      for trace in generator.traces where trace.phase == .round {
        let left = limit - (trace.position - prompt.count)
        #expect(trace.budget.depth < left)
        // The pending token's row and the draft's.
        #expect(trace.position + trace.drafted.count <= capacity)
      }
    }
  }
}
