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
    /// The same, blended from one pair to another (YaRN, arXiv 2309.00071).
    case yarn(Yarn)
  }

  /// Pairs that turn more than `fastTurns` times within the original context are kept, those that
  /// turn less than `slowTurns` times divided by `factor`.
  public struct Yarn: Sendable, Equatable {
    public var factor: Double
    public var originalContext: Double
    public var fastTurns = 32.0
    public var slowTurns = 1.0
    /// Whether the blend begins and ends at whole pairs.
    public var truncates = true

    /// By how much cosines and sines grow, where a file does not say it: 0.1 · s · ln(factor) + 1.
    static func magnitude(_ factor: Double, scale: Double = 1) -> Double {
      factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }

    /// The share of the divided frequency in a pair's, from 0 to 1.
    func blend(pair: Int, headDim: Int, theta: Double) -> Double {
      /// The pair that turns so often within the original context.
      func place(_ turns: Double) -> Double {
        Double(headDim) * log(originalContext / (turns * 2 * .pi)) / (2 * log(theta))
      }
      var (low, high) = (place(fastTurns), place(slowTurns))
      if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
      (low, high) = (max(low, 0), min(high, Double(headDim - 1)))
      if low == high { high += 0.001 }
      return min(max((Double(pair) - low) / (high - low), 0), 1)
    }
  }

  /// The base of the frequencies.
  public var theta: Double
  public var scaling: Scaling
  /// Multiplies cosines and sines.
  public var magnitude = 1.0

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
      case .yarn(let yarn):
        let blend = yarn.blend(pair: pair, headDim: headDim, theta: theta)
        return blend * frequency / yarn.factor + (1 - blend) * frequency
      }
    }
  }
}

extension RotaryConfiguration {
  /// Reads the rotary fields of a model all of whose layers turn alike.
  /// - Throws: `LanguageModelError` for kinds of scaling that are not supported.
  init(fields: ConfigurationFields, defaultTheta: Double = 10_000) throws {
    switch fields.format {
    case .gguf:
      try self.init(gguf: fields, defaultTheta: defaultTheta)
    case .huggingFace:
      // Written as `rope_parameters` since transformers 5, before that as `rope_scaling`.
      let group =
        fields.names(within: "rope_scaling").isEmpty ? "rope_parameters" : "rope_scaling"
      for name in fields.names(within: group) where name.contains(".") {
        throw fields.invalid(
          "\(group).\(name)", expected: "none (this architecture's layers all turn alike)")
      }
      try self.init(fields: fields, groups: [group], defaultTheta: defaultTheta)
    }
  }

  /// As llama.cpp reads them.
  private init(gguf fields: ConfigurationFields, defaultTheta: Double) throws {
    let name = try fields.string("general.architecture") ?? ""
    let prefix = "\(name).rope."
    let type = prefix + "scaling.type"
    try fields.require(type, oneOf: ["none", "linear", "yarn"])
    for unsupported in ["scaling.alpha", "scaling.yarn_log_multiplier"] {
      try fields.requireAbsent(prefix + unsupported)
    }
    for other in ["scaling.yarn_ext_factor", "scaling.yarn_attn_factor"] {
      try fields.requireOne(prefix + other, "another factor")
    }
    theta = try fields.positive(prefix + "freq_base", default: defaultTheta)
    // The factor had another key once. Zero and nothing stand for 1.
    let key = [prefix + "scaling.factor", prefix + "scale_linear"].first(where: fields.isSet)
    let factor = try key.map { try fields.positive($0) } ?? 1
    magnitude = try fields.positive(prefix + "scaling.attn_factor", default: 1)
    switch try fields.string(type) ?? "linear" {
    case "linear": scaling = factor == 1 ? .none : .linear(factor: factor)
    case "yarn":
      let context = try fields.positive(
        prefix + "scaling.original_context_length",
        default: fields.positive("\(name).context_length"))
      scaling = .yarn(
        Yarn(
          factor: factor, originalContext: context,
          fastTurns: try fields.positive(prefix + "scaling.yarn_beta_fast", default: 32),
          slowTurns: try fields.positive(prefix + "scaling.yarn_beta_slow", default: 1)))
      magnitude *= Yarn.magnitude(factor)
    default: scaling = .none
    }
  }

  /// As transformers reads a `config.json`.
  /// - Parameters:
  ///   - groups: the objects that hold the fields: the first that has a field counts.
  ///   - thetaField: where the base is, if in none of them.
  init(
    fields: ConfigurationFields, groups: [String], theta thetaField: String = "rope_theta",
    defaultTheta: Double
  ) throws {
    func name(_ key: String) -> String {
      let names = groups.map { "\($0).\(key)" }
      return names.first(where: fields.has) ?? names[names.count - 1]
    }
    func number(_ key: String) throws -> Double { try fields.positive(name(key)) }
    for partial in ["partial_rotary_factor", name("partial_rotary_factor")] {
      try fields.requireOne(partial, "partial rotation")
    }
    theta = try fields.positive(
      name("rope_theta"), default: fields.positive(thetaField, default: defaultTheta))
    let type = fields.has(name("rope_type")) ? name("rope_type") : name("type")
    try fields.require(type, oneOf: ["default", "linear", "llama3", "yarn"])
    /// The context that the model knew before it was stretched.
    func originalContext() throws -> Double {
      let field = "original_max_position_embeddings"
      return try fields.positive(
        fields.has(field) ? field : name(field),
        default: fields.positive("max_position_embeddings"))
    }
    switch try fields.string(type) {
    case "linear":
      scaling = .linear(factor: try number("factor"))
    case "llama3":
      let (low, high) = (try number("low_freq_factor"), try number("high_freq_factor"))
      guard low < high else {
        throw fields.invalid(name("high_freq_factor"), expected: "more than \(low)")
      }
      scaling = .llama3(
        factor: try number("factor"), lowFrequencyFactor: low, highFrequencyFactor: high,
        originalContext: try originalContext())
    case "yarn":
      let context = try originalContext()
      let factor = try fields.positive(
        name("factor"), default: fields.positive("max_position_embeddings") / context)
      scaling = .yarn(
        Yarn(
          factor: factor, originalContext: context,
          fastTurns: try fields.positive(name("beta_fast"), default: 32),
          slowTurns: try fields.positive(name("beta_slow"), default: 1),
          truncates: try fields.bool(name("truncate"), default: true)))
      if fields.has(name("attention_factor")) {
        magnitude = try number("attention_factor")
      } else if fields.isSet(name("mscale")), fields.isSet(name("mscale_all_dim")) {
        magnitude =
          try Yarn.magnitude(factor, scale: number("mscale"))
          / Yarn.magnitude(factor, scale: number("mscale_all_dim"))
      } else {
        magnitude = Yarn.magnitude(factor)
      }
    case nil where fields.has(name("factor")):
      throw fields.invalid(
        name("rope_type"), expected: "'linear', 'llama3' or 'yarn' beside a factor")
    default:
      scaling = .none
    }
  }
}
