/// The sizes of an EAGLE drafter and how it is trained.
public struct EagleConfiguration: DrafterConfiguration {
  /// What it starts from: `random` weights, or the folder of a drafter of the same kind for the same
  /// target, which says its sizes, whatever is said below. A drafter of many languages is where one
  /// for a single language is soon learned from.
  public var start = "random"
  /// Columns of the layer's feed-forward part.
  public var intermediate: Int
  public var heads: Int
  public var kvHeads: Int
  public var headSize: Int
  /// How often the drafter goes on from its own state in training, the first time included. More
  /// steps cost as much more time, and help deep drafts.
  public var steps: Int
  /// Step i weighs the i-th power of this.
  public var stepDecay: Double
  /// The state inputs get uniform noise of up to this, states having size 1.
  public var noise: Double
  /// Weight of the distance between predicted and true states. EAGLE-3 has none.
  public var featureWeight: Double
  /// Weight of the cross-entropy between the target's distribution and the drafter's.
  public var tokenWeight: Double
  /// What a token counts that the target did not write, one that it did counting 1.
  public var promptWeight: Double

  public init(
    intermediate: Int, heads: Int, kvHeads: Int, headSize: Int, steps: Int, stepDecay: Double,
    noise: Double, featureWeight: Double, tokenWeight: Double, promptWeight: Double = 0.3
  ) {
    self.intermediate = intermediate
    self.heads = heads
    self.kvHeads = kvHeads
    self.headSize = headSize
    self.steps = steps
    self.stepDecay = stepDecay
    self.noise = noise
    self.featureWeight = featureWeight
    self.tokenWeight = tokenWeight
    self.promptWeight = promptWeight
  }

  var losses: StateLosses {
    StateLosses(
      steps: steps, stepDecay: stepDecay, noise: noise, featureWeight: featureWeight,
      tokenWeight: tokenWeight, promptWeight: promptWeight)
  }

  public func check() throws {
    try checkRange("drafter.intermediate", intermediate, 32...65_536, multipleOf: 32)
    try checkRange("drafter.heads", heads, 1...128)
    try checkRange("drafter.kvHeads", kvHeads, 1...heads)
    try checkRange("drafter.headSize", headSize, 16...256, multipleOf: 16)
    try checkRange("drafter.steps", steps, 1...16)
    try checkRange("drafter.stepDecay", stepDecay, 0...1)
    try checkRange("drafter.noise", noise, 0...10)
    try checkRange("drafter.featureWeight", featureWeight, 0...1000)
    try checkRange("drafter.tokenWeight", tokenWeight, 0...1000)
    try checkRange("drafter.promptWeight", promptWeight, 0...1)
    guard heads % kvHeads == 0 else {
      throw TrainingError.setting(
        name: "drafter.kvHeads", expected: "a divisor of heads, which is \(heads)",
        found: "\(kvHeads)")
    }
    guard heads * headSize % 32 == 0 else {
      throw TrainingError.setting(
        name: "drafter.heads", expected: "heads times headSize to be a multiple of 32",
        found: "\(heads) times \(headSize)")
    }
    guard featureWeight + tokenWeight > 0 else {
      throw TrainingError.setting(
        name: "drafter.tokenWeight", expected: "more than 0, or a featureWeight", found: "0")
    }
  }
}
