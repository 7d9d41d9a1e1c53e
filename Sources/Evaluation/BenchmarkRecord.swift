import Nunchi

/// One answer of one configuration.
public struct TurnRecord: Sendable, Equatable, Codable {
  /// Where an output leaves the plain one; nil in place of a token stands for one that has ended.
  public struct Mismatch: Sendable, Equatable, Codable {
    /// The index in the output.
    public var index: Int
    public var expected: Int32?
    public var found: Int32?
  }

  public var statistics: SpeculationStatistics
  /// Characters of the answer, as readers count them.
  public var characters: Int
  /// See `Answer`.
  public var sharedPromptSeconds: Double
  public var ownPromptSeconds: Double
  public var joules: Double?
  public var mismatch: Mismatch?

  /// - Parameter plain: the tokens of plain decoding.
  public init(_ answer: Answer, plain: [Int32]) {
    statistics = answer.statistics
    characters = answer.text.count
    sharedPromptSeconds = answer.sharedPromptSeconds
    ownPromptSeconds = answer.ownPromptSeconds
    joules = answer.joules
    if case .differs(let index, let expected, let found) = OutputComparison(
      expected: plain, found: answer.tokens)
    {
      mismatch = Mismatch(index: index, expected: expected, found: found)
    }
  }
}

/// All answers of one configuration to one question.
public struct QuestionRecord: Sendable, Equatable, Codable {
  public var question: String
  public var category: String
  public var language: String?
  /// From 0.
  public var repetition: Int
  /// The configuration's name.
  public var configuration: String
  public var turns: [TurnRecord]

  public init(
    question: String, category: String, language: String? = nil, repetition: Int = 0,
    configuration: String, turns: [TurnRecord]
  ) {
    self.question = question
    self.category = category
    self.language = language
    self.repetition = repetition
    self.configuration = configuration
    self.turns = turns
  }

  /// Figures of all turns.
  public var statistics: SpeculationStatistics {
    turns.reduce(into: SpeculationStatistics([])) { $0.merge($1.statistics) }
  }

  /// Seconds of prompts and generation.
  public var secondsWithPrompt: Double {
    turns.reduce(0) {
      $0 + $1.sharedPromptSeconds + $1.ownPromptSeconds + $1.statistics.generationSeconds
    }
  }
}

/// What a figure depends on, and is told with it.
public struct BenchmarkConditions: Sendable, Equatable, Codable {
  public var model: String
  /// nil for a model of several files.
  public var modelSHA256: String?
  public var draftModel: String?
  public var draftModelSHA256: String?
  /// The suite's file name.
  public var suite: String
  public var suiteSHA256: String
  /// The SHA-256 of the texts that are asked, of all shards together; nil in runs that did not
  /// record it.
  public var questionsSHA256: String?
  /// What of the suite is asked, in words; nil for all of it.
  public var selection: String?
  /// nil in runs that did not record it, and where a server answers.
  public var drafterMemory: DrafterMemory?
  /// The configurations, without plain decoding.
  public var drafters: [String]
  public var promptForm: PromptForm
  public var maxTokens: Int
  public var temperature: Double
  public var seed: UInt64
  /// What ends an answer.
  public var stopPolicy: String
  public var threads: Int
  public var instructionSet: String
  /// The processor's name, where it is told.
  public var processor: String?
  public var version: String
  /// When the measurement began, in ISO 8601. Does not tell two measurements apart.
  public var date: String

  public init(
    model: String, modelSHA256: String? = nil, draftModel: String? = nil,
    draftModelSHA256: String? = nil, suite: String, suiteSHA256: String,
    questionsSHA256: String? = nil, selection: String? = nil, drafterMemory: DrafterMemory? = nil,
    drafters: [String], promptForm: PromptForm, maxTokens: Int, temperature: Double, seed: UInt64,
    threads: Int, instructionSet: String, version: String, date: String
  ) {
    self.model = model
    self.modelSHA256 = modelSHA256
    self.draftModel = draftModel
    self.draftModelSHA256 = draftModelSHA256
    self.suite = suite
    self.suiteSHA256 = suiteSHA256
    self.questionsSHA256 = questionsSHA256
    self.selection = selection
    self.drafterMemory = drafterMemory
    self.drafters = drafters
    self.promptForm = promptForm
    self.maxTokens = maxTokens
    self.temperature = temperature
    self.seed = seed
    stopPolicy = "the model's end-of-text tokens, or max tokens"
    self.threads = threads
    self.instructionSet = instructionSet
    processor = Machine.processor
    self.version = version
    self.date = date
  }

  // JSONEncoder's snake case takes a run of capitals apart where a digit follows.
  private enum CodingKeys: String, CodingKey {
    case model, modelSHA256 = "modelSha256", draftModel, draftModelSHA256 = "draftModelSha256"
    case suite, suiteSHA256 = "suiteSha256", questionsSHA256 = "questionsSha256", selection
    case drafterMemory, drafters, promptForm, maxTokens, temperature, seed, stopPolicy
    case threads, instructionSet, processor, version, date
  }

  /// What tells a run from others: figures of the same key can stand together.
  var key: String { fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }

  private var fields: [(name: String, value: String)] {
    [
      // The model's bytes tell it, whatever it is called.
      ("model", modelSHA256 ?? model), ("draft model", draftModelSHA256 ?? draftModel ?? "none"),
      ("suite", suiteSHA256), ("questions", questionsSHA256 ?? "not recorded"),
      ("drafters", drafters.joined(separator: " ")),
      ("drafters' memory", drafterMemory?.rawValue ?? "not recorded"),
      ("prompt form", promptForm.rawValue), ("max tokens", "\(maxTokens)"),
      ("temperature", "\(temperature)"), ("seed", "\(seed)"), ("stop policy", stopPolicy),
      ("threads", "\(threads)"), ("instruction set", instructionSet), ("version", version),
    ]
  }
}
