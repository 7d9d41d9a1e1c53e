import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

/// What `Scripts/make_eagle_goldens.py` makes: a tiny target, drafters, and what they draft.
struct EagleGolden: Decodable {
  struct Draft: Decodable {
    var token: Int32
    /// ln q of each token; nil where q is 0.
    var logarithms: [Double?]
  }

  var prompt: [Int32]
  /// The target's token after the prompt.
  var first: Int32
  var drafts: [Draft]

  static let goldens = Bundle.module.bundleURL.appendingPathComponent("Goldens")

  static func folder(_ name: String) -> String { goldens.appendingPathComponent(name).path }

  static func folder(_ version: EagleVersion) -> String {
    folder(version == .eagle1 ? "eagle1" : "eagle3")
  }

  static func target(threads: Int = 2) throws -> TransformerModel {
    try TransformerModel(folder: folder("eagle-target"), pool: ComputePool(threads: threads))
  }

  static func read(_ version: EagleVersion) throws -> EagleGolden {
    let url = URL(fileURLWithPath: folder(version)).appendingPathComponent("drafts.json")
    return try JSONDecoder().decode(EagleGolden.self, from: Data(contentsOf: url))
  }

  static func weights(
    _ version: EagleVersion, target: TransformerModel, tokens: [Int32]? = nil, exact: Bool = false
  ) throws -> EagleWeights {
    let folder = folder(version)
    return try EagleWeights(
      EagleCheckpoint(SafetensorsFile(path: folder), fields: ConfigurationFields(folder: folder)),
      target: target, tokens: { tokens }, exact: exact)
  }
}

/// Always the most probable token.
struct MostProbable: Chance {
  func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32 {
    distribution.mostProbable(1).first?.token ?? 0
  }

  func accepts(_ probability: Double, position: Int, draw: Int) -> Bool { probability > 0 }
}

/// A sequence that a target computes and a drafter follows, step by step under a test's control.
final class EagleSequence {
  let target: TransformerModel
  let drafter: EagleDrafter
  private(set) var tokens: [Int32] = []
  private let cache: TransformerCache

  init(_ target: TransformerModel, _ drafter: EagleDrafter) throws {
    self.target = target
    self.drafter = drafter
    cache = try target.makeCache(capacity: 200)
  }

  /// The prompt in chunks, its first `cached` tokens unseen by the drafter, and the token after it.
  func begin(_ prompt: [Int32], chunks: [Int], cached: Int = 0, then first: Int32) throws {
    try drafter.begin(prompt: prompt)
    cache.truncate(to: 0)
    var start = 0
    var last: TargetStates?
    for end in ([cached] + chunks + [prompt.count]).filter({ $0 > 0 }) {
      let output = try target.forward(
        chain: Array(prompt[start..<end]), cache: cache, logits: .none,
        observing: drafter.observing)
      cache.commit(path: Array(0..<end - start))
      let states = TargetStates(output: output, rows: Array(0..<end - start))
      if end > cached { try drafter.observePrompt(states, from: start) }
      last = TargetStates(output: output, rows: [end - start - 1])
      start = end
    }
    tokens = prompt + [first]
    try drafter.commit([first], states: #require(last))
  }

  /// Computes the pending token and a tree, of which a path is accepted, and then another token.
  func step(_ tree: DraftTree, accepting path: [Int], then next: Int32) throws {
    let pending = try #require(tokens.last)
    let rows = tree.rows(after: pending)
    let output = try target.forward(
      tokens: rows.tokens, parents: rows.parents, cache: cache, logits: .none,
      observing: drafter.observing)
    let accepted = [0] + path.map { $0 + 1 }
    cache.commit(path: accepted)
    let new = path.map { tree.tokens[$0] } + [next]
    tokens += new
    try drafter.commit(
      new, states: TargetStates(output: output, rows: accepted, tree: tree))
  }

  /// Drafts with q recorded, always the most probable token.
  func draft(nodes: Int, depth: Int) throws -> DraftTree {
    try drafter.draft(
      after: DraftContext(
        tokens: tokens, vocabularySize: target.vocabularySize,
        sampler: Sampler(SamplingParameters(temperature: 1)), chance: MostProbable(),
        style: .sampled),
      budget: DraftBudget(nodes: nodes, depth: depth))
  }
}
