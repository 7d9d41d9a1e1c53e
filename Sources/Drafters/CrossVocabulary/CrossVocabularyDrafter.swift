import LanguageModels
import Sampling
import Speculation

/// Speculative decoding with a draft model whose vocabulary is not the target's (Timor et al.,
/// 2502.05202). It drafts a chain.
///
/// The target's sequence is kept in the draft model's tokens as well (`Translation`). Drafts come
/// back in one of two ways. With *string-level exact match* the model writes in its own tokens, and
/// the text is encoded in the target's: any language works, but a draft is one guess, without q.
/// With *token-level intersection* the model chooses among the tokens of both vocabularies: q is
/// known, but text that the target's vocabulary cuts otherwise is out of reach. Left to itself, the
/// drafter takes the intersection when sampling, as long as most of the recent text lies in it.
public final class CrossVocabularyDrafter<Model: LanguageModel>: Drafter {
  public let name = "cross-vocabulary"
  public let model: Model
  public let bridge: VocabularyBridge
  public let configuration: CrossVocabularyConfiguration

  let sequence: ModelSequence<Model>
  /// The sequence in the draft model's tokens.
  var translation: Translation
  /// The sequence in the tokens that the target's vocabulary would give its text: where they
  /// still may change, drafts join in.
  var canonical: Translation

  /// The share of the recent tokens that must lie in both vocabularies for TLI, and how many
  /// tokens are recent.
  static var leastCoverage: Double { 0.6 }
  static var recentTokens: Int { 64 }

  /// - Parameter capacity: the most target tokens of a sequence; at most the model's context is
  ///   used.
  /// - Throws: `SpeculationError`, when the bridge is not that of the model.
  public init(
    model: Model, capacity: Int, configuration: CrossVocabularyConfiguration = .init()
  ) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "1 or more", found: "\(configuration.length)")
    }
    let bridge = configuration.bridge ?? VocabularyBridge(sharedSize: model.vocabularySize)
    // Models may pad their vocabulary.
    guard bridge.draft.size <= model.vocabularySize else {
      throw SpeculationError.incompatibleModel(
        expected: "\(bridge.draft.size) tokens or more, as in its vocabulary",
        found: "\(model.vocabularySize)")
    }
    self.model = model
    self.bridge = bridge
    self.configuration = configuration
    // A vocabulary made for other languages takes a few tokens where the target takes one. Memory
    // is only taken as it is used.
    let (room, overflow) = capacity.multipliedReportingOverflow(by: 4)
    sequence = try ModelSequence(model: model, capacity: overflow ? .max : room)
    translation = Translation(
      from: bridge.target, to: bridge.draft, counterparts: bridge.draftTokens)
    canonical = Translation(from: bridge.target, to: bridge.target, counterparts: nil)
  }

  public func begin(prompt: [Int32]) throws {
    translation.update(to: prompt)
    canonical.update(to: prompt)
    try sequence.prepare(translation.tokens)
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    let length = min(configuration.length, budget.depth, budget.nodes)
    guard length > 0 else { return DraftTree() }
    translation.update(to: context.tokens)
    try (model as? any TextFollowing)?.follow(translation.tokens)
    return switch method(for: context) {
    case .tli: try draftTokens(after: context, length: length)
    case .slem, .auto: try draftText(after: context, length: length)
    }
  }

  /// The way to draft here.
  private func method(for context: DraftContext) -> CrossVocabularyConfiguration.Method {
    // A cut head has not the tokens that both vocabularies share.
    guard model.headTokens == nil else { return .slem }
    guard configuration.method == .auto else { return configuration.method }
    if context.sampler.parameters.isGreedy { return .slem }
    return coverage(of: context.tokens) >= Self.leastCoverage ? .tli : .slem
  }

  /// The share of the last tokens that the draft model's vocabulary has, too.
  private func coverage(of tokens: [Int32]) -> Double {
    let recent = tokens.suffix(Self.recentTokens)
    let shared = recent.count {
      bridge.draftTokens.indices.contains(Int($0)) && bridge.draftTokens[Int($0)] >= 0
    }
    return Double(shared) / Double(max(1, recent.count))
  }
}
