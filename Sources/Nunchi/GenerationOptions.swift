import Drafters
import LanguageModels
import Sampling
import Speculation
import Tokenization

/// How to generate text.
public struct GenerationOptions: Sendable {
  public var drafter: DrafterChoice
  /// The draft length; nil leaves it to a controller that knows what drafting costs and brings.
  public var draftLength: Int?
  public var rule: any AcceptanceRule
  public var sampling: SamplingParameters
  /// The most tokens to generate; nil goes on until the model ends, or the context is full.
  public var maxTokens: Int?
  /// Texts that end the output. They are not part of it.
  public var stop: [String]
  /// Whether to go on after tokens that end a text or turn. For measurements only.
  public var ignoresEndOfText: Bool
  /// Told, before each part of a prompt that is computed in several, how many of its tokens are
  /// computed and how many are to be. Called on the generation's thread.
  public var promptProgress: @Sendable (_ computed: Int, _ total: Int) -> Void = { _, _ in }

  public init(
    drafter: DrafterChoice = .auto, draftLength: Int? = nil,
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

  /// The most probable token, always: what `GenerationOptions()` does, by name.
  public static let greedy = GenerationOptions()

  /// Draws tokens at random, by their probabilities.
  ///
  ///     try await model.respond(to: "Why?", options: .sampling(temperature: 0.8))
  ///
  /// - Parameters: as those of `SamplingParameters` and `GenerationOptions`.
  /// - Throws: `SamplingError.invalidParameter` naming the first parameter out of range.
  public static func sampling(
    temperature: Double = 1, topK: Int = 0, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1, seed: UInt64? = nil, maxTokens: Int? = 256
  ) throws -> GenerationOptions {
    GenerationOptions(
      sampling: try SamplingParameters(
        temperature: temperature, topK: topK, topP: topP, minP: minP,
        repetitionPenalty: repetitionPenalty, seed: seed),
      maxTokens: maxTokens)
  }

  /// The same in terms of tokens.
  func setup(for target: Model, session: DraftSession?) -> GenerationSetup {
    GenerationSetup(
      drafters: session?.drafters ?? [], draftLength: session?.draftLength ?? .fixed(0),
      rule: rule, sampling: sampling,
      limits: GenerationLimits(
        maxTokens: maxTokens,
        stopTokens: ignoresEndOfText ? [] : target.tokenizer.endOfGeneration))
  }

  /// Drafters for a target and the capacity of its cache; nil where nobody drafts.
  /// - Throws: `SpeculationError`, or `LanguageModelError` when memory is short.
  func takeSession(for target: Model, capacity: Int) throws -> DraftSession? {
    if let length = draftLength, length < 0 {
      throw SpeculationError.invalidSetting(
        name: "draft length", expected: "0 or more", found: "\(length)")
    }
    // Length 0 never drafts, whoever would.
    guard draftLength != 0, drafter.names != ["none"] else { return nil }
    return try drafter.sessions.take(for: target, length: draftLength, capacity: capacity) {
      let drafters = try drafter.make(for: target, length: draftLength, capacity: capacity)
      let policy: DraftLengthPolicy =
        if let draftLength {
          .fixed(draftLength)
        } else {
          .controlled(SpeedController(costs: try target.verificationCosts()))
        }
      return DraftSession(
        target: target, drafters: drafters, draftLength: policy, length: draftLength,
        capacity: capacity)
    }
  }
}

/// Who drafts. Generations with the same choice, or copies of it, share what its drafters learn.
public struct DrafterChoice: Sendable {
  /// Names of `DrafterRegistry`; several grow one tree.
  public var names: [String] { didSet { sessions = DraftSessions() } }
  /// The model of the draft-model drafter.
  public var draftModel: Model? { didSet { sessions = DraftSessions() } }
  /// The folders of trained drafters, each of another method, or several tiny language models,
  /// among which the text chooses; a method that has none takes one that is shipped or was trained
  /// here for the target, where a name asks for it or `auto` finds it.
  public var trainedFolders: [String] = [] { didSet { sessions = DraftSessions() } }
  /// Whether `auto` drafts with trained drafters that are at hand.
  public var usesTrained = true { didSet { sessions = DraftSessions() } }
  /// The affine-aligned draft tree with the files that it names; nil grows it by the draft model's
  /// own probabilities.
  public var affineTree: AffineTreeConfiguration? { didSet { sessions = DraftSessions() } }
  /// Settings of the drafters. Length, capacity and models are filled in from the options.
  public var settings = DrafterSettings() { didSet { sessions = DraftSessions() } }
  private(set) var sessions = DraftSessions()

  /// - Parameter name: names of `DrafterRegistry`, divided by commas, or `auto`; checked when the
  ///   generation begins.
  public init(named name: String, draftModel: Model? = nil) {
    names = name.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    self.draftModel = draftModel
  }

  /// The names, divided by commas.
  public var name: String { names.joined(separator: ",") }

  /// The same drafters, who have learned nothing yet: neither they nor their controller know of an
  /// earlier generation. Stores of past outputs and corrections are as they are now, and what these
  /// drafters learn stays in memory: a measurement writes no file of its user's.
  public func fresh() -> DrafterChoice {
    var choice = self
    choice.settings.suffixStore = settings.suffixStore?.copy()
    choice.settings.adaptation = settings.adaptation?.copy()
    choice.sessions = DraftSessions()
    return choice
  }

  /// Plain decoding.
  public static let none = DrafterChoice(named: "none")

  /// Everything that needs no further file, as far as it pays.
  public static let auto = DrafterChoice(named: "auto")

  /// Continues where the last tokens stood before. Pays where output repeats input.
  public static let promptLookup = DrafterChoice(named: "prompt-lookup")

  /// A smaller model, best of the same vocabulary; one of another drafts by its text. Load it
  /// with `Model.loadCompanion`.
  public static func draftModel(
    _ model: Model, _ configuration: DraftModelConfiguration = DraftModelConfiguration()
  ) -> DrafterChoice {
    var choice = DrafterChoice(named: "draft-model", draftModel: model)
    choice.settings.draftModelConfiguration = configuration
    return choice
  }

  func make(for target: Model, length: Int?, capacity: Int) throws -> [any Drafter] {
    var settings = try settings(for: target)
    settings.length = length
    settings.capacity = capacity
    for (path, vocabulary) in [
      settings.datastore.map { ($0.path, $0.summary.vocabulary) },
      settings.suffixStore.map { ($0.path, $0.vocabulary) },
    ].compactMap({ $0 }) where vocabulary != target.vocabularyFingerprint {
      throw StoreError.otherVocabulary(path: path)
    }
    return try DrafterRegistry.make(names: names, settings)
  }

  /// The settings with all that belongs to a target: itself, its trained drafter, the draft model,
  /// and the bridge to a draft model of another vocabulary.
  /// - Throws: `NunchiError.noTrainedDrafter`, or what is wrong with a trained drafter's files.
  public func settings(for target: Model) throws -> DrafterSettings {
    var settings = settings
    settings.target = target.transformer
    if settings.trained.isEmpty { settings.trained = try trained(for: target) }
    settings.draftModel = draftModel?.transformer
    if let affineTree, let draft = draftModel?.transformer ?? settings.tinyLM {
      settings.affineTree = try AffineTree(
        affineTree, draft: draft, target: target.transformer,
        vocabulary: target.vocabularyFingerprint)
    }
    if let draftModel, target.vocabularyMismatch(with: draftModel) != nil {
      settings.crossVocabulary.bridge = target.vocabularyBridge(to: draftModel)
    }
    return settings
  }

  private func trained(for target: Model) throws -> [TrainedDrafter] {
    let methods = names.filter(DrafterRegistry.trained.contains)
    let takesAny = names.contains("auto")
    var found: [TrainedDrafter] = []
    for folder in trainedFolders where takesAny || !methods.isEmpty || names.contains("affine-tree")
    {
      let drafter = try target.trainedDrafter(folder: folder)
      guard takesAny || methods.isEmpty || methods.contains(drafter.method) else {
        throw NunchiError.noTrainedDrafter(
          method: methods.joined(separator: ", "), model: target.name,
          found: "\(drafter.method) in \(folder)")
      }
      found.append(drafter)
    }
    for method in methods where !found.contains(where: { $0.method == method }) {
      guard let drafter = try target.trainedDrafter(method: method) else {
        throw NunchiError.noTrainedDrafter(method: method, model: target.name, found: "none")
      }
      found.append(drafter)
    }
    if takesAny, usesTrained, trainedFolders.isEmpty, methods.isEmpty {
      found += try target.automaticDrafters()
    }
    return found
  }
}
