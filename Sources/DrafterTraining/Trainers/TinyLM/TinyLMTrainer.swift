import LanguageModels

/// Trains a tiny language model with the target's vocabulary as its drafter.
///
/// It learns the text, and where the target's states are there also the target's whole distribution
/// at each token. On texts without states it is pretrained; on the target's own answers, finetuned
/// (2406.16758 for what each brings).
public final class TinyLMTrainer: Trainer {
  public let method = "tiny-lm"
  public var parameters: [Parameter] { network.parameters }
  public let options: [String: String]

  let network: TinyLMNetwork
  let theta: Double
  private let configuration: TinyLMConfiguration
  private let setup: StateTraining
  /// The target's output matrix. (cut, target's hidden)
  private let teacher: Tensor

  /// - Throws: `TrainingError.setting` for sizes that make no sense.
  public convenience init(_ configuration: TinyLMConfiguration, setup: StateTraining) throws {
    try configuration.check()
    let start: PlainWeights
    var count = configuration.layers
    switch configuration.start {
    case "random":
      var random = SeededRandom(seed: setup.seed, stream: .max)
      let network = TinyLMNetwork(
        configuration.shape, layers: configuration.layers,
        vocabularySize: setup.target.model.vocabularySize,
        frequencies: RotaryConfiguration(theta: TinyLMNetwork.theta)
          .frequencies(headDim: configuration.headSize), random: &random)
      try self.init(network, theta: TinyLMNetwork.theta, configuration, setup: setup)
      return
    case "target": start = try PlainWeights(of: setup.target.model)
    case let folder:
      start = try PlainWeights(folder: folder)
      count = start.configuration.layerCount
    }
    let vocabulary = (setup.target.model.vocabularySize, start.configuration.vocabularySize)
    guard vocabulary.0 == vocabulary.1 else {
      throw TrainingError.setting(
        name: "drafter.start", expected: "a model of the target's \(vocabulary.0) tokens",
        found: "\(vocabulary.1)")
    }
    try checkRange("drafter.layers", count, 1...start.configuration.layerCount)
    try self.init(
      TinyLMNetwork(start, layers: count), theta: start.configuration.rotaries[0].theta,
      configuration, setup: setup)
  }

  init(
    _ network: TinyLMNetwork, theta: Double, _ configuration: TinyLMConfiguration,
    setup: StateTraining
  ) throws {
    self.network = network
    self.theta = theta
    self.configuration = configuration
    self.setup = setup
    options = configuration.options.merging(setup.options) { own, _ in own }
    teacher = try setup.target.head(setup.cut)
  }

  public func loss(of microBatch: Int, in graph: Graph) throws -> StepLoss {
    let batch = try setup.batch(microBatch)
    let (rows, head, states) = forward(batch, in: graph)
    let next = batch.shifted(by: 1)
    let targets = rows.map { next[$0].map { setup.cut.places[Int(batch.tokens[$0])] } ?? -1 }
    let weights = rows.map { row in
      next[row].map { batch.answer[$0] == 1 ? 1 : Float(configuration.promptWeight) } ?? 0
    }
    let loss = graph.headLoss(
      states, head: head, targets: targets,
      teacher: configuration.usesStates
        ? .hidden(batch.states(.final).gathered(rows), weight: teacher) : nil,
      weights: weights, crossEntropy: Float(configuration.textWeight),
      divergence: Float(configuration.targetWeight))
    return StepLoss(
      total: loss.loss,
      terms: [
        TrainingFigure(name: "cross-entropy", value: loss.crossEntropy),
        TrainingFigure(name: "divergence", value: loss.divergence),
        TrainingFigure(name: "agreement", value: loss.agreement),
      ], tokens: rows.count)
  }

  /// Rows that have a next token which the drafter can propose, its output matrix, and what that is
  /// applied to at these rows.
  private func forward(
    _ batch: StateBatch, all: Bool = false, in graph: Graph
  ) -> (rows: [Int], head: Variable, states: Variable) {
    let table = graph.parameter(network.embedding)
    let next = batch.shifted(by: 1)
    let rows = next.indices.filter { row in
      next[row].map { all || setup.cut.places[Int(batch.tokens[$0])] >= 0 } ?? false
    }
    let states = network.states(
      of: batch.tokens, positions: batch.positions, segments: batch.segments, table: table,
      in: graph)
    let head =
      setup.cut.isWhole ? table : graph.rows(table, setup.cut.tokens.map(Int.init))
    return (rows, head, graph.rows(states, rows))
  }

  public func validate() throws -> [TrainingFigure] {
    var counts = DraftCounts(steps: 4)
    try setup.forEachValidationBatch { batch in
      let graph = Graph(pool: setup.target.model.pool)
      let (rows, head, states) = forward(batch, all: true, in: graph)
      let usesStates = configuration.usesStates
      let loss = graph.headLoss(
        states, head: head,
        targets: usesStates ? nil : rows.map { setup.cut.places[Int(batch.tokens[$0 + 1])] },
        teacher: usesStates
          ? .hidden(batch.states(.final).gathered(rows), weight: teacher) : nil,
        weights: rows.map { batch.answer[$0 + 1] == 1 ? 1 : 0 })
      let best = Dictionary(
        uniqueKeysWithValues: zip(
          rows, graph.linear(states, head).value.bestColumns.map { setup.cut.tokens[$0] }))
      for step in 0..<4 {
        let ahead = batch.shifted(by: 1 + step)
        let starts = ahead.indices.filter { row in
          ahead[row].map { batch.answer[$0] == 1 && best[$0] != nil } ?? false
        }
        counts.add(
          step: step, best: starts.compactMap { ahead[$0].flatMap { best[$0] } }, rows: starts,
          targets: starts.compactMap { ahead[$0] },
          divergence: usesStates ? loss.divergence : loss.crossEntropy, batch: batch)
      }
      if let failure = graph.failure { throw failure }
    }
    return try counts.figures + setup.measured { export }
  }

  public func export(to folder: String, provenance: Provenance) throws {
    try export.write(to: folder, target: setup.target, provenance: provenance)
  }

  private var export: DrafterExport {
    Self.export(
      network, theta: theta, contextLength: setup.target.model.contextLength, cut: setup.cut)
  }

  /// The model as transformers loads it.
  static func export(
    _ network: TinyLMNetwork, theta: Double, contextLength: Int, cut: VocabularyCut
  ) -> DrafterExport {
    let shape = network.shape
    return DrafterExport(
      method: "tiny-lm",
      configuration: [
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kvHeads,
        "head_dim": shape.headSize,
        "num_hidden_layers": network.layers.count,
        "max_position_embeddings": contextLength,
        "rms_norm_eps": Double("\(network.epsilon)") ?? 1e-5,
        "rope_theta": theta,
        "vocab_size": cut.vocabularySize,
        "tie_word_embeddings": true,
        "attention_bias": false,
        "mlp_bias": false,
        "torch_dtype": "bfloat16",
      ],
      weights: network.parameters.map { ($0.name, $0.value) }, cut: cut)
  }
}
