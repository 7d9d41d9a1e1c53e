import Drafters
import LanguageModels
import ModelFiles

extension EagleConfiguration {
  /// Sizes for a target: bf16 weights below 30 MB, and a draft step that costs a few per cent of
  /// the target's.
  public static func standard(
    _ version: EagleVersion, for target: ModelConfiguration
  ) -> EagleConfiguration {
    let isWide = target.hiddenSize > 1024
    let headSize = isWide ? 128 : target.headDim
    let heads = isWide ? min(6, target.queryWidth / headSize) : target.headCount
    return EagleConfiguration(
      intermediate: isWide ? 1024 : target.intermediateSize, heads: heads,
      kvHeads: isWide ? min(2, heads) : target.kvHeadCount, headSize: headSize, steps: 3,
      stepDecay: 0.8, noise: version == .eagle1 ? 0.1 : 0,
      featureWeight: version == .eagle1 ? 1 : 0, tokenWeight: 1)
  }

  var options: [String: String] {
    [
      "start": start, "intermediate": "\(intermediate)", "heads": "\(heads)",
      "kv heads": "\(kvHeads)",
      "head size": "\(headSize)", "drafted steps": "\(steps)", "step decay": "\(stepDecay)",
      "noise": "\(noise)", "feature weight": "\(featureWeight)", "token weight": "\(tokenWeight)",
      "prompt weight": "\(promptWeight)",
    ]
  }

  func shape(_ version: EagleVersion, hidden: Int) -> BlockShape {
    BlockShape(
      hidden: hidden, input: version == .eagle1 ? hidden : 2 * hidden,
      intermediate: intermediate, heads: heads, kvHeads: kvHeads, headSize: headSize)
  }

  /// With the sizes of the drafter that it starts from.
  fileprivate func withSizesOfStart() throws -> EagleConfiguration {
    guard let folder = startFolder else { return self }
    let fields = try ConfigurationFields(folder: folder)
    var result = self
    result.intermediate = try fields.int("intermediate_size", in: 32...65_536)
    result.heads = try fields.int("num_attention_heads", in: 1...128)
    result.kvHeads = try fields.int("num_key_value_heads", in: 1...128)
    result.headSize = try fields.int("head_dim", in: 16...256)
    return result
  }

  fileprivate var startFolder: String? { start == "random" ? nil : start }
}

extension StateTrainer {
  /// A trainer of an EAGLE drafter (2401.15077, 2503.01840) with small random weights.
  /// - Throws: `TrainingError.setting` for sizes that make no sense.
  public convenience init(
    eagle version: EagleVersion, _ configuration: EagleConfiguration, setup: StateTraining
  ) throws {
    let configuration = try configuration.withSizesOfStart()
    try configuration.check()
    let model = setup.target.model.configuration
    let shape = configuration.shape(version, hidden: model.hiddenSize)
    let frequencies = RotaryConfiguration(theta: model.rotaries[0].theta)
      .frequencies(headDim: configuration.headSize)
    var random = SeededRandom(seed: setup.seed, stream: .max)
    let network: any EagleNetwork
    switch version {
    case .eagle1:
      network = Eagle1Network(
        shape, epsilon: model.normEpsilon, frequencies: frequencies,
        sizes: try setup.sizes(of: [.final]), rowScale: model.embeddingScale, random: &random)
    case .eagle3:
      let layers = EagleLayout.observedLayers(layerCount: model.layerCount)
      for layer in layers where !setup.training.layers.contains(layer) {
        throw TrainingError.setting(
          name: "states", expected: "layers \(layers) of the target",
          found: setup.training.layers.isEmpty ? "none" : "\(setup.training.layers)")
      }
      network = Eagle3Network(
        shape, layers: layers, epsilon: model.normEpsilon, frequencies: frequencies,
        sizes: try setup.sizes(of: layers.map(StateKind.layer) + [.final]), random: &random)
    }
    try self.init(
      network, losses: configuration.losses, setup: setup, options: configuration.options,
      prepare: configuration.startFolder.map { folder in { try network.start(from: folder) } })
  }
}
