import ModelFiles

/// The sizes and losses of one kind of drafter.
public protocol DrafterConfiguration: Codable, Sendable, Equatable {
  /// Whether it learns from the target's states; if not, texts will do.
  var usesStates: Bool { get }
  /// - Throws: `TrainingError.setting`, naming the first setting that makes no sense.
  func check() throws
}

extension DrafterConfiguration {
  public var usesStates: Bool { true }
}

/// All that a configuration file of `nunchi train` can say.
///
///     drafter:
///       steps: 3
///     coverage: 0.98
///     data:
///       prompts: 800
///     run:
///       steps: 2000
///       learningRate: 1e-3
public struct TrainingConfiguration<Drafter: DrafterConfiguration>: Codable, Sendable, Equatable {
  /// The drafter's sizes and losses.
  public var drafter: Drafter
  /// The share of the target's text that the drafter's tokens make up, from 0 to 1; 1 lets it
  /// propose every token.
  public var coverage = 0.96
  /// How often training sees all data; 0: as often as `run.steps` brings about.
  public var epochs = 4.0
  public var data = DataConfiguration()
  public var validation = ValidationConfiguration()
  public var run = RunConfiguration()

  public init(drafter: Drafter) {
    self.drafter = drafter
  }

  public func check() throws {
    try drafter.check()
    try checkRange("coverage", coverage, 0.01...1)
    try checkRange("epochs", epochs, 0...10_000)
    try data.check()
    try validation.check()
    try run.check()
  }
}

/// Where training data come from when none are given: the target answers prompts.
public struct DataConfiguration: Codable, Sendable, Equatable {
  /// Prompts that are drawn from the target itself.
  public var prompts = 600
  /// Answers that a prompt gets, one for each temperature.
  public var temperatures = [0.0, 0.7]
  /// Tokens of an answer at most.
  public var answerTokens = 256
  /// Answers that are decoded together.
  public var batch = 16

  public init() {}

  func check() throws {
    try checkRange("data.prompts", prompts, 1...10_000_000)
    try checkRange("data.answerTokens", answerTokens, 8...65_536)
    try checkRange("data.batch", batch, 1...256)
    guard !temperatures.isEmpty else {
      throw TrainingError.setting(
        name: "data.temperatures", expected: "at least one", found: "none")
    }
    for temperature in temperatures { try checkRange("data.temperatures", temperature, 0...10) }
  }
}

/// What drafters are measured on.
public struct ValidationConfiguration: Codable, Sendable, Equatable {
  /// The share of documents that is held out.
  public var share = 0.05
  /// Tokens that a validation looks at, at most.
  public var tokens = 8192
  /// Held-out prompts that are decoded with the drafter; 0: none.
  public var prompts = 8
  /// Tokens of each of their answers.
  public var answerTokens = 96
  /// The draft length then.
  public var draftLength = 4

  public init() {}

  func check() throws {
    try checkRange("validation.share", share, 0.001...0.5)
    try checkRange("validation.tokens", tokens, 64...10_000_000)
    try checkRange("validation.prompts", prompts, 0...1000)
    try checkRange("validation.answerTokens", answerTokens, 8...4096)
    try checkRange("validation.draftLength", draftLength, 1...32)
  }
}

extension TrainingConfiguration {
  /// Reads a file; what it leaves out stays as it is here.
  /// - Throws: `ModelFileError`, naming file and key, for one that is unknown or of another kind;
  ///   `TrainingError.setting` for a value out of range.
  public mutating func read(yamlFile path: String) throws {
    self = try YAMLSettings.read(self, path: path)
    try check()
  }

  mutating func read(yaml text: String, path: String) throws {
    self = try YAMLSettings.read(self, yaml: text, path: path)
    try check()
  }
}
