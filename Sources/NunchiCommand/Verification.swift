import Drafters
import Evaluation
import Foundation
import LanguageModels
import Losslessness
import Nunchi
import Tokenization

/// The suites of `nunchi verify` on one model.
struct Verification {
  typealias Identity = IdentitySuite<TransformerModel>

  private let model: Model
  private let isQuick: Bool
  private var identity: Identity
  private let prompts: [Identity.Prompt]

  /// - Parameters:
  ///   - choice: what the drafters draft with.
  ///   - drafters: as `NamedDrafter` takes them; empty takes all that have what they need.
  /// - Throws: when a named drafter lacks something, or the draft model does not fit.
  init(model: Model, choice: DrafterChoice, drafters: [String], isQuick: Bool) throws {
    self.model = model
    self.isQuick = isQuick
    prompts = Self.prompts(for: model)
    identity = Identity(
      target: model.transformer, prompts: prompts,
      candidates: try Self.candidates(named: drafters, choice, for: model))
    identity.settings = try choice.settings(for: model)
    identity.costs = try model.verificationCosts()
    identity.stopTokens = model.tokenizer.endOfGeneration
    identity.maxTokens = isQuick ? 16 : 32
    identity.passes = isQuick ? 1 : identity.samplings.count
    let megabytes = Double(model.transformer.weightBytesPerPass) / 1e6
    identity.secondsLimit = isQuick ? 14 : min(300, 80 + megabytes * 0.2)
    identity.textFault = { [tokenizer = model.tokenizer] steps in
      var detokenizer = StreamingDetokenizer(tokenizer: tokenizer)
      var text = ""
      for token in steps.joined() { text += detokenizer.append(token) }
      text += detokenizer.finish()
      let whole = tokenizer.decode(steps.joined())
      // As bytes: Swift's == takes composed and decomposed characters for equal.
      return text.utf8.elementsEqual(whole.utf8)
        ? nil : "expected the text \(whole.debugDescription), streamed \(text.debugDescription)"
    }
  }

  /// The results of all suites.
  func run(progress: SuiteProgress) throws -> [SuiteResult] {
    // Known bugs on this very model: its prompts are able to show them.
    let some = isQuick ? Array(prompts.prefix(8)) : prompts
    let planted = BrokenMatching.Bug.allCases.map { bug in
      { ControlSuite.matching(bug, target: model.transformer, prompts: some, on: model.name) }
    }
    var results = try identity.run { progress($0, $1 * 0.6) }
    results += try rows().run { progress($0, 0.6 + $1 * 0.2) }
    results += LawSuite().run { progress($0, 0.8 + $1 * 0.1) }
    results += ControlSuite().run { progress($0, 0.9 + $1 * 0.05) }
    for control in planted {
      progress("known bugs on \(model.name)", 0.95)
      results.append(control())
    }
    return results
  }

  private func rows() throws -> RowInvarianceSuite<TransformerModel> {
    var suite = RowInvarianceSuite(
      model: model.transformer, text: prompts.flatMap(\.tokens))
    suite.secondsLimit = isQuick ? 4 : 40
    if isQuick {
      suite.contexts = [257, 255, 16, 1, 0]
      suite.rowCounts = [1, 2, 3, 5, 8, 16, 17]
      suite.steps = 8
    }
    let own = model.transformer.pool.threads
    let cores = ProcessInfo.processInfo.activeProcessorCount
    suite.twins = try Set([1, 2, 3, cores].filter { $0 <= cores }).subtracting([own]).sorted().map {
      (
        threads: $0,
        model: try TransformerModel(sharing: model.transformer, pool: try ComputePool(threads: $0))
      )
    }
    return suite
  }

  /// Checked drafters, and the reference ones.
  private static func candidates(
    named names: [String], _ base: DrafterChoice, for model: Model
  ) throws -> [Identity.Candidate] {
    let references = DrafterRegistry.entries.filter {
      $0.isReference && ($0.name != "draft-model-tree" || base.draftModel != nil)
    }
    let own = GenerationArguments.drafterNames.filter { name in
      name != "none"
        && (base.draftModel != nil || !GenerationArguments.draftModelDrafters.contains(name))
    }
    return try (names.isEmpty ? own : names).map { name in
      let choice = try choice(of: name, base, for: model)
      if !names.isEmpty { _ = try choice.settings(for: model) }
      return Identity.Candidate(name: name, isOptional: names.isEmpty) { given in
        var settings = try choice.settings(for: model)
        (settings.length, settings.capacity) = (given.length, given.capacity)
        (settings.sequence, settings.seed) = (given.sequence, given.seed)
        return try DrafterRegistry.make(names: choice.names, settings)
      }
    } + references.map { Identity.Candidate($0) }
  }

  /// One drafter, with those of the trained folders that are of its kind.
  private static func choice(
    of name: String, _ base: DrafterChoice, for model: Model
  ) throws -> DrafterChoice {
    let named = NamedDrafter(name)
    var choice = try named.choice(from: base)
    if named.folders.isEmpty, Set(choice.names).isDisjoint(with: ["auto", "affine-tree"]) {
      choice.trainedFolders = try base.trainedFolders.filter {
        choice.names.contains(try model.trainedDrafter(folder: $0).method)
      }
    }
    return choice
  }

  private static func prompts(for model: Model) -> [Identity.Prompt] {
    var prompts = VerificationPrompts.texts.map {
      Identity.Prompt(name: $0.name, tokens: model.tokens(of: $0.text))
    }
    // Long enough for the output to cross the boundary between two pieces of a forward pass.
    let length = TransformerModel.chunkRows - 6
    let long = Array(prompts.flatMap(\.tokens).prefix(length))
    if model.tokenizer.chatTemplate != nil {
      for message in VerificationPrompts.messages {
        let messages = [ChatMessage(role: "user", content: message.text)]
        // A template that fails is no matter of speculation.
        guard let tokens = try? model.tokens(of: messages) else { continue }
        prompts.insert(Identity.Prompt(name: message.name, tokens: tokens), at: 3)
      }
    }
    prompts.insert(Identity.Prompt(name: "long", tokens: long), at: 2)
    return prompts.filter { !$0.tokens.isEmpty }
  }
}
