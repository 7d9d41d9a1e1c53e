/// The sizes of a tiny language model and how it is trained.
public struct TinyLMConfiguration: DrafterConfiguration {
  /// What it starts from: `random` weights; `target`, the target's own embedding and first layers;
  /// or the folder of a tiny language model. The latter two say its sizes, whatever is said below.
  public var start = "random"
  public var hidden = 256
  public var layers = 4
  public var intermediate = 768
  public var heads = 4
  public var kvHeads = 2
  public var headSize = 64
  /// Weight of the cross-entropy of the text's own tokens.
  public var textWeight = 0.5
  /// Weight of the divergence from the target's distribution; 0 learns from text alone.
  public var targetWeight = 1.0
  /// What a token counts that the target did not write, one that it did counting 1.
  public var promptWeight = 0.1

  public init() {}

  public var usesStates: Bool { targetWeight > 0 }

  var options: [String: String] {
    [
      "start": start, "hidden": "\(hidden)", "layers": "\(layers)",
      "intermediate": "\(intermediate)",
      "heads": "\(heads)", "kv heads": "\(kvHeads)", "head size": "\(headSize)",
      "text weight": "\(textWeight)",
      "target weight": "\(targetWeight)", "prompt weight": "\(promptWeight)",
    ]
  }

  var shape: BlockShape {
    BlockShape(
      hidden: hidden, intermediate: intermediate, heads: heads, kvHeads: kvHeads,
      headSize: headSize)
  }

  public func check() throws {
    try checkRange("drafter.hidden", hidden, 32...8192, multipleOf: 32)
    try checkRange("drafter.layers", layers, 1...64)
    try checkRange("drafter.intermediate", intermediate, 32...65_536, multipleOf: 32)
    try checkRange("drafter.heads", heads, 1...128)
    try checkRange("drafter.kvHeads", kvHeads, 1...heads)
    try checkRange("drafter.headSize", headSize, 16...256, multipleOf: 16)
    try checkRange("drafter.textWeight", textWeight, 0...1000)
    try checkRange("drafter.targetWeight", targetWeight, 0...1000)
    try checkRange("drafter.promptWeight", promptWeight, 0...1)
    guard textWeight + targetWeight > 0 else {
      throw TrainingError.setting(
        name: "drafter.textWeight", expected: "more than 0, or a targetWeight", found: "0")
    }
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
  }
}
