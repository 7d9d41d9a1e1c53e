import Drafters
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

  /// - Parameter drafters: names; empty takes all that need no file of their own.
  /// - Throws: when the draft model does not fit.
  init(model: Model, draftModel: Model?, drafters: [String], isQuick: Bool) throws {
    self.model = model
    self.isQuick = isQuick
    prompts = Self.prompts(for: model)
    identity = Identity(
      target: model.transformer, prompts: prompts,
      candidates: Self.candidates(named: drafters, hasDraftModel: draftModel != nil))
    identity.settings = try DrafterChoice(named: "auto", draftModel: draftModel)
      .settings(for: model)
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
    named names: [String], hasDraftModel: Bool
  ) -> [Identity.Candidate] {
    let own = DrafterRegistry.entries.map(\.name).filter {
      $0 != "none" && (!GenerationArguments.draftModelDrafters.contains($0) || hasDraftModel)
    }
    let references = DrafterRegistry.entries.filter {
      $0.isReference && ($0.name != "draft-model-tree" || hasDraftModel)
    }
    let chosen =
      names.isEmpty
      ? ["auto"] + own.filter { name in !references.contains { $0.name == name } } : names
    return chosen.map { name in
      Identity.Candidate(name: name, isOptional: names.isEmpty) {
        try DrafterRegistry.make(
          names: name.split(separator: ",").map(String.init), $0)
      }
    } + references.map { Identity.Candidate($0) }
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
