import Foundation
import LanguageModels
import Sampling
import Speculation
import Testing

@testable import Drafters

private let prompt: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6]

/// A drafter that has seen a prompt and the target's next token, and what it drafts then.
private func draft(
  _ tiny: TinyDrafter, _ shape: DraftShape?, nodes: Int, depth: Int = 8,
  sampling: SamplingParameters = .greedy, style: ProposalStyle = .matching
) throws -> (tree: DraftTree, weights: any TrainedWeights, state: [Float], pending: Int32) {
  let target = try TinyDrafter.target(threads: 1)
  let trained = try tiny.load(target)
  var settings = DrafterSettings(capacity: 64)
  settings.trained = [trained]
  settings.trainedShape = shape
  let drafter = try DrafterRegistry.make(trained.method, settings)
  drafter.begin(prompt)
  let cache = try target.makeCache(capacity: 64)
  let output = try target.forward(
    chain: prompt, cache: cache, logits: .last, observing: drafter.observing)
  let pending: Int32 = 7
  try drafter.commit([pending], states: TargetStates(output: output, rows: [prompt.count - 1]))
  withExtendedLifetime(cache) {}
  let tree = try drafter.draft(
    after: DraftContext(
      tokens: prompt + [pending], vocabularySize: target.vocabularySize,
      sampler: Sampler(sampling), chance: KeyedRandom(seed: 1), style: style),
    budget: DraftBudget(nodes: nodes, depth: depth))
  #expect(tree._checkInvariants() == nil)
  return (tree, trained.weights, try lastState(target, prompt), pending)
}

extension Drafter {
  fileprivate func begin(_ prompt: [Int32]) {
    do { try begin(prompt: prompt) } catch { Issue.record(error) }
  }
}

private func softmax(_ logits: some Sequence<Float>) -> [Double] {
  let weights = logits.map { Double($0) }
  let highest = weights.max() ?? 0
  let total = weights.map { exp($0 - highest) }.reduce(0, +)
  return weights.map { exp($0 - highest) / total }
}

/// A tree's nodes as paths of tokens.
private func paths(_ tree: DraftTree) -> [[Int32]] {
  var all: [[Int32]] = []
  for node in 0..<tree.count {
    let parent = tree.parents[node]
    all.append((parent == DraftTree.root ? [] : all[parent]) + [tree.tokens[node]])
  }
  return all
}

@Suite struct HeadsTreeTests {
  /// For each head its tokens with their probabilities, most probable first.
  private func ranked(_ heads: MedusaHeads, _ state: [Float]) -> [[(token: Int32, q: Double)]] {
    let logits = RowBuffer(width: heads.heads.count)
    heads.compute(3, after: state, into: logits)
    return (0..<3).map { head in
      softmax(logits.rows[head]).enumerated()
        .map { (heads.heads.vocabulary.tokens?[$0.offset] ?? Int32($0.offset), $0.element) }
        .sorted { $0.q > $1.q }
    }
  }

  @Test(
    "Medusa's tree has the paths of the highest products",
    arguments: [TinyDrafter.medusa, .medusaOriginal], [1, 6, 20])
  func best(tiny: TinyDrafter, nodes: Int) throws {
    let (tree, weights, state, _) = try draft(tiny, nil, nodes: nodes)
    let ranked = ranked(try #require(weights as? MedusaHeads), state)
    var all: [(path: [Int32], q: Double)] = []
    for a in ranked[0].prefix(20) {
      all.append(([a.token], a.q))
      for b in ranked[1].prefix(20) {
        all.append(([a.token, b.token], a.q * b.q))
        for c in ranked[2].prefix(20) {
          all.append(([a.token, b.token, c.token], a.q * b.q * c.q))
        }
      }
    }
    let expected = all.sorted { $0.q > $1.q }.prefix(nodes).map(\.path)
    #expect(Set(paths(tree)) == Set(expected))
    let scores = tree.scores[0] - ranked[0][0].q
    #expect(abs(scores) < 1e-5)
  }

  @Test("a static tree has the public choices' places, by rank")
  func choices() throws {
    let (tree, weights, state, _) = try draft(
      .medusaOriginal, .paths(MedusaChoices.vicuna7B), nodes: 64)
    let ranked = ranked(try #require(weights as? MedusaHeads), state)
    // Three heads: the two nodes of the fourth level are left out.
    let expected = MedusaChoices.vicuna7B.filter { $0.count <= 3 }.map { ranks in
      ranks.enumerated().map { ranked[$0.offset][$0.element].token }
    }
    #expect(tree.count == 61 && Set(paths(tree)) == Set(expected))
  }

  @Test("Hydra's scores are its heads' probabilities along the path")
  func hydra() throws {
    let target = try TinyDrafter.target(threads: 1)
    let (tree, weights, state, pending) = try draft(.hydra, .dynamic(topK: 3), nodes: 20)
    let heads = try #require(weights as? HydraHeads)
    #expect(tree.depth == 3 && tree.count == 20)
    for (node, path) in paths(tree).enumerated() {
      let before = [pending] + path.dropLast()
      let inputs = try before.reduce(state) { try $0 + target.embeddingRows([$1]) }
      let logits = RowBuffer(width: heads.heads.count)
      heads.compute(head: path.count - 1, inputs: inputs, rows: 1, into: logits)
      let q = softmax(logits.rows[0])[Int(tree.tokens[node])]
      #expect(abs(q - tree.scores[node]) < 1e-5)
    }
  }

  @Test("a cut head proposes its own tokens only, sampled or not", arguments: [false, true])
  func cut(isSampled: Bool) throws {
    let sampling = try SamplingParameters(temperature: isSampled ? 2 : 0, seed: 5)
    for style: ProposalStyle in [.matching, .sampled] {
      let (tree, weights, _, _) = try draft(
        .medusa, .widths([8, 4]), nodes: 64, sampling: sampling, style: style)
      let tokens = try #require((weights as? MedusaHeads)?.heads.vocabulary.tokens)
      #expect(tokens.count == 40 && tree.count == 40)
      #expect(tree.tokens.allSatisfy(tokens.contains))
      guard isSampled, style == .sampled, case .sampled(let q) = tree.proposals[0] else { continue }
      for token in 0..<96 as Range<Int32> { #expect((q[token] > 0) == tokens.contains(token)) }
    }
  }

  @Test("nothing is drafted from a state that belongs to another token")
  func stale() throws {
    let target = try TinyDrafter.target(threads: 1)
    for tiny in [TinyDrafter.medusa, .hydra] {
      var settings = DrafterSettings(capacity: 64)
      settings.trained = [try tiny.load(target)]
      let drafter = try DrafterRegistry.make(tiny.rawValue, settings)
      try drafter.begin(prompt: prompt)
      let context = DraftContext(
        tokens: prompt, vocabularySize: 96, sampler: Sampler(.greedy),
        chance: KeyedRandom(seed: 1), style: .matching)
      #expect(try drafter.draft(after: context, budget: DraftBudget(nodes: 4, depth: 4)).isEmpty)
    }
  }
}
