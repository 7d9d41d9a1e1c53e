/// How n-gram language models are counted.
public struct NGramConfiguration: Codable, Sendable, Equatable {
  /// The longest context in tokens, 1 to 4.
  public var context = 4
  /// Contexts of two tokens and more that stand less often in the text are left out.
  public var minimumCount = 2
  /// The most successors kept of a context.
  public var width = 4
  /// Successors less probable than this are left out.
  public var minimumProbability = 0.05
  /// The most tokens of a language's texts, to see what more of them bring; 0 takes all.
  public var tokens = 0
  /// The share of the documents that are held out, to measure with.
  public var heldOut = 0.03
  public var seed: UInt64 = 0

  public init() {}

  /// - Throws: `TrainingError.setting`.
  public func check() throws {
    try checkRange("context", context, 1...4)
    try checkRange("minimumCount", minimumCount, 1...1_000_000)
    try checkRange("width", width, 1...64)
    try checkRange("minimumProbability", minimumProbability, 0...1)
    try checkRange("tokens", tokens, 0...Int(Int32.max) - 1)
    try checkRange("heldOut", heldOut, 0...0.9)
  }

  var options: [String: String] {
    [
      "longest context": "\(context)", "least count of a context": "\(minimumCount)",
      "successors of a context": "\(width)", "least probability": "\(minimumProbability)",
      "most tokens": tokens > 0 ? "\(tokens)" : "all", "held out": "\(heldOut)",
    ]
  }
}
