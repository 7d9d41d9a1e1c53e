/// The sizes of Medusa or Hydra heads and how they are trained.
public struct HeadsConfiguration: DrafterConfiguration {
  /// Head i proposes the token i + 1 places after the one that the target itself gives.
  public var heads = 4
  /// Residual blocks of each head.
  public var blocks = 1
  /// Head i weighs the i-th power of this.
  public var headDecay = 0.8
  /// What a token counts that the target did not write, one that it did counting 1.
  public var promptWeight = 0.3

  public init() {}

  var losses: StateLosses {
    StateLosses(
      steps: heads, stepDecay: headDecay, noise: 0, featureWeight: 0, tokenWeight: 1,
      promptWeight: promptWeight)
  }

  var options: [String: String] {
    [
      "heads": "\(heads)", "blocks": "\(blocks)", "head decay": "\(headDecay)",
      "prompt weight": "\(promptWeight)",
    ]
  }

  public func check() throws {
    try checkRange("drafter.heads", heads, 1...16)
    try checkRange("drafter.blocks", blocks, 1...8)
    try checkRange("drafter.headDecay", headDecay, 0...1)
    try checkRange("drafter.promptWeight", promptWeight, 0...1)
  }
}

extension StateTrainer {
  /// A trainer of Medusa heads (2401.10774).
  /// - Throws: `TrainingError.setting` for sizes that make no sense.
  public convenience init(medusa configuration: HeadsConfiguration, setup: StateTraining) throws {
    try configuration.check()
    var random = SeededRandom(seed: setup.seed, stream: .max)
    try self.init(
      MedusaNetwork(
        configuration, hidden: setup.target.hiddenSize, sizes: setup.sizes(of: [.final]),
        random: &random),
      losses: configuration.losses, setup: setup, options: configuration.options)
  }

  /// A trainer of Hydra heads (2402.05109).
  /// - Throws: `TrainingError.setting` for sizes that make no sense.
  public convenience init(hydra configuration: HeadsConfiguration, setup: StateTraining) throws {
    try configuration.check()
    var random = SeededRandom(seed: setup.seed, stream: .max)
    try self.init(
      HydraNetwork(
        configuration, hidden: setup.target.hiddenSize, sizes: setup.sizes(of: [.final]),
        random: &random),
      losses: configuration.losses, setup: setup, options: configuration.options)
  }
}
