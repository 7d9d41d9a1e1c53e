import Foundation

/// How positions turn into rotation angles (RoFormer, arXiv 2104.09864).
public struct RotaryConfiguration: Sendable, Equatable {
  public enum Scaling: Sendable, Equatable {
    case none
    /// All frequencies are divided by `factor`.
    case linear(factor: Double)
    /// Low frequencies are divided by `factor`, high ones kept, those between blended
    /// (Llama 3.1).
    case llama3(
      factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
      originalContext: Double)
  }

  /// The base of the frequencies.
  public var theta: Double
  public var scaling: Scaling

  public init(theta: Double, scaling: Scaling = .none) {
    self.theta = theta
    self.scaling = scaling
  }

  /// Radians per position of each pair: (headDim / 2).
  public func frequencies(headDim: Int) -> [Double] {
    (0..<headDim / 2).map { pair in
      let frequency = pow(theta, -Double(2 * pair) / Double(headDim))
      switch scaling {
      case .none: return frequency
      case .linear(let factor): return frequency / factor
      case .llama3(let factor, let low, let high, let context):
        let turns = context * frequency / (2 * .pi)  // within the original context
        if turns < low { return frequency / factor }
        if turns > high { return frequency }
        let blend = (turns - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    }
  }
}

extension RotaryConfiguration {
  /// Reads the model's rotary fields.
  /// - Parameter kind: the part of Hugging Face's `rope_parameters` to read where it has one for
  ///   each kind of layer, such as `full_attention`.
  /// - Throws: `LanguageModelError` for kinds of scaling that are not supported.
  init(fields: ConfigurationFields, kind: String? = nil, defaultTheta: Double) throws {
    switch fields.format {
    case .gguf:
      let name = try fields.string("general.architecture") ?? ""
      let type = "\(name).rope.scaling.type"
      try fields.require(type, oneOf: ["none", "linear"])
      theta = try fields.positive("\(name).rope.freq_base", default: defaultTheta)
      scaling =
        try fields.string(type) == "linear"
        ? .linear(factor: try fields.positive("\(name).rope.scaling.factor")) : .none
    case .huggingFace:
      // Written as `rope_parameters` since transformers 5, before that as `rope_scaling`.
      let group =
        if let kind, fields.has("rope_parameters.\(kind).rope_theta") {
          "rope_parameters.\(kind)"
        } else if fields.has("rope_parameters.rope_theta") {
          "rope_parameters"
        } else {
          "rope_scaling"
        }
      theta = try fields.positive(
        "\(group).rope_theta", default: fields.positive("rope_theta", default: defaultTheta))
      let type = fields.has("\(group).rope_type") ? "\(group).rope_type" : "\(group).type"
      try fields.require(type, oneOf: ["default", "linear", "llama3"])
      switch try fields.string(type) {
      case "linear":
        scaling = .linear(factor: try fields.positive("\(group).factor"))
      case "llama3":
        let low = try fields.positive("\(group).low_freq_factor")
        let high = try fields.positive("\(group).high_freq_factor")
        guard low < high else {
          throw fields.invalid("\(group).high_freq_factor", expected: "more than \(low)")
        }
        scaling = .llama3(
          factor: try fields.positive("\(group).factor"), lowFrequencyFactor: low,
          highFrequencyFactor: high,
          originalContext: try fields.positive("\(group).original_max_position_embeddings"))
      default:
        scaling = .none
      }
    }
  }
}
