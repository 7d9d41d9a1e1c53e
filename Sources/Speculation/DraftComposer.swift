import LanguageModels
import Sampling

/// What the other sequences of a pass put into it.
struct PassShare {
  var rows = 0
  /// Tokens that they are expected to bring.
  var tokens = 0.0
}

/// What a step verifies, and why.
struct DraftPlan {
  var tree = DraftTree()
  var budget = DraftBudget.nothing
  var reason = StepTrace.Reason.off
  /// Tokens that the step is expected to bring, the target's own included.
  var expectedTokens = 1.0
  /// What each drafter proposed, and the time it took.
  var proposals: [DrafterProposal] = []
}

/// Lets the drafters of one sequence grow one tree, and tells each what became of it.
final class DraftComposer {
  private let drafters: [any Drafter]
  private let policy: DraftLengthPolicy
  /// Without a controller, several drafters still need to be weighed against each other.
  private var ownKnowledge = DraftKnowledge()
  /// Each drafter's place in the knowledge.
  private var places: [Int] = []
  private let names: [String]
  /// Proposals that the tokens to come will judge.
  private var open: [OpenProposal] = []
  /// What all drafters together want to see of the target.
  let observing: Observation

  /// A tree of which the tokens since have followed the path down to `node`.
  private struct OpenProposal {
    /// The drafter's place in the knowledge; nil for what several proposed together.
    var member: Int?
    var tokens: [Int32]
    var parents: [Int]
    var scores: [Double]
    /// Of what several proposed together.
    var consensus: [Consensus] = []
    /// Nodes at the beginning that others proposed: a path that the drafter went on from.
    var given = 0
    var node = DraftTree.root
    var depth = 0
  }

  /// Tokens for which a proposal stays open: later ones are judged by fresher proposals.
  private static let mostTokens = 8
  /// Drafts that a drafter is asked to go on from, in a step.
  private static let mostExtended = 2

  init(drafters: [any Drafter], policy: DraftLengthPolicy) {
    self.drafters = drafters
    self.policy = policy
    names = drafters.map(\.name)
    var observing = Observation.nothing
    for drafter in drafters {
      observing.finalHidden = observing.finalHidden || drafter.observing.finalHidden
      observing.layers += drafter.observing.layers.filter { !observing.layers.contains($0) }
    }
    self.observing = observing
    places = names.map { name in
      if case .controlled(let controller) = policy {
        return controller.knowledge.index(of: name)
      }
      return ownKnowledge.index(of: name)
    }
  }

  private var knowledge: DraftKnowledge {
    _read {
      if case .controlled(let controller) = policy {
        yield controller.knowledge
      } else {
        yield ownKnowledge
      }
    }
    _modify {
      if case .controlled(let controller) = policy {
        yield &controller.knowledge
      } else {
        yield &ownKnowledge
      }
    }
  }

  // MARK: - The sequence

  func begin(prompt: [Int32]) throws {
    open = []
    for place in places { knowledge.members[place].meetNewText() }
    for drafter in drafters { try drafter.begin(prompt: prompt) }
  }

  func observePrompt(_ states: TargetStates, from position: Int) throws {
    for drafter in drafters where drafter.observing != .nothing {
      try drafter.observePrompt(view(of: states, for: drafter), from: position)
    }
  }

  /// New tokens of the sequence: judges the open proposals, and tells the drafters.
  func commit(_ tokens: [Int32], states: TargetStates) throws {
    if !open.isEmpty {
      for token in tokens { judge(by: token) }
    }
    for drafter in drafters {
      try drafter.commit(tokens, states: view(of: states, for: drafter))
    }
  }

  /// The states with those layers that a drafter asked for, in its order.
  private func view(of states: TargetStates, for drafter: any Drafter) -> TargetStates {
    guard !states.output.layers.isEmpty else { return states }
    var output = states.output
    output.layers = drafter.observing.layers.compactMap { layer in
      observing.layers.firstIndex(of: layer).map { states.output.layers[$0] }
    }
    return TargetStates(output: output, rows: states.rows, tree: states.tree)
  }

  private func judge(by token: Int32) {
    var kept = 0
    for index in open.indices {
      var next: Int?
      let depth = open[index].depth + 1
      let node = open[index].node
      var hasChildren = false
      for child in (node + 1)..<max(node + 1, open[index].tokens.count)
      where open[index].parents[child] == node {
        hasChildren = true
        let accepted = open[index].tokens[child] == token
        if accepted { next = next ?? child }
        guard child >= open[index].given else { continue }
        let score = open[index].scores[child]
        if let member = open[index].member {
          knowledge.members[member].calibration.record(
            score: score, depth: depth - open[index].given, accepted: accepted)
        } else {
          knowledge.consensus.record(
            open[index].consensus[child], support: score, depth: depth, accepted: accepted)
        }
      }
      if hasChildren, open[index].given == 0, let member = open[index].member {
        knowledge.members[member].record(depth: depth, held: next != nil)
      }
      guard let next, depth < Self.mostTokens else { continue }
      open[index].node = next
      open[index].depth = depth
      if kept != index { open[kept] = open[index] }
      kept += 1
    }
    open.removeSubrange(kept...)
  }

  // MARK: - Drafting

  /// `DraftContext.minimumPathProbability` and `minimumLevelProbability`.
  struct Floors {
    var path = 0.0
    var level = 0.0
  }

  /// - Parameters:
  ///   - room: what the token limit and the context leave.
  ///   - others: what else is in the pass.
  func draft(
    _ room: DraftBudget, others: PassShare,
    context: (Floors) -> DraftContext
  ) throws -> DraftPlan {
    guard !drafters.isEmpty, !room.isEmpty else { return DraftPlan() }
    switch policy {
    case .fixed(let depth):
      let budget = DraftBudget(nodes: room.nodes, depth: min(depth, room.depth))
      return budget.isEmpty ? DraftPlan() : try fixed(budget, context(Floors()))
    case .controlled(let controller):
      return try controlled(room, others, controller, context)
    }
  }

  private func fixed(_ budget: DraftBudget, _ context: DraftContext) throws -> DraftPlan {
    var plan = DraftPlan(budget: budget, reason: .fixed)
    if drafters.count == 1 {
      plan.tree = try call(0, budget, context, &plan).kept
    } else {
      var candidates = CandidateTree()
      for index in drafters.indices {
        let (tree, kept) = try call(index, budget, context, &plan)
        let calibration = knowledge.members[places[index]].calibration
        candidates.merge(kept, from: index, calibration: calibration, depth: budget.depth)
        follow(tree, of: places[index])
      }
      candidates.settle(knowledge.consensus)
      if try extend(&candidates, settled: candidates, budget, context, above: 0, &plan) {
        candidates.settle(knowledge.consensus)
      }
      follow(candidates)
      var count = 0
      for node in candidates.nodes.indices
      where candidates.nodes[node].isRequired && count < budget.nodes {
        count += candidates.keep(node, room: budget.nodes - count)
      }
      for node in candidates.likeliestFirst() where count < budget.nodes {
        count += candidates.keep(node, room: budget.nodes - count)
      }
      plan.tree = candidates.kept(names: names)
    }
    plan.expectedTokens += Double(plan.tree.depth) / 2
    return plan
  }

  private func controlled(
    _ room: DraftBudget, _ others: PassShare, _ controller: SpeedController,
    _ context: (Floors) -> DraftContext
  ) throws -> DraftPlan {
    let budget = DraftBudget(
      nodes: min(room.nodes, SpeedController.mostNodes),
      depth: min(room.depth, SpeedController.longestDraft))
    var plan = DraftPlan(budget: budget, reason: .nothingProposed)
    var candidates = CandidateTree()
    var costly: [Int] = []
    let cheapContext = context(Floors(path: controller.leastRowCost / 2))
    for index in drafters.indices {
      let member = knowledge.members[places[index]]
      guard let seconds = member.callSeconds,
        seconds < SpeedController.cheapShare * controller.rowSeconds, member.probeRows == 0
      else {
        costly.append(index)
        continue
      }
      try propose(index, budget, cheapContext, &candidates, &plan)
    }
    var choice = Choice(candidates, budget, others, controller, knowledge.consensus)
    for index in costly {
      let depth = costlyDepth(index, budget, others, controller, against: choice.rate)
      guard depth > 0 else { continue }
      let member = knowledge.members[places[index]]
      let row = choice.rate * controller.leastRowCost
      let level =
        choice.rate * (controller.laterRowCost + member.levelSeconds / controller.rowSeconds)
      try propose(
        index, DraftBudget(nodes: budget.nodes, depth: depth),
        context(Floors(path: min(0.5, row), level: min(0.5, level))), &candidates, &plan)
      choice = Choice(candidates, budget, others, controller, knowledge.consensus)
    }
    guard !candidates.nodes.isEmpty else { return plan }
    if !costly.isEmpty,
      try extend(
        &candidates, settled: choice.candidates, budget, cheapContext,
        above: controller.laterRowCost, &plan)
    {
      choice = Choice(candidates, budget, others, controller, knowledge.consensus)
    }
    candidates = choice.candidates
    follow(candidates)
    plan.tree = candidates.kept(names: names)
    plan.expectedTokens = choice.tokens
    plan.reason = plan.tree.isEmpty ? .notWorth : .worth
    return plan
  }

  /// How deep a drafter that costs time is worth asking now; 0 for not at all. One that is
  /// switched off is tried again now and then.
  private func costlyDepth(
    _ index: Int, _ budget: DraftBudget, _ others: PassShare, _ controller: SpeedController,
    against rate: Double
  ) -> Int {
    let place = places[index]
    let member = knowledge.members[place]
    // Two levels tell what a level costs.
    guard member.calls >= SpeedController.trialCalls else { return min(2, budget.depth) }
    let level = member.levelSeconds / controller.rowSeconds
    let plainRows = others.rows + 1
    var best = (depth: 0, rate: rate * 1.02)
    for (depth, accepted) in member.survival.expectedAccepted(longest: min(16, budget.depth))
      .enumerated()
    {
      let rows = plainRows + depth + 1 + Int(member.probeRows.rounded())
      let cost = controller.ratio(rows: rows) + Double(depth + 1) * level + controller.overhead
      let found = (others.tokens + 1 + accepted) / cost
      if found > best.rate { best = (depth + 1, found) }
    }
    if best.depth > 0 {
      knowledge.members[place].failures = 0
      knowledge.members[place].rest(0)
      return best.depth
    }
    if member.pause > 0 {
      knowledge.members[place].wait()
      return 0
    }
    let depth = min(2, budget.depth)
    let cost =
      Double(depth) * level + controller.ratio(rows: plainRows + Int(member.probeRows))
      - controller.ratio(rows: plainRows)
    knowledge.members[place].failures += 1
    if member.failures >= 4 { knowledge.members[place].survival.forgetHalf() }
    knowledge.members[place].rest(
      min(
        SpeedController.longestPause,
        max(min(8 << min(member.failures, 5), 128), Int(cost / SpeedController.probeShare))))
    return depth
  }

  private func propose(
    _ index: Int, _ budget: DraftBudget, _ context: DraftContext,
    _ candidates: inout CandidateTree, _ plan: inout DraftPlan
  ) throws {
    let (tree, kept) = try call(index, budget, context, &plan)
    let place = places[index]
    knowledge.members[place].recordCall(
      seconds: plan.proposals[plan.proposals.count - 1].seconds, tree: tree)
    // A drafter that is not sure enough to propose anything was asked in vain.
    if tree.isEmpty { knowledge.members[place].record(depth: 1, held: false) }
    candidates.merge(
      kept, from: index, calibration: knowledge.members[place].calibration, depth: budget.depth)
    follow(tree, of: place)
  }

  /// Lets those drafters that can go on where the likeliest drafts of others end.
  /// - Parameters:
  ///   - settled: the same candidates with their probabilities.
  ///   - floor: drafts less probable are left as they are.
  /// - Returns: whether there are more candidates now.
  private func extend(
    _ candidates: inout CandidateTree, settled: CandidateTree, _ budget: DraftBudget,
    _ context: DraftContext, above floor: Double, _ plan: inout DraftPlan
  ) throws -> Bool {
    let before = candidates.nodes.count
    for (index, drafter) in drafters.enumerated() {
      guard let drafter = drafter as? any ExtendingDrafter else { continue }
      for end in settled.ends(notOf: index, above: floor, count: Self.mostExtended) {
        let path = settled.path(to: end)
        guard path.count < budget.depth else { continue }
        let room = DraftBudget(nodes: budget.nodes, depth: budget.depth - path.count)
        var watch = Stopwatch()
        let tree = try drafter.extend(
          path, after: context.asking(drafter: index), budget: room
        ).limited(to: room).foreseeing(context, above: path.count)
        guard !tree.isEmpty else { continue }
        plan.proposals.append(
          DrafterProposal(
            drafter: names[index], path: path, tree: tree, seconds: watch.lap()))
        candidates.merge(
          tree, under: end, from: index,
          calibration: knowledge.members[places[index]].calibration, depth: budget.depth)
        follow(tree, after: path, of: places[index])
      }
    }
    return candidates.nodes.count > before
  }

  /// - Returns: what a drafter proposes, and what of it is worth verifying.
  private func call(
    _ index: Int, _ budget: DraftBudget, _ context: DraftContext, _ plan: inout DraftPlan
  ) throws -> (tree: DraftTree, kept: DraftTree) {
    var watch = Stopwatch()
    let drafted = try drafters[index].draft(
      after: context.asking(drafter: index), budget: budget)
    if let token = drafted.tokens.first(where: { $0 < 0 || Int($0) >= context.vocabularySize }) {
      throw SpeculationError.tokenOutsideVocabulary(
        token: token, source: "drafter \(names[index])", vocabularySize: context.vocabularySize)
    }
    let proposed = drafted.foreseeing(context)
    let tree = proposed.limited(to: budget)
    let kept = (drafters[index] as? any PruningDrafter)?.prune(tree) ?? tree
    plan.proposals.append(
      DrafterProposal(
        drafter: names[index], tree: proposed, seconds: watch.lap(),
        figures: drafters[index].figures))
    return (tree, kept)
  }

  /// - Parameter path: what others drafted before it.
  private func follow(_ tree: DraftTree, after path: [Int32] = [], of member: Int) {
    guard !tree.isEmpty else { return }
    open.append(
      OpenProposal(
        member: member, tokens: path + tree.tokens,
        parents: path.indices.map { $0 - 1 } + tree.parents.map { $0 + path.count },
        scores: path.map { _ in 1 } + tree.scores, given: path.count))
  }

  /// Follows what several drafters proposed together.
  private func follow(_ candidates: CandidateTree) {
    guard candidates.nodes.contains(where: { $0.consensus != .single }) else { return }
    open.append(
      OpenProposal(
        member: nil, tokens: candidates.nodes.map(\.token),
        parents: candidates.nodes.map(\.parent), scores: candidates.nodes.map(\.support),
        consensus: candidates.nodes.map(\.consensus)))
  }

  /// The part of the candidates that brings the most tokens for the time.
  private struct Choice {
    var candidates: CandidateTree
    /// Expected tokens of this sequence.
    var tokens = 1.0
    /// Expected tokens of the pass by its time in units of T(1).
    var rate: Double

    init(
      _ candidates: CandidateTree, _ budget: DraftBudget, _ others: PassShare,
      _ controller: SpeedController, _ consensus: ConsensusCalibrations
    ) {
      self.candidates = candidates
      self.candidates.settle(consensus)
      self.candidates.dropAll()
      func rate(_ rows: Int, _ tokens: Double) -> Double {
        (others.tokens + tokens)
          / (controller.ratio(rows: others.rows + rows)
            + controller.overhead)
      }
      self.rate = rate(1, 1)
      var count = 0
      for node in self.candidates.nodes.indices
      where self.candidates.nodes[node].isRequired && count < budget.nodes {
        count += self.candidates.keep(node, room: budget.nodes - count)
      }
      for node in self.candidates.nodes where node.isKept { tokens += node.pathProbability }
      if count > 0 { self.rate = rate(1 + count, tokens) }
      // A tie is plain decoding's: the estimates are not better than that.
      var best = (rate: self.rate * 1.01, count: 0, tokens: tokens)
      var order: [Int] = []
      var sum = tokens
      for node in self.candidates.likeliestFirst()
      where !self.candidates.nodes[node].isKept && count + order.count < budget.nodes {
        order.append(node)
        sum += self.candidates.nodes[node].pathProbability
        let found = rate(1 + count + order.count, sum)
        if found > best.rate { best = (found, order.count, sum) }
      }
      for node in order.prefix(best.count) { _ = self.candidates.keep(node, room: .max) }
      if best.count > 0 { self.rate = best.rate }
      tokens = best.tokens
    }
  }
}
