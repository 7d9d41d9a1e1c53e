import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import NunchiDrafters
import Speculation
import Testing

@testable import Drafters
@testable import DrafterTraining

/// What was trained is what decodes: an exported drafter computes what the trainer's graph does.
@Suite struct ExportTests {
  private let folder: TemporaryFolder
  private let tiny: TinyTarget

  init() throws {
    folder = try TemporaryFolder()
    tiny = try TinyTarget(in: folder)
  }

  /// Exports a drafter whose weights have moved some way.
  private func export(_ trainer: any Trainer) throws -> String {
    _ = try train(trainer, steps: 10, pool: tiny.model.pool)
    let path = folder.file(trainer.method)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try trainer.export(to: path, provenance: TrainerTests.provenance)
    return path
  }

  /// The graph's outputs of every step over one document, as states of the target's size.
  private func outputs(
    _ trainer: StateTrainer, of tiny: TinyTarget, steps: Int
  ) throws -> (StateBatch, [Tensor]) {
    var random = SeededRandom(seed: 0)
    let batch = try tiny.states.document(0)
    let start = try DraftStart(
      batch, for: trainer.network, target: tiny.target, noise: 0, &random)
    let graph = Graph(pool: tiny.model.pool)
    let outputs = trainer.network.outputs(start, steps: steps, in: graph).map { $0.value.copy() }
    for output in outputs { output.scaleColumns(by: trainer.network.headScales) }
    return (batch, outputs)
  }

  @Test(
    "An EAGLE drafter goes on from states as it was trained to",
    arguments: [TrainerKind.eagle, .eagle3], [false, true])
  func eagle(_ kind: TrainerKind, targetIsGemma: Bool) throws {
    let other = try TemporaryFolder()
    defer { withExtendedLifetime(other) {} }
    let tiny = targetIsGemma ? try TinyTarget.gemma(in: other) : tiny
    let trainer = try #require(try kind.trainer(tiny.setup()) as? StateTrainer)
    let path = try export(trainer)
    let (batch, expected) = try outputs(trainer, of: tiny, steps: 2)
    let weights = try EagleWeights(
      EagleCheckpoint(SafetensorsFile(path: path), fields: ConfigurationFields(folder: path)),
      target: tiny.model, tokens: { nil }, exact: true)
    #expect(weights.version.rawValue == kind.rawValue)

    // The true states up to a row, then the drafter's own.
    let last = batch.rows - 4
    let hidden = tiny.model.hiddenSize
    var inputs = [Float]()
    for row in 0...last {
      inputs += trainer.network.inputs.flatMap {
        Array(batch.states($0).values[row * hidden..<(row + 1) * hidden])
      }
    }
    if let fusion = weights.fusion {
      var fused = [Float](repeating: 0, count: (last + 1) * hidden)
      fused.withUnsafeMutableBufferPointer { fused in
        inputs.withUnsafeBufferPointer {
          guard let from = $0.baseAddress, let to = fused.baseAddress else { return }
          fusion.apply(from, rows: last + 1, into: to)
        }
      }
      inputs = fused
    }
    let cache = try weights.model.makeCache(capacity: 64)
    let first = try forward(
      weights, cache, tokens: Array(batch.tokens[1...last + 1]), states: inputs,
      parents: (0...Int32(last)).map { $0 - 1 })
    close(first.outputs, Array(expected[0].values.prefix(first.outputs.count)))
    cache.commit(path: Array(0...last))
    let second = try forward(
      weights, cache, tokens: [batch.tokens[last + 2]],
      states: Array(first.next.suffix(hidden)), parents: [-1])
    close(second.outputs, Array(expected[1].values[last * hidden..<(last + 1) * hidden]))
  }

  @Test("An EAGLE drafter starts from another one", arguments: [TrainerKind.eagle, .eagle3])
  func start(_ kind: TrainerKind) throws {
    let first = try #require(try kind.trainer(tiny.setup()) as? StateTrainer)
    let path = try export(first)
    var configuration = TrainerKind.eagle(featureWeight: 1)
    configuration.start = path
    // The sizes are the other drafter's.
    configuration.intermediate = 32
    let version = try #require(EagleVersion(rawValue: kind.rawValue))
    let next = try StateTrainer(eagle: version, configuration, setup: tiny.setup())
    try next.prepare()
    let (old, new) = (
      try outputs(first, of: tiny, steps: 2).1, try outputs(next, of: tiny, steps: 2).1
    )
    for (old, new) in zip(old, new) { close(new.values, old.values, within: 0.05) }

    configuration.start = folder.file("nothing")
    #expect(throws: (any Error).self) {
      try StateTrainer(eagle: version, configuration, setup: tiny.setup())
    }
  }

  /// What the head is applied to, and the states that the next step goes on from.
  private func forward(
    _ weights: EagleWeights, _ cache: TransformerCache, tokens: [Int32], states: [Float],
    parents: [Int32]
  ) throws -> (outputs: [Float], next: [Float]) {
    let recurs = Observation(
      finalHidden: true, layers: weights.version == .eagle1 ? [] : [1])
    return try states.withUnsafeBufferPointer { states in
      let output = try weights.model.forward(
        [
          SequenceRows(
            cache: cache, tokens: tokens, parents: parents, states: states.baseAddress)
        ], options: ForwardOptions(logits: .none, observing: recurs))[0]
      let final = try #require(output.finalHidden)
      let outputs = (0..<final.rows).flatMap { Array(final[$0]) }
      guard let layer = output.layers.first else { return (outputs, outputs) }
      return (outputs, (0..<layer.rows).flatMap { Array(layer[$0]) })
    }
  }

  @Test("Heads propose what they were trained to", arguments: [TrainerKind.medusa, .hydra])
  func heads(_ kind: TrainerKind) throws {
    let trainer = try #require(try kind.trainer(tiny.setup()) as? StateTrainer)
    let trained = try TrainedDrafter.load(folder: export(trainer), target: tiny.model)
    let (batch, states) = try outputs(trainer, of: tiny, steps: 3)
    let graph = Graph(pool: tiny.model.pool)
    let head = graph.constant(
      try tiny.target.head(VocabularyCut(vocabularySize: TinyTarget.vocabularySize)))
    let row = 12
    let final = Array(
      batch.states(.final).values[row * TinyTarget.hidden..<(row + 1) * TinyTarget.hidden])
    for step in 0..<3 {
      let logits = graph.linear(graph.constant(states[step].gathered([row])), head).value.values
      let found = RowBuffer(width: TinyTarget.vocabularySize)
      try final.withUnsafeBufferPointer {
        let state = try #require($0.baseAddress)
        switch trained.weights {
        case let heads as MedusaHeads: heads.compute(3, after: state, into: found)
        case let heads as HydraHeads:
          let inputs =
            final
            + (try (0...step).flatMap {
              try tiny.target.embeddings(of: [batch.tokens[row + 1 + $0]]).values
            })
          inputs.withUnsafeBufferPointer {
            if let base = $0.baseAddress {
              heads.compute(head: step, inputs: base, rows: 1, into: found)
            }
          }
        default: Issue.record("weights of another kind")
        }
      }
      let place = found.count == 1 ? 0 : step
      close(Array(found.rows[place]), logits, within: 0.05)
    }
  }

  @Test("A tiny language model has the trainer's logits")
  func tinyLM() throws {
    let trainer = try #require(
      try TrainerKind.tinyLM.trainer(tiny.setup()) as? TinyLMTrainer)
    let path = try export(trainer)
    let model = try TransformerModel(folder: path, pool: tiny.model.pool)
    let batch = try tiny.states.document(0)
    let graph = Graph(pool: tiny.model.pool)
    let table = graph.parameter(trainer.network.embedding)
    let expected = graph.linear(
      trainer.network.states(
        of: batch.tokens, positions: batch.positions, segments: batch.segments, table: table,
        in: graph), table
    ).value.values
    let cache = try model.makeCache(capacity: 64)
    let output = try model.forward(chain: batch.tokens, cache: cache)
    withExtendedLifetime(cache) {
      close((0..<output.logits.rows).flatMap { Array(output.logits[$0]) }, expected)
    }
  }

  @Test("Names and shapes are those of the public checkpoints")
  func layouts() throws {
    let (h, v) = (TinyTarget.hidden, TinyTarget.vocabularySize)
    let layer: [String: [Int]] = [
      "self_attn.o_proj.weight": [h, 64], "post_attention_layernorm.weight": [h],
      "mlp.gate_proj.weight": [64, h], "mlp.up_proj.weight": [64, h],
      "mlp.down_proj.weight": [h, 64],
    ]
    func attention(_ input: Int) -> [String: [Int]] {
      [
        "self_attn.q_proj.weight": [64, input], "self_attn.k_proj.weight": [32, input],
        "self_attn.v_proj.weight": [32, input],
      ]
    }
    var expected: [TrainerKind: [String: [Int]]] = [:]
    expected[.eagle] = Dictionary(
      uniqueKeysWithValues: layer.merging(attention(h)) { $1 }.map { ("layers.0." + $0, $1) })
    expected[.eagle]?["fc.weight"] = [h, 2 * h]
    expected[.eagle]?["fc.bias"] = [h]
    expected[.eagle3] = Dictionary(
      uniqueKeysWithValues: layer.merging(attention(2 * h)) { $1 }.map { ("midlayer." + $0, $1) })
    let own: [String: [Int]] = [
      "fc.weight": [h, 3 * h], "midlayer.input_layernorm.weight": [h],
      "midlayer.hidden_norm.weight": [h], "norm.weight": [h], "lm_head.weight": [v, h],
    ]
    expected[.eagle3]?.merge(own) { $1 }
    expected[.medusa] = Dictionary(
      uniqueKeysWithValues: (0..<3).flatMap {
        [("blocks.\($0).layers.0.weight", [h, h]), ("blocks.\($0).layers.0.bias", [h])]
      })
    expected[.medusa]?["lm_head.weight"] = [v, h]
    expected[.hydra] = Dictionary(
      uniqueKeysWithValues: (0..<3).flatMap { head in
        ["linear", "res_connection"].flatMap {
          [
            ("hydra_mlp.\(head).0.\($0).weight", [h, (head + 2) * h]),
            ("hydra_mlp.\(head).0.\($0).bias", [h]),
          ]
        }
      })
    for (kind, shapes) in expected {
      let path = try export(kind.trainer(tiny.setup()))
      let file = try SafetensorsFile(path: path)
      #expect(file.tensors.mapValues(\.shape) == shapes, "\(kind)")
      #expect(file.metadata["format"] == "pt")
      let card = try DrafterCard(folder: path)
      #expect(card?.method == kind.rawValue)
    }
  }

  /// The servers that load a kind, and of them those that do without being told which.
  private static let servers: [TrainerKind: [PublicLoader.Server]] = [
    .eagle: [.vllm, .sglang], .eagle3: [.vllm, .strictVLLM, .sglang],
    .medusa: [.vllm, .strictVLLM],
  ]

  @Test(
    "What is trained loads in vLLM and SGLang, by their own rules, and here",
    arguments: [TrainerKind.eagle, .eagle3, .medusa], [1, 0.8])
  func servers(_ kind: TrainerKind, coverage: Double) throws {
    let path = try export(kind.trainer(tiny.setup(coverage: coverage)))
    for server in Self.servers[kind] ?? [] {
      #expect(try PublicLoader(server, folder: path).problems(kind.rawValue) == [], "\(server)")
    }
    let drafter = try TrainedDrafter.load(folder: path, target: tiny.model)
    let tokens = try SafetensorsFile(path: path).tensors["lm_head.weight"]?.shape.first
    if kind != .eagle {
      #expect(tokens == (drafter.frequent?.tokens.count ?? TinyTarget.vocabularySize))
    }
    // Written again it is the same; for an older vLLM without what that stops at.
    for server in [nil, ServedDrafter.Server.vllm] {
      let again = folder.file("again-\(server?.rawValue ?? "all")")
      try ServedDrafter.write(drafter, for: server, target: tiny.model, to: again)
      let loader = PublicLoader.Server.strictVLLM
      if server != nil {
        #expect(try PublicLoader(loader, folder: again).problems(kind.rawValue) == [])
      } else {
        let files = try [path, again].map(SafetensorsFile.init(path:))
        #expect(files[0].tensors.mapValues(\.shape) == files[1].tensors.mapValues(\.shape))
      }
      _ = try TrainedDrafter.load(folder: again, target: tiny.model)
    }
  }

  @Test(
    "Folders of before lack what servers need, and are written so that they have it",
    arguments: [TrainerKind.eagle, .eagle3, .medusa], [1, 0.8])
  func older(_ kind: TrainerKind, coverage: Double) throws {
    let path = try export(kind.trainer(tiny.setup(coverage: coverage)))
    let tokens = try TrainedDrafter.load(folder: path, target: tiny.model).frequent?.tokens.sorted()
    let old = folder.file("old")
    try FileManager.default.copyItem(atPath: path, toPath: old)
    let file = try SafetensorsFile(path: path)
    var tensors = file.tensors.values.filter {
      !["fc.bias", "token_map"].contains($0.name)
        && !(kind == .medusa && $0.name == "lm_head.weight")
    }
    let shift = TensorInfo(name: "d2t", type: .i64, shape: [TinyTarget.vocabularySize])
    let isWhole = kind == .eagle3 && tokens == nil
    if isWhole { tensors.append(shift) }
    let writer = try SafetensorsWriter(path: "\(old)/model.safetensors", tensors: tensors)
    for info in tensors where info != shift {
      try writer.append(bytes: file.data(of: info.name), to: info.name)
    }
    if isWhole {
      try writer.append([Int64](repeating: 0, count: TinyTarget.vocabularySize), to: "d2t")
    }
    try writer.finish()
    let json = try Data(contentsOf: URL(fileURLWithPath: "\(path)/config.json"))
    var configuration = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    configuration["truncated_vocab_size"] = nil
    if kind == .eagle { configuration["architectures"] = ["LlamaForCausalLMEagle"] }
    try JSONSerialization.data(withJSONObject: configuration)
      .write(to: URL(fileURLWithPath: "\(old)/config.json"))

    func problems(_ folder: String) throws -> [String] {
      try (Self.servers[kind] ?? []).flatMap {
        try PublicLoader($0, folder: folder).problems(kind.rawValue)
      }
    }
    switch kind {
    case .eagle:
      let found = try problems(old)
      #expect(
        found == [
          "architectures [\"LlamaForCausalLMEagle\"] are not supported",
          "fc.bias is not initialized",
        ])
    case .medusa: #expect(try problems(old).contains("lm_head.weight is not initialized"))
    default: #expect(try problems(old).contains("there is no parameter d2t") == isWhole)
    }
    let drafter = try TrainedDrafter.load(folder: old, target: tiny.model)
    try ServedDrafter.write(drafter, target: tiny.model, to: folder.file("new"))
    #expect(try problems(folder.file("new")) == [])
    let written = try SafetensorsFile(path: folder.file("new"))
    for name in ["fc.bias", "lm_head.weight", "token_map"] where file.tensors[name] != nil {
      let (before, after) = (try file.data(of: name), try written.data(of: name))
      #expect(before.elementsEqual(after), "\(name)")
    }
    #expect(throws: TrainingError.self, "a folder that has a drafter") {
      try ServedDrafter.write(drafter, target: tiny.model, to: folder.file("new"))
    }
  }

  @Test("Hydra's heads, which no server has a class for, are refused by name")
  func noServer() throws {
    let path = try export(TrainerKind.hydra.trainer(tiny.setup()))
    let drafter = try TrainedDrafter.load(folder: path, target: tiny.model)
    let error = #expect(throws: TrainingError.self) {
      try ServedDrafter.write(drafter, target: tiny.model, to: folder.file("new"))
    }
    #expect("\(String(describing: error))".contains("eagle, eagle3, medusa, tiny-lm, found hydra"))
    #expect(!folder.names.contains("new"))
  }

  @Test(
    "A shipped drafter is written for SGLang", .enabled(if: DataModels.isCached))
  func shippedForSGLang() async throws {
    let model = try await DataModels.smol.value
    let drafter = try #require(try model.trainedDrafter(method: "eagle"))
    try ServedDrafter.write(drafter, target: model.transformer, to: folder.file("eagle"))
    for server in [PublicLoader.Server.vllm, .sglang] {
      let loader = try PublicLoader(server, folder: folder.file("eagle"))
      #expect(loader.problems("eagle") == [])
    }
    // It is found here by its card, which came along.
    let written = try model.trainedDrafter(folder: folder.file("eagle"))
    #expect(written.method == "eagle" && written.card == drafter.card)
    #expect(written.frequent?.tokens == drafter.frequent?.tokens)
  }

  @Test(
    "Shipped EAGLE drafters are vLLM's as they are; SGLang wants a bias",
    arguments: ["SmolLM2-135M", "Qwen2.5-Coder-1.5B"])
  func shipped(_ target: String) throws {
    let shelf = try #require(TrainedDrafterShelf.shipped)
    let path = "\(shelf)/\(target)/eagle"
    for server in [PublicLoader.Server.vllm, .strictVLLM] {
      #expect(try PublicLoader(server, folder: path).problems("eagle") == [])
    }
    #expect(
      try PublicLoader(.sglang, folder: path).problems("eagle") == ["fc.bias is not initialized"])
  }

  /// Whether two lists of numbers are nearly the same, as measured by their length.
  private func close(
    _ found: [Float], _ expected: [Float], within share: Float = 0.02,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(found.count == expected.count, sourceLocation: sourceLocation)
    let distance = zip(found, expected).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let length = expected.reduce(Float(0)) { $0 + $1 * $1 }
    #expect(distance <= share * share * length, sourceLocation: sourceLocation)
  }
}

/// What transformers makes of the layout that tiny language models are written in.
/// `Scripts/make_tiny_lm_goldens.py` makes it.
@Suite struct TransformersTests {
  private struct Golden: Decodable {
    var tokens: [Int32]
    var logits: [Float]
  }

  @Test("The trainer's network is transformers' Llama, tensor by tensor and in its logits")
  func logits() throws {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Goldens/tiny-lm")
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: folder.appendingPathComponent("logits.json")))
    let file = try SafetensorsFile(path: folder.path)
    var random = SeededRandom(seed: 1)
    let network = TinyLMNetwork(
      BlockShape(hidden: 32, intermediate: 64, heads: 2, kvHeads: 1, headSize: 16), layers: 2,
      vocabularySize: 160,
      frequencies: RotaryConfiguration(theta: 10_000).frequencies(headDim: 16), random: &random)
    let shapes = Dictionary(
      uniqueKeysWithValues: network.parameters.map { ($0.name, $0.value.shape) })
    #expect(file.tensors.mapValues(\.shape) == shapes)
    for parameter in network.parameters {
      let values = try file.floats(of: parameter.name, shape: parameter.value.shape)
      parameter.value.data.update(from: values, count: values.count)
    }
    let graph = Graph(pool: try ComputePool(threads: 2))
    let table = graph.parameter(network.embedding)
    let count = golden.tokens.count
    let states = network.states(
      of: golden.tokens, positions: (0..<Int32(count)).map { $0 }, segments: [0..<count],
      table: table, in: graph)
    let found = graph.linear(states, table).value.values
    let worst = zip(found, golden.logits).map { abs($0 - $1) }.max() ?? .infinity
    let tolerance: Float = 1e-3
    #expect(found.count == golden.logits.count)
    #expect(worst < tolerance)

    // What we write is what transformers wrote, as far as it decides anything.
    let ours =
      TinyLMTrainer.export(
        network, theta: 10_000, contextLength: 256, cut: VocabularyCut(vocabularySize: 160)
      ).configuration as NSDictionary
    let theirs = try #require(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: folder.appendingPathComponent("config.json"))) as? NSDictionary)
    let common = Set(ours.allKeys.compactMap { $0 as? String })
      .subtracting(["rope_theta", "torch_dtype"])
    for key in common {
      #expect((ours[key] as? NSObject) == (theirs[key] as? NSObject), "\(key)")
    }
  }
}
