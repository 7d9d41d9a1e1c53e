/// How a training run goes, whatever it trains.
public struct RunConfiguration: Codable, Equatable, Sendable {
  /// Updates of the weights; 0 only prepares them.
  public var steps = 1000
  /// Tokens that a trainer puts into one micro-batch, about.
  public var batchTokens = 2048
  /// Micro-batches whose gradients are averaged for one update.
  public var accumulation = 1
  /// The highest learning rate.
  public var learningRate = 1e-3
  /// The last learning rate as a share of the highest.
  public var minimumRateShare = 0.1
  /// The share of the steps in which the rate rises to its highest.
  public var warmupShare = 0.05
  public var beta1 = 0.9
  public var beta2 = 0.95
  public var epsilon = 1e-8
  public var weightDecay = 0.01
  /// The longest that the gradient may be, all parameters together; 0: any length.
  public var clip = 1.0
  public var seed: UInt64 = 1
  /// Time between checkpoints; 0: one after every step.
  public var checkpointMinutes = 5.0
  /// Steps between validations, besides those before the first and after the last step; 0: none
  /// at all.
  public var validateEvery = 200
  /// Ends the run after so many validations in a row that were not the best; 0: never.
  public var patience = 0
  /// The figure of the validation that says which weights are the best.
  public var bestFigure = "loss"
  /// Whether the best figure is the highest one, not the lowest.
  public var bestIsHighest = false

  public enum CodingKeys: String, CodingKey, CaseIterable {
    case steps, batchTokens, accumulation, learningRate, minimumRateShare, warmupShare
    case beta1, beta2, epsilon, weightDecay, clip, seed, checkpointMinutes, validateEvery
    case patience, bestFigure, bestIsHighest
  }

  public init() {}

  /// Fields that are missing keep their defaults.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ value: inout Value, _ key: CodingKeys) throws {
      value = try fields.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    try read(&steps, .steps)
    try read(&batchTokens, .batchTokens)
    try read(&accumulation, .accumulation)
    try read(&learningRate, .learningRate)
    try read(&minimumRateShare, .minimumRateShare)
    try read(&warmupShare, .warmupShare)
    try read(&beta1, .beta1)
    try read(&beta2, .beta2)
    try read(&epsilon, .epsilon)
    try read(&weightDecay, .weightDecay)
    try read(&clip, .clip)
    try read(&seed, .seed)
    try read(&checkpointMinutes, .checkpointMinutes)
    try read(&validateEvery, .validateEvery)
    try read(&patience, .patience)
    try read(&bestFigure, .bestFigure)
    try read(&bestIsHighest, .bestIsHighest)
  }

  /// - Throws: `TrainingError.setting` for a value that makes no sense.
  public func check() throws {
    func demand(_ holds: Bool, _ key: CodingKeys, _ expected: String, _ found: Any) throws {
      guard holds else {
        throw TrainingError.setting(
          name: key.stringValue, expected: expected, found: "\(found)")
      }
    }
    try demand(steps >= 0, .steps, "at least 0", steps)
    try demand(batchTokens >= 1, .batchTokens, "at least 1", batchTokens)
    try demand(accumulation >= 1, .accumulation, "at least 1", accumulation)
    try demand(
      learningRate > 0 && learningRate.isFinite, .learningRate, "a number above 0", learningRate)
    try demand(
      (0...1).contains(minimumRateShare), .minimumRateShare, "0 to 1", minimumRateShare)
    try demand((0..<1).contains(warmupShare), .warmupShare, "at least 0, below 1", warmupShare)
    try demand((0..<1).contains(beta1), .beta1, "at least 0, below 1", beta1)
    try demand((0..<1).contains(beta2), .beta2, "at least 0, below 1", beta2)
    try demand(epsilon > 0 && epsilon < 1, .epsilon, "above 0, below 1", epsilon)
    try demand(
      weightDecay >= 0 && weightDecay.isFinite, .weightDecay, "at least 0", weightDecay)
    try demand(clip >= 0 && clip.isFinite, .clip, "at least 0", clip)
    try demand(
      checkpointMinutes >= 0 && checkpointMinutes.isFinite, .checkpointMinutes, "at least 0",
      checkpointMinutes)
    try demand(validateEvery >= 0, .validateEvery, "at least 0", validateEvery)
    try demand(patience >= 0, .patience, "at least 0", patience)
  }

  /// The learning rates of the run.
  public var schedule: LearningRateSchedule {
    LearningRateSchedule(
      peak: learningRate, minimumShare: minimumRateShare,
      warmupSteps: Int((warmupShare * Double(steps)).rounded()), steps: steps)
  }

  /// The optimizer's options.
  public var optimizer: AdamW.Options {
    AdamW.Options(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
  }
}
