import LanguageModels
import Speculation

/// What drafters are made from. Each takes what it needs.
public struct DrafterSettings: Sendable {
  /// The most tokens of a draft; nil leaves each drafter its default.
  public var length: Int?
  /// The most tokens of a sequence.
  public var capacity: Int
  public var promptLookup = PromptLookupDrafter.Configuration()
  public var recycling = RecyclingDrafter.Configuration()
  public var suffix = SuffixDrafter.Configuration()
  /// Past outputs for the suffix drafter to match in, if it is to.
  public var suffixStore: SuffixStore?
  public var nGram = NGramDrafter.Configuration()
  public var retrieval = RetrievalDrafter.Configuration()
  /// What the retrieval drafter retrieves from.
  public var datastore: Datastore?
  public var lookahead = LookaheadDrafter.Configuration()
  public var layerSkip = LayerSkipConfiguration()
  /// The target itself, for drafters that run parts of it.
  public var target: (any LanguageModel)?
  /// The small model of the draft-model drafter.
  public var draftModel: (any LanguageModel)?
  public var draftModelConfiguration = DraftModelConfiguration()
  /// What the draft model's output head is cut to, by the language of the text; nil leaves it whole.
  public var draftVocabularies: DraftVocabularies?
  /// Of the affine-aligned draft tree; nil grows it by the draft model's own probabilities.
  public var affineTree: AffineTree?
  /// For experiments that know what will be generated.
  public var knownText: KnownText?
  /// What the trained drafters draft with. Among several tiny language models the text chooses.
  public var trained: [TrainedDrafter] = []
  /// What a tiny language model learns while it drafts; nil lets it stay as it is.
  public var adaptation: HeadAdaptation?
  /// How the tree of a trained drafter grows; nil leaves each its own.
  public var trainedShape: DraftShape?
  /// Of a draft model with another vocabulary; its length and confidence are those here.
  public var crossVocabulary = CrossVocabularyConfiguration()
  /// Prompt and plain output, for the reference drafters.
  public var sequence: [Int32] = []
  public var seed: UInt64 = 0

  /// The model of a trained drafter that is a tiny language model.
  public var tinyLM: TransformerModel? {
    trained.lazy.compactMap { ($0.weights as? TinyLM)?.model }.first
  }

  /// The draft model as it drafts for one sequence.
  var draftingModel: (any LanguageModel)? {
    guard let draftVocabularies, let model = draftModel as? TransformerModel else {
      return draftModel
    }
    return LanguageHeadModel(model, draftVocabularies)
  }

  public init(length: Int? = nil, capacity: Int = 4096, draftModel: (any LanguageModel)? = nil) {
    self.length = length
    self.capacity = capacity
    self.draftModel = draftModel
  }
}

/// All drafters by name. A new one is one more entry, and thereby joins the losslessness tests.
public enum DrafterRegistry {
  public struct Entry: Sendable {
    public let name: String
    /// One line for help texts.
    public let summary: String
    /// Whether it exists to test the engine, not to speed it up.
    public var isReference = false
    public let make: @Sendable (DrafterSettings) throws -> any Drafter
  }

  public static let entries: [Entry] =
    [
      Entry(name: "none", summary: "plain decoding, one token at a time") { _ in EmptyDrafter() },
      Entry(name: "prompt-lookup", summary: "continue where the last tokens stood before") {
        var configuration = $0.promptLookup
        if let length = $0.length { configuration.length = length }
        return try PromptLookupDrafter(configuration)
      },
      .recycling,
      .suffix,
      .rest,
      .lookahead,
      .draftModel,
      .affineTree,
      .crossVocabulary,
      .layerSkip,
      .earlyExit,
      Entry(name: "oracle", summary: "knows the output: all accepted", isReference: true) {
        OracleDrafter(sequence: $0.sequence)
      },
      Entry(name: "always-wrong", summary: "knows it and avoids it", isReference: true) {
        AlwaysWrongDrafter(sequence: $0.sequence)
      },
      Entry(name: "random-chain", summary: "random chains", isReference: true) {
        RandomDrafter(seed: $0.seed, width: 1, sequence: $0.sequence)
      },
      Entry(name: "random-tree", summary: "random trees", isReference: true) {
        RandomDrafter(seed: $0.seed, sequence: $0.sequence)
      },
      .draftModelTree,
    ] + trainedEntries

  /// What `auto` stands for: drafters that need no further file or model and pay somewhere, and
  /// before them the trained ones that there are.
  public static let automatic = ["suffix", "recycling"]

  /// The drafters of several names, `auto` among them or not; each is made once. A draft model
  /// with a bridge to another vocabulary drafts across it.
  /// - Throws: `SpeculationError`.
  public static func make(names: [String], _ settings: DrafterSettings) throws -> [any Drafter] {
    let crosses = settings.crossVocabulary.bridge != nil
    var made: [String] = []
    let all = settings.trained.map(\.method) + automatic
    for name in names.flatMap({ $0 == "auto" ? all : [$0] }) {
      let name = name == "draft-model" && crosses ? "cross-vocabulary" : name
      if !made.contains(name) { made.append(name) }
    }
    return try made.map { try make($0, settings) }
  }

  /// - Throws: `SpeculationError.unknownDrafter`, or what the drafter finds wrong.
  public static func make(_ name: String, _ settings: DrafterSettings) throws -> any Drafter {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw SpeculationError.unknownDrafter(
        name: name, known: ["auto"] + entries.filter { !$0.isReference }.map(\.name))
    }
    return try entry.make(settings)
  }
}
