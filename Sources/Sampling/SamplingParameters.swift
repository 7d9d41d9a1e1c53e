/// How a token is chosen from logits.
///
/// The steps run in the customary order: repetition penalty, temperature, top-k, top-p, min-p.
public struct SamplingParameters: Sendable, Equatable {
  /// Divides the logits; 0 takes the most probable token (greedy).
  public let temperature: Double
  /// Keeps this many most probable tokens; 0 keeps all.
  public let topK: Int
  /// Keeps the smallest set of most probable tokens whose mass reaches this; 1 keeps all.
  public let topP: Double
  /// Keeps tokens at least this many times as probable as the most probable; 0 keeps all.
  public let minP: Double
  /// Divides positive and multiplies negative logits of recent tokens; 1 leaves them as they are
  /// (Keskar et al., 1909.05858).
  public let repetitionPenalty: Double
  /// How many of the last tokens, prompt included, the repetition penalty looks at.
  public let repetitionWindow: Int
  /// The key of all random numbers; nil takes a new one for each generation.
  public var seed: UInt64?

  /// - Throws: `SamplingError.invalidParameter` naming the first parameter out of range.
  public init(
    temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1, repetitionWindow: Int = 64, seed: UInt64? = nil
  ) throws {
    func check(_ valid: Bool, _ name: String, _ expected: String, _ found: some Any) throws {
      guard valid else {
        throw SamplingError.invalidParameter(
          name: name, expected: expected, found: "\(found)")
      }
    }
    try check(
      temperature.isFinite && temperature >= 0, "temperature", "a number from 0 up", temperature)
    try check(topK >= 0, "top-k", "0 (all) or more", topK)
    try check(topP > 0 && topP <= 1, "top-p", "a number above 0, up to 1", topP)
    try check(minP >= 0 && minP <= 1, "min-p", "a number from 0 to 1", minP)
    try check(
      repetitionPenalty.isFinite && repetitionPenalty > 0, "repetition penalty",
      "a number above 0", repetitionPenalty)
    try check(repetitionWindow >= 0, "repetition window", "0 or more tokens", repetitionWindow)
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.repetitionWindow = repetitionWindow
    self.seed = seed
  }

  private init() {
    temperature = 0
    topK = 0
    topP = 1
    minP = 0
    repetitionPenalty = 1
    repetitionWindow = 64
    seed = nil
  }

  /// The most probable token, always.
  public static let greedy = SamplingParameters()

  /// Whether no random number is used.
  public var isGreedy: Bool { temperature == 0 }
  /// What logits are multiplied by. Finite at a tiny temperature too: the best token's weight would be
  /// exp(0·∞).
  var scale: Float { Float(min(1 / temperature, 1e30)) }

  /// Whether no token of so many is left out, however improbable.
  func keepsAllTokens(of count: Int) -> Bool {
    (topK == 0 || topK >= count) && topP >= 1 && minP <= 0
  }
}
