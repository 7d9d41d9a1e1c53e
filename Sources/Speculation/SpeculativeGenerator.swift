import LanguageModels
import Sampling

/// Where a generation ends.
public struct GenerationLimits: Sendable, Equatable {
  /// The most tokens to generate; nil goes on until a stop token or the end of the context.
  public var maxTokens: Int?
  /// Tokens that end the output. They are part of it; nothing after them is.
  public var stopTokens: Set<Int32>

  public init(maxTokens: Int? = nil, stopTokens: Set<Int32> = []) {
    self.maxTokens = maxTokens
    self.stopTokens = stopTokens
  }
}

/// Why a generation ended.
public enum FinishReason: String, Sendable, Codable {
  /// A stop token, or whatever else the caller stops at.
  case stop
  case maxTokens = "length"
  case contextFull = "context"
}

/// How to generate: who drafts, how much, what is accepted, and when to stop.
public struct GenerationSetup {
  /// Who drafts; nobody decodes plainly. Several grow one tree.
  public var drafters: [any Drafter]
  public var draftLength: DraftLengthPolicy
  /// The most nodes of a draft tree.
  public var draftNodes: Int
  public var rule: any AcceptanceRule
  public var sampling: SamplingParameters
  public var limits: GenerationLimits

  public init(
    drafters: [any Drafter], draftLength: DraftLengthPolicy = .fixed(4),
    draftNodes: Int = 64, rule: any AcceptanceRule = SampleAndMatch(),
    sampling: SamplingParameters = .greedy, limits: GenerationLimits = GenerationLimits()
  ) {
    self.drafters = drafters
    self.draftLength = draftLength
    self.draftNodes = draftNodes
    self.rule = rule
    self.sampling = sampling
    self.limits = limits
  }

  /// One drafter, or none.
  public init(
    drafter: (any Drafter)? = nil, draftLength: DraftLengthPolicy = .fixed(4),
    draftNodes: Int = 64, rule: any AcceptanceRule = SampleAndMatch(),
    sampling: SamplingParameters = .greedy, limits: GenerationLimits = GenerationLimits()
  ) {
    self.init(
      drafters: drafter.map { [$0] } ?? [], draftLength: draftLength, draftNodes: draftNodes,
      rule: rule, sampling: sampling, limits: limits)
  }
}

/// Generates tokens with a target model, step by step: draft, verify in one forward pass, accept,
/// commit. Plain decoding is the same loop with an empty draft.
///
///     let generator = try SpeculativeGenerator(target: model, capacity: 2048)
///     try generator.begin(prompt: tokens, setup: setup)
///     while let new = try generator.next() { … }
///
/// It keeps its cache between generations: a prompt that begins like the last sequence is only
/// computed from where the two differ. Several generators of one target may decode together, in
/// one pass a step (`next(_:)`). One generator serves one thread at a time.
public final class SpeculativeGenerator<Target: LanguageModel> {
  public let target: Target
  public let cache: Target.Cache
  /// The most tokens of a sequence that are computed; one more may follow.
  public let capacity: Int
  /// The whole sequence. The cache holds all tokens but the last, which is pending.
  public private(set) var tokens: [Int32] = []
  /// The steps of the current generation.
  public private(set) var traces: [StepTrace] = []
  /// Why the current generation ended; nil while it goes on.
  public private(set) var finishReason: FinishReason?
  /// Asked before each forward pass; when it says true, `CancellationError` is thrown.
  public var isCancelled: () -> Bool = { false }
  /// Told, before each part of a prompt that is computed in several, how many of its tokens are
  /// computed and how many are to be.
  public var promptProgress: (_ computed: Int, _ total: Int) -> Void = { _, _ in }

  private var setup: GenerationSetup?
  private var sampler = Sampler(.greedy)
  private var chance: any Chance = KeyedRandom(seed: 0)
  private var composer = DraftComposer(drafters: [], policy: .fixed(0))
  private var step: Step?
  private var generated = 0
  private var promptCount = 0
  private var firstTokens: [Int32]?

  /// A step whose rows are not yet computed.
  private struct Step {
    var trace: StepTrace
    var tree: DraftTree
    var expectedTokens: Double
    var rows: SequenceRows<Target.Cache>
  }

  /// Rows of one prompt pass: bounds the memory of activations, and how long a cancellation waits.
  static var promptChunk: Int { 256 }

  /// - Parameter capacity: the most tokens of a sequence that the cache holds.
  public init(target: Target, capacity: Int) throws {
    self.target = target
    self.capacity = capacity
    cache = try target.makeCache(capacity: capacity)
  }

  /// The tokens generated since `begin`.
  public var output: ArraySlice<Int32> { tokens[promptCount...] }

  /// Ends the generation and empties the cache.
  public func forget() {
    setup = nil
    step = nil
    firstTokens = nil
    traces = []
    tokens = []
    (promptCount, generated) = (0, 0)
    cache.truncate(to: 0)
  }

  /// Starts a generation: computes the prompt and draws its first token, which the first call of
  /// `next` returns.
  /// - Parameter chance: the random numbers; by default those of the sampling seed.
  public func begin(
    prompt: [Int32], setup: GenerationSetup, chance: (any Chance)? = nil
  ) throws {
    try check(prompt, setup)
    self.setup = nil
    finishReason = nil
    firstTokens = nil
    traces = []
    generated = 0
    sampler = Sampler(setup.sampling)
    self.chance =
      chance ?? KeyedRandom(seed: setup.sampling.seed ?? UInt64.random(in: 0 ... .max))
    composer = DraftComposer(drafters: setup.drafters, policy: setup.draftLength)
    step = nil

    var trace = StepTrace(phase: .prompt, position: prompt.count)
    var watch = Stopwatch()
    // The last prompt token is computed in any case: its logits give the first new token.
    let common = zip(tokens.prefix(cache.count), prompt.dropLast()).prefix { $0 == $1 }.count
    cache.truncate(to: common)
    tokens = Array(prompt.prefix(common))
    promptCount = common
    trace.cachedTokens = common
    trace.promptTokens = prompt.count - common
    trace.commitSeconds = watch.lap()

    try composer.begin(prompt: prompt)
    trace.draftSeconds = watch.lap()
    let first: Int32
    do {
      first = try computePrompt(prompt, from: common, &trace)
    } catch let error as CancellationError {
      // What was computed is told, and stays in the cache.
      trace.promptTokens = tokens.count - common
      traces.append(trace)
      throw error
    }

    self.setup = setup
    if setup.limits.maxTokens == 0 {
      finishReason = .maxTokens
    } else {
      emit([first])
      firstTokens = [first]
      trace.tokens = [first]
    }
    traces.append(trace)
  }

  /// The next tokens, at least one; nil when the generation has ended.
  public func next() throws -> [Int32]? {
    try Self.next([self])[0]
  }

  /// The next tokens of several sequences of one target, decoded together in one pass over its
  /// weights. Each sequence's output is the same as alone.
  /// - Returns: for each generator what its own `next` would return.
  public static func next(_ generators: [SpeculativeGenerator]) throws -> [[Int32]?] {
    var results = [[Int32]?](repeating: nil, count: generators.count)
    var active: [Int] = []
    for (index, generator) in generators.enumerated() {
      if let first = try generator.takeFirst() {
        results[index] = first
      } else if generator.canGoOn() {
        active.append(index)
      }
    }
    guard let target = active.first.map({ generators[$0].target }) else { return results }
    // Those that have not drafted yet put in a row each, at least.
    var share = PassShare(rows: active.count, tokens: Double(active.count))
    for index in active {
      share.rows -= 1
      share.tokens -= 1
      try generators[index].propose(others: share)
      guard let step = generators[index].step else { continue }
      share.rows += step.rows.tokens.count
      share.tokens += step.expectedTokens
    }
    let steps = active.compactMap { generators[$0].step }
    var watch = Stopwatch()
    var observing = Observation.nothing
    for index in active {
      let wanted = generators[index].composer.observing
      observing.finalHidden = observing.finalHidden || wanted.finalHidden
      observing.layers += wanted.layers.filter { !observing.layers.contains($0) }
    }
    let outputs = try target.forward(
      steps.map(\.rows), options: ForwardOptions(logits: .all, observing: observing))
    let pass = Pass(seconds: watch.lap(), sequences: active.count, rows: share.rows)
    for (index, output) in zip(active, outputs) {
      results[index] = try generators[index].settle(output, pass, observing)
    }
    return results
  }

  /// The pass that a step was computed in.
  private struct Pass {
    var seconds: Double
    var sequences: Int
    var rows: Int
  }

  /// The token that came with the prompt, once.
  private func takeFirst() throws -> [Int32]? {
    guard setup != nil else { throw SpeculationError.notBegun }
    defer { firstTokens = nil }
    return firstTokens
  }

  private func canGoOn() -> Bool {
    guard finishReason == nil else { return false }
    guard cache.count < capacity else {
      finishReason = .contextFull
      return false
    }
    return true
  }

  /// Drafts the next step.
  private func propose(others: PassShare) throws {
    step = nil
    guard let setup, let pending = tokens.last else { return }
    try checkCancellation()
    var trace = StepTrace(phase: .round, position: tokens.count)
    var watch = Stopwatch()
    let plan = try composer.draft(room(setup), others: others) {
      DraftContext(
        tokens: tokens, vocabularySize: target.vocabularySize, sampler: sampler, chance: chance,
        style: setup.rule.style, minimumPathProbability: $0.path,
        minimumLevelProbability: $0.level, targetCache: cache)
    }
    trace.budget = plan.budget
    trace.reason = plan.reason
    trace.expectedTokens = plan.expectedTokens
    trace.proposals = plan.proposals
    trace.drafted = plan.tree.tokens
    trace.parents = plan.tree.parents
    trace.sources = plan.tree.sources
    let rows = plan.tree.rows(after: pending)
    trace.draftSeconds = watch.lap()
    step = Step(
      trace: trace, tree: plan.tree, expectedTokens: plan.expectedTokens,
      rows: SequenceRows(cache: cache, tokens: rows.tokens, parents: rows.parents))
  }

  /// Accepts what the target agrees with.
  /// - Parameter observed: the layers of `output`, which other sequences may have asked for.
  private func settle(_ output: ForwardOutput, _ pass: Pass, _ observed: Observation) throws
    -> [Int32]?
  {
    guard let setup, let step else { return nil }
    self.step = nil
    var watch = Stopwatch()
    let tree = step.tree
    var trace = step.trace
    trace.sequences = pass.sequences
    trace.rows = pass.rows
    trace.verifySeconds = pass.seconds * Double(tree.count + 1) / Double(pass.rows)

    var walk = TargetWalk(
      logits: output.logits, sampler: sampler, chance: chance, context: tokens)
    let verdict = try setup.rule.verify(tree, &walk)
    var new = verdict.path.map { tree.tokens[$0] } + [verdict.next]
    if let stop = new.firstIndex(where: setup.limits.stopTokens.contains) {
      new.removeSubrange((stop + 1)...)
    }
    trace.tokens = new
    trace.accepted = Array(verdict.path.prefix(new.count - 1))
    trace.recovered = verdict.recovered && new.count == verdict.path.count + 1
    trace.acceptSeconds = watch.lap()

    // Row i's logits gave new[i]; the last new token is the next pending one.
    let committed = [0] + trace.accepted.map { $0 + 1 }
    cache.commit(path: committed)
    emit(new)
    var own = output
    own.layers = composer.observing.layers.compactMap { layer in
      observed.layers.firstIndex(of: layer).map { output.layers[$0] }
    }
    try composer.commit(new, states: TargetStates(output: own, rows: committed, tree: tree))
    trace.commitSeconds = watch.lap()
    if case .controlled(let controller) = setup.draftLength {
      controller.observe(trace)
    }
    traces.append(trace)
    return new
  }

  /// Ends the generation before the last `count` tokens of the last step, as a stop token does:
  /// they never counted. For what only a caller can see, such as a stop string.
  public func stop(dropping count: Int) {
    guard var trace = traces.popLast() else { return }
    precondition(count >= 0 && count < trace.tokens.count, "a step keeps at least one token")
    tokens.removeLast(count)
    generated -= count
    cache.truncate(to: tokens.count - 1)
    trace.tokens.removeLast(count)
    trace.accepted = Array(trace.accepted.prefix(trace.tokens.count - 1))
    if count > 0 { trace.recovered = false }
    traces.append(trace)
    finishReason = .stop
  }

  private func check(_ prompt: [Int32], _ setup: GenerationSetup) throws {
    guard !prompt.isEmpty else { throw SpeculationError.emptyPrompt }
    guard prompt.count <= capacity else {
      throw SpeculationError.promptTooLong(tokens: prompt.count, capacity: capacity)
    }
    if let token = prompt.first(where: { $0 < 0 || Int($0) >= target.vocabularySize }) {
      throw SpeculationError.tokenOutsideVocabulary(
        token: token, source: "prompt", vocabularySize: target.vocabularySize)
    }
    if let limit = setup.limits.maxTokens, limit < 0 {
      throw SpeculationError.invalidSetting(
        name: "max tokens", expected: "0 or more", found: "\(limit)")
    }
    if setup.rule is GreedyRule && !setup.sampling.isGreedy {
      throw SpeculationError.ruleNeedsGreedy(
        rule: setup.rule.name, temperature: setup.sampling.temperature)
    }
  }

  /// Computes the prompt from position `start` on, in chunks, and draws the token after it.
  private func computePrompt(
    _ prompt: [Int32], from start: Int, _ trace: inout StepTrace
  ) throws -> Int32 {
    let observing = composer.observing
    var watch = Stopwatch()
    let (first, total) = (start, prompt.count - start)
    var start = start
    while true {
      try checkCancellation()
      if total > Self.promptChunk { promptProgress(start - first, total) }
      let end = min(start + Self.promptChunk, prompt.count)
      let chunk = Array(prompt[start..<end])
      let output = try target.forward(
        chain: chunk, cache: cache, logits: end == prompt.count ? .last : .none,
        observing: observing)
      cache.commit(path: Array(chunk.indices))
      tokens.append(contentsOf: chunk)
      promptCount = tokens.count
      trace.verifySeconds += watch.lap()
      if observing != .nothing {
        try composer.observePrompt(
          TargetStates(output: output, rows: Array(chunk.indices)), from: start)
      }
      if end == prompt.count {
        let first = try sampler.token(logits: output.logits[0], context: tokens, chance: chance)
        try composer.commit([first], states: TargetStates(output: output, rows: [chunk.count - 1]))
        trace.acceptSeconds = watch.lap()
        return first
      }
      trace.commitSeconds += watch.lap()
      start = end
    }
  }

  /// What this step may draft: nothing beyond the token limit, and no row beyond the context.
  private func room(_ setup: GenerationSetup) -> DraftBudget {
    let left = (setup.limits.maxTokens ?? .max) - generated
    let rows = capacity - cache.count - 1
    let depth = min(left - 1, rows)
    return depth > 0 ? DraftBudget(nodes: min(setup.draftNodes, rows), depth: depth) : .nothing
  }

  private func emit(_ new: [Int32]) {
    tokens.append(contentsOf: new)
    generated += new.count
    guard let last = new.last, let limits = setup?.limits else { return }
    if limits.stopTokens.contains(last) {
      finishReason = .stop
    } else if let limit = limits.maxTokens, generated >= limit {
      finishReason = .maxTokens
    }
  }

  private func checkCancellation() throws {
    if isCancelled() { throw CancellationError() }
  }
}
