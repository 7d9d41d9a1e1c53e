/// What files call the tensors of Medusa heads, for whoever reads or writes them. h is the target's
/// hidden size.
///
///     let layout = MedusaLayout()
///     layout.block(head: 0, layer: 0)  // "blocks.0.layers.0"
public struct MedusaLayout: Sendable, Equatable {
  public enum Style: Sendable {
    /// vLLM's, in which heads are written here. A head's blocks have biases only if config.json
    /// says so.
    case vllm
    /// FasterDecoding's own: each head is a sequence of blocks and an output matrix.
    case original
  }

  public var style: Style
  /// Before every name.
  public var prefix: String

  public init(style: Style = .vllm, prefix: String = "") {
    self.style = style
    self.prefix = prefix
  }

  /// The layout of a file; nil when it is no known one.
  /// - Parameter layers: residual blocks of a head.
  init?(of tensors: some Collection<String>, layers: Int) {
    for style in [Style.vllm, .original] {
      let bare = MedusaLayout(style: style)
      let wanted =
        (layers > 0 ? bare.block(head: 0, layer: 0) : bare.output(head: 0, layers: 0))
        + ".weight"
      for prefix in ["", "medusa_heads.", "medusa_head."] where tensors.contains(prefix + wanted) {
        self.init(style: style, prefix: prefix)
        return
      }
    }
    return nil
  }

  /// A residual block's linear layer, without `.weight` (h, h) or `.bias` (h).
  public func block(head: Int, layer: Int) -> String {
    switch style {
    case .vllm: "\(prefix)blocks.\(head).layers.\(layer)"
    case .original: "\(prefix)\(head).\(layer).linear"
    }
  }

  /// A head's own output matrix, without `.weight` (vocabulary, h).
  public func output(head: Int, layers: Int) -> String {
    switch style {
    case .vllm: "\(prefix)lm_heads.\(head)"
    case .original: "\(prefix)\(head).\(layers)"
    }
  }

  /// The target's output matrix in vLLM's layout, where `original_lm_head` says that all heads use
  /// it; cut to `tokenMap` where there is one. (tokens, h)
  public static let targetOutput = "lm_head.weight"

  /// The tokens of the output matrices' rows, where they are cut. I64 (tokens)
  public var tokenMap: String { prefix + "token_map" }
}
