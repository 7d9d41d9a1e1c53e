import Drafters
import LanguageModels
import Sampling
import Speculation
import Tokenization

/// How to generate text.
public struct GenerationOptions: Sendable {
  public var drafter: DrafterChoice
  /// The draft length; nil adapts it to recent acceptance, up to 10 tokens.
  public var draftLength: Int?
  public var rule: any AcceptanceRule
  public var sampling: SamplingParameters
  /// The most tokens to generate; nil goes on until the model ends, or the context is full.
  public var maxTokens: Int?
  /// Texts that end the output. They are not part of it.
  public var stop: [String]
  /// Whether to go on after tokens that end a text or turn. For measurements only.
  public var ignoresEndOfText: Bool

  public init(
    drafter: DrafterChoice = .none, draftLength: Int? = nil,
    rule: any AcceptanceRule = SampleAndMatch(), sampling: SamplingParameters = .greedy,
    maxTokens: Int? = 256, stop: [String] = [], ignoresEndOfText: Bool = false
  ) {
    self.drafter = drafter
    self.draftLength = draftLength
    self.rule = rule
    self.sampling = sampling
    self.maxTokens = maxTokens
    self.stop = stop
    self.ignoresEndOfText = ignoresEndOfText
  }

  /// The longest draft when the length adapts.
  static let longestAdaptiveDraft = 10

  /// The same in terms of tokens, for one target and the capacity of its cache.
  /// - Throws: `SpeculationError` or `NunchiError.vocabularyMismatch`.
  func setup(for target: Model, capacity: Int) throws -> GenerationSetup {
    if let length = draftLength, length < 0 {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "0 or more", found: "\(length)")
    }
    let longest = draftLength ?? Self.longestAdaptiveDraft
    return GenerationSetup(
      // Length 0 never drafts, whoever would.
      drafter: longest == 0
        ? nil : try drafter.make(for: target, length: longest, capacity: capacity),
      draftLength: draftLength == nil ? .adaptive(maximum: longest) : .fixed(longest),
      rule: rule, sampling: sampling,
      limits: GenerationLimits(
        maxTokens: maxTokens,
        stopTokens: ignoresEndOfText ? [] : target.tokenizer.endOfGeneration))
  }
}

/// Who drafts.
public struct DrafterChoice: Sendable {
  /// A name of `DrafterRegistry`.
  public var name: String
  /// The model of the draft-model drafter.
  public var draftModel: Model?
  /// Settings of prompt lookup; its length is that of the options.
  public var promptLookup = PromptLookupDrafter.Configuration()
  /// Ends a draft model's draft where its largest probability is lower than this.
  public var minimumConfidence: Double?

  /// - Parameter name: a name of `DrafterRegistry`; checked when the generation begins.
  public init(named name: String, draftModel: Model? = nil) {
    self.name = name
    self.draftModel = draftModel
  }

  /// Plain decoding.
  public static let none = DrafterChoice(named: "none")

  /// Continues where the last tokens stood before. Pays where output repeats input.
  public static let promptLookup = DrafterChoice(named: "prompt-lookup")

  /// A smaller model of the same vocabulary. Load it with `Model.loadCompanion`.
  public static func draftModel(_ model: Model, minimumConfidence: Double? = nil) -> DrafterChoice {
    var choice = DrafterChoice(named: "draft-model", draftModel: model)
    choice.minimumConfidence = minimumConfidence
    return choice
  }

  func make(for target: Model, length: Int, capacity: Int) throws -> (any Drafter)? {
    if name == "none" { return nil }
    if let draftModel, let reason = target.vocabularyMismatch(with: draftModel) {
      throw NunchiError.vocabularyMismatch(
        target: target.name, draft: draftModel.name, reason: reason)
    }
    var settings = DrafterSettings(
      length: length, capacity: capacity, draftModel: draftModel?.transformer)
    settings.target = target.transformer
    settings.promptLookup = promptLookup
    settings.minimumConfidence = minimumConfidence
    return try DrafterRegistry.make(name, settings)
  }
}
