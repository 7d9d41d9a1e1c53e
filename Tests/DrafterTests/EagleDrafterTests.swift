import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@testable import Drafters

@Suite("EAGLE drafters") struct EagleDrafterTests {
  private func drafter(
    _ weights: EagleWeights, _ shape: DraftShape = .dynamic(topK: 3), capacity: Int = 120
  ) throws -> EagleDrafter {
    try EagleDrafter(
      weights: weights, capacity: capacity,
      configuration: DraftModelConfiguration(shape: shape, length: 6))
  }

  private func prompt(_ count: Int, seed: Int = 1) -> [Int32] {
    (0..<count).map { Int32(3 + ($0 * $0 * 7 + $0 * 11 * seed + seed) % 90) }
  }

  /// What a drafter proposes that has seen the sequence as a prompt.
  private func fresh(_ weights: EagleWeights, _ target: TransformerModel, _ tokens: [Int32])
    throws -> DraftTree
  {
    let sequence = try EagleSequence(target, drafter(weights))
    try sequence.begin(Array(tokens.dropLast()), chunks: [], then: #require(tokens.last))
    return try sequence.draft(nodes: 12, depth: 4)
  }

  @Test(
    "what is drafted depends on the sequence, not on what was drafted and accepted before",
    arguments: EagleVersion.allCases)
  func history(version: EagleVersion) throws {
    let target = try EagleGolden.target()
    let weights = try EagleGolden.weights(version, target: target)
    let sequence = try EagleSequence(target, drafter(weights))
    try sequence.begin(prompt(9), chunks: [4], then: 7)
    for step in 0..<14 {
      // Now and then others draft, or nobody.
      var tree = step % 5 == 3 ? DraftTree() : try sequence.draft(nodes: 12, depth: 4)
      if step % 5 != 3 {
        #expect(tree.count == 12 && tree.depth > 1)
        #expect(tree == (try fresh(weights, target, sequence.tokens)))
      }
      let stranger = tree.add(Int32(20 + step), source: "other")
      var path: [Int] = []
      if step % 3 == 1 {
        path = [stranger]
      } else if step % 3 == 2 {
        while let child = tree.children(of: path.last ?? DraftTree.root).first {
          path.append(child)
        }
      }
      try sequence.step(tree, accepting: path, then: Int32(5 + step * 3))
    }
    #expect(sequence.tokens.count > 30)
  }

  @Test(
    "a long time without drafts is caught up with, also by one that waited for its turn",
    arguments: EagleVersion.allCases, [false, true])
  func pause(version: EagleVersion, isWaiting: Bool) throws {
    let target = try EagleGolden.target()
    let weights = try EagleGolden.weights(version, target: target)
    let sequence = try EagleSequence(target, drafter(weights))
    sequence.drafter.isWaiting = isWaiting
    try sequence.begin(prompt(5), chunks: [], then: 9)
    for step in 0..<70 {
      try sequence.step(DraftTree(), accepting: [], then: Int32(3 + step * 13 % 90))
    }
    let tree = try sequence.draft(nodes: 12, depth: 4)
    #expect(tree == (try fresh(weights, target, sequence.tokens)))
  }

  @Test("another prompt takes over what the two have in common", arguments: EagleVersion.allCases)
  func reuse(version: EagleVersion) throws {
    let target = try EagleGolden.target()
    let weights = try EagleGolden.weights(version, target: target)
    let sequence = try EagleSequence(target, drafter(weights))
    try sequence.begin(prompt(20), chunks: [], then: 7)
    _ = try sequence.draft(nodes: 8, depth: 3)
    // Longer, of which the target had all that came before in its cache.
    let longer = sequence.tokens + [4, 8, 15]
    try sequence.begin(longer, chunks: [], cached: sequence.tokens.count - 1, then: 16)
    #expect(
      try sequence.draft(nodes: 12, depth: 4) == fresh(weights, target, sequence.tokens))
    // The same again: only its last token is computed.
    try sequence.begin(longer, chunks: [], cached: longer.count - 1, then: 16)
    #expect(
      try sequence.draft(nodes: 12, depth: 4) == fresh(weights, target, sequence.tokens))
    // Another end, seen from before the place where it begins.
    let other = Array(longer.prefix(12)) + [40, 41, 42]
    try sequence.begin(other, chunks: [10], cached: 8, then: 16)
    #expect(
      try sequence.draft(nodes: 12, depth: 4) == fresh(weights, target, sequence.tokens))
  }

  @Test("a prompt of which parts were never seen still gets drafts", arguments: [4, 12, 19])
  func gap(cached: Int) throws {
    let target = try EagleGolden.target()
    let weights = try EagleGolden.weights(.eagle1, target: target)
    let sequence = try EagleSequence(target, drafter(weights))
    try sequence.begin(prompt(20), chunks: [], cached: cached, then: 7)
    #expect(try sequence.draft(nodes: 8, depth: 3).count == 8)
    // With another end from exactly there on, the state before it is lost.
    let other = Array(prompt(20).prefix(cached)) + [40, 41, 42]
    try sequence.begin(other, chunks: [], cached: cached, then: 7)
    let tree = try sequence.draft(nodes: 8, depth: 3)
    #expect(tree.count == 8 && tree._checkInvariants() == nil)
  }

  @Test("beyond its capacity it drafts nothing, and again in a shorter sequence")
  func capacity() throws {
    let target = try EagleGolden.target()
    let weights = try EagleGolden.weights(.eagle3, target: target)
    let sequence = try EagleSequence(target, drafter(weights, .chain, capacity: 16))
    try sequence.begin(prompt(12), chunks: [], then: 7)
    // Four rows are left, and the last level needs none.
    #expect(try sequence.draft(nodes: 8, depth: 8).depth == 5)
    try sequence.begin(prompt(20), chunks: [10], then: 7)
    #expect(try sequence.draft(nodes: 8, depth: 8).isEmpty)
    try sequence.begin(prompt(6), chunks: [], then: 7)
    #expect(try sequence.draft(nodes: 8, depth: 8).depth == 6)
  }

  @Test("a cut head proposes of its tokens what the whole one would, in proportion")
  func cut() throws {
    let target = try EagleGolden.target()
    let tokens = (0..<96 as Range<Int32>).filter { $0 % 3 != 1 }
    let whole = try EagleSequence(
      target, drafter(EagleGolden.weights(.eagle1, target: target), .widths([4])))
    let cut = try EagleSequence(
      target,
      drafter(EagleGolden.weights(.eagle1, target: target, tokens: tokens), .widths([4])))
    for sequence in [whole, cut] { try sequence.begin(prompt(9), chunks: [], then: 7) }
    guard case .sampled(let p) = try #require(whole.draft(nodes: 4, depth: 1).proposals.first),
      case .sampled(let q) = try #require(cut.draft(nodes: 4, depth: 1).proposals.first)
    else { throw EagleTestError.notSampled }
    let share = tokens.map { p[$0] }.reduce(0, +)
    let tolerance = 1e-6  // logits are floats
    for token in 0..<96 as Range<Int32> {
      let expected = tokens.contains(token) ? p[token] / share : 0
      #expect(abs(q[token] - expected) < tolerance)
    }
  }

  @Test("speculative output is the plain output", arguments: EagleVersion.allCases)
  func identity(version: EagleVersion) throws {
    let target = try EagleGolden.target()
    let folder = EagleGolden.folder(version)
    let trained = try TrainedDrafter.load(folder: folder, target: target)
    #expect(trained.method == version.rawValue)
    let entry = try #require(DrafterRegistry.entries.first { $0.name == trained.method })
    let shapes: [DraftShape?] = [nil, .chain, .optimal(), .widths([3, 2, 1])]
    var suite = IdentitySuite(
      target: target,
      prompts: (0..<4).map { .init(name: "prompt \($0)", tokens: prompt(3 + 9 * $0, seed: $0)) },
      candidates: shapes.map { shape in
        .init(name: "\(entry.name) \(shape.map { "\($0)" } ?? "by itself")") {
          var settings = $0
          settings.trainedShape = shape
          return [try entry.make(settings)]
        }
      })
    suite.settings.trained = [trained]
    suite.costs = try VerificationCosts(points: [
      .init(rows: 1, seconds: 1), .init(rows: 16, seconds: 2),
    ])
    for result in try suite.run() { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test("sequences that decode together have a drafter each")
  func batch() throws {
    let target = try EagleGolden.target()
    let weights = try EagleVersion.allCases.map { try EagleGolden.weights($0, target: target) }
    let setups = (0..<3).map { prompt(4 + 5 * $0, seed: $0) }
    func generator(_ index: Int, _ drafts: Bool) throws -> SpeculativeGenerator<TransformerModel> {
      let generator = try SpeculativeGenerator(target: target, capacity: 100)
      try generator.begin(
        prompt: setups[index],
        setup: GenerationSetup(
          drafter: drafts ? drafter(weights[index % 2]) : nil, draftLength: .fixed(3),
          draftNodes: 8, limits: GenerationLimits(maxTokens: 30)))
      return generator
    }
    let together = try (0..<3).map { try generator($0, true) }
    while try !SpeculativeGenerator.next(together).allSatisfy({ $0 == nil }) {}
    for index in 0..<3 {
      let plain = try generator(index, false)
      while try plain.next() != nil {}
      #expect(Array(together[index].output) == Array(plain.output))
    }
  }
}

enum EagleTestError: Error { case notSampled }
