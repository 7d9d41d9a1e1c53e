import Foundation
import LanguageModels
import Losslessness
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

private func numbers(_ count: Int, seed: UInt64) -> [Float] {
  var random = SplitMix(state: seed)
  return (0..<count).map { _ in Float(random.next() >> 40) * 0x1p-23 - 1 }
}

private let origin = AffineMap.Origin(
  draft: "small", target: "large", vocabulary: "7f", method: "least-squares", rows: 9,
  figures: ["mse": 0.5])

/// Writes a predictor of random weights.
@discardableResult
private func writePredictor(
  to path: String, input: AcceptancePredictor.Input, stateSize: Int
) throws -> [String: [Float]] {
  let (first, second) = (16, 8)
  let shapes: [(String, [Int], TensorType)] =
    (input == .none ? [] : [("state.weight", [first, stateSize], .bf16)])
    + [
      ("features.weight", [first, CandidateFeatures.count], .bf16), ("first.bias", [first], .f32),
      ("second.weight", [second, first], .bf16), ("second.bias", [second], .f32),
      ("last.weight", [2, second], .bf16), ("last.bias", [2], .f32),
    ]
  let tensors = shapes.enumerated().map { index, tensor in
    let count = tensor.1.reduce(1, *)
    // Halves and quarters are exact in bf16.
    let values = numbers(count, seed: UInt64(index)).map { ($0 * 4).rounded() / 4 }
    return (name: tensor.0, shape: tensor.1, values: values, type: tensor.2)
  }
  try AcceptancePredictor.write(
    to: path, tensors: tensors,
    card: .init(
      input: input, draft: "small", target: "large", vocabulary: "7f",
      calibrations: [.init(temperature: 2, bias: 0.5), .init()]))
  return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
}

@Suite struct AffineMapTests {
  private let pool: ComputePool

  init() throws { pool = try ComputePool(threads: 2) }

  @Test("a map is what was written", arguments: [false, true])
  func roundTrip(normalises: Bool) throws {
    try withFolder { folder in
      let (inputs, outputs, rows) = (32, 48, 3)
      let weight = numbers(inputs * outputs, seed: 1)
      let bias = numbers(outputs, seed: 2)
      let path = "\(folder)/map.safetensors"
      try AffineMap.write(
        to: path, weight: weight, bias: bias, inputs: inputs, outputs: outputs,
        normalises: normalises, origin: origin)
      let map = try AffineMap(path: path, draft: inputs, target: outputs, pool: pool)
      #expect(map.origin == origin && map.normalises == normalises)
      // Blocks of 32 weights in 34 bytes.
      #expect((48 * 34 + 48 * 4..<2 * 48 * 34).contains(map.byteCount))
      let x = numbers(inputs * rows, seed: 3)
      var y = [Float](repeating: 0, count: outputs * rows)
      map.apply(x, rows: rows, into: &y)
      for row in 0..<rows {
        var input = Array(x[row * inputs..<(row + 1) * inputs])
        if normalises { AffineMap.normalise(&input, count: inputs) }
        for output in 0..<outputs {
          let expected = zip(input, weight[output * inputs..<(output + 1) * inputs])
            .reduce(bias[output]) { $0 + $1.0 * $1.1 }
          // Weights have 8 bits, and so have activations.
          #expect(abs(y[row * outputs + output] - expected) < 0.15)
        }
      }
    }
  }

  @Test("normalised rows have mean 0 and variance 1")
  func normal() {
    var row: [Float] = [1, 2, 3, 6]
    AffineMap.normalise(&row, count: 4)
    #expect(abs(row.reduce(0, +)) < 1e-5)
    #expect(abs(row.reduce(0) { $0 + $1 * $1 } / 4 - 1) < 1e-4)
  }

  @Test("a map between other sizes, and a file of another kind, are refused by name")
  func mistakes() throws {
    try withFolder { folder in
      let path = "\(folder)/map.safetensors"
      try AffineMap.write(
        to: path, weight: numbers(64, seed: 1), bias: nil, inputs: 8, outputs: 8,
        normalises: false, origin: origin)
      let error = #expect(throws: StoreError.self) {
        try AffineMap(path: path, draft: 16, target: 8, pool: pool)
      }
      #expect("\(error.map { "\($0)" } ?? "")".contains("\(path): weight: expected shape [8, 16]"))
      try writePredictor(to: path, input: .none, stateSize: 0)
      let other = #expect(throws: StoreError.self) {
        try AffineMap(path: path, draft: 8, target: 8, pool: pool)
      }
      #expect("\(other.map { "\($0)" } ?? "")".contains("format: expected nunchi-affine-map"))
    }
  }
}

@Suite struct AcceptancePredictorTests {
  private let pool: ComputePool

  init() throws { pool = try ComputePool(threads: 2) }

  @Test("chances are those of the written network", arguments: AcceptancePredictor.Input.allCases)
  func network(input: AcceptancePredictor.Input) throws {
    try withFolder { folder in
      let path = "\(folder)/predictor.safetensors"
      let size = input == .none ? 0 : 4
      let weights = try writePredictor(to: path, input: input, stateSize: size)
      let predictor = try AcceptancePredictor(path: path, stateSize: { _ in size }, pool: pool)
      let families = [
        CandidateFamily(depth: 1, logProbabilities: [-0.25, -2], entropy: 0.8),
        CandidateFamily(depth: 3, logProbabilities: [-1, -1.5, -4], entropy: 2),
      ]
      let states = numbers(8, seed: 9)
      for isGreedy in [true, false] {
        let found = predictor.probabilities(of: families, states: states, isGreedy: isGreedy)
        #expect(found.map(\.count) == [2, 3])
        for (index, family) in families.enumerated() {
          for rank in family.logProbabilities.indices {
            let expected = chance(
              weights, family, rank, Array(states[index * 4..<(index + 1) * 4].prefix(size)),
              isGreedy: isGreedy)
            #expect(abs(found[index][rank] - expected) < 0.02)
          }
        }
      }
    }
  }

  /// The same, step by step.
  private func chance(
    _ weights: [String: [Float]], _ family: CandidateFamily, _ rank: Int, _ state: [Float],
    isGreedy: Bool
  ) -> Double {
    func product(_ name: String, _ x: [Float]) -> [Float] {
      let matrix = weights[name] ?? []
      return stride(from: 0, to: matrix.count, by: max(1, x.count)).map { row in
        zip(matrix[row..<row + x.count], x).reduce(0) { $0 + $1.0 * $1.1 }
      }
    }
    func gelu(_ x: Float) -> Float {
      0.5 * x * (1 + tanh(0.797_884_56 * (x + 0.044_715 * x * x * x)))
    }
    var features = [Float](repeating: 0, count: CandidateFeatures.count)
    CandidateFeatures.write(family, rank: rank, to: &features)
    var hidden = zip(product("features.weight", features), weights["first.bias"] ?? []).map(+)
    if !state.isEmpty { hidden = zip(hidden, product("state.weight", state)).map(+) }
    let middle = zip(product("second.weight", hidden.map(gelu)), weights["second.bias"] ?? [])
      .map { gelu($0 + $1) }
    let answers = zip(product("last.weight", middle), weights["last.bias"] ?? []).map(+)
    let z = Double(answers[isGreedy ? 0 : 1])
    return 1 / (1 + exp(-(isGreedy ? z / 2 + 0.5 : z)))
  }

  @Test("features tell probability, entropy, depth and rank apart")
  func features() {
    func features(_ depth: Int, _ rank: Int, _ probability: Double) -> [Float] {
      var values = [Float](repeating: 0, count: CandidateFeatures.count)
      let logs = [Double](repeating: log(probability), count: rank + 1)
      CandidateFeatures.write(
        CandidateFamily(depth: depth, logProbabilities: logs, entropy: 1), rank: rank, to: &values)
      return values
    }
    let all = [features(1, 0, 0.5), features(2, 0, 0.5), features(1, 1, 0.5), features(1, 0, 0.4)]
    #expect(Set(all).count == 4)
    // What lies beyond the deepest and the last is told as these.
    #expect(features(99, 99, 0.5) == features(8, 7, 0.5))
    #expect(!features(1, 0, 0).contains { !$0.isFinite })
  }
}

@Suite struct AffineTreeConfigurationTests {
  private func read(_ yaml: String) throws -> AffineTreeConfiguration {
    try withFolder { folder in
      let path = "\(folder)/tree.yaml"
      try yaml.write(toFile: path, atomically: true, encoding: .utf8)
      return try AffineTreeConfiguration(path: path)
    }
  }

  @Test("a file changes what it names and nothing else")
  func partial() throws {
    var expected = AffineTreeConfiguration()
    #expect(try read("") == expected)
    expected.tree.maxDepth = 3
    expected.tree.strategy = .diverseBeam
    expected.pruning.strategy = .topKPaths
    expected.pruning.adaptive = false
    var found = try read(
      """
      tree:
        max_depth: 3
        strategy: diverse-beam
      alignment: map.safetensors
      predictor: /elsewhere/p.safetensors
      pruning:
        strategy: top-k-paths
        adaptive: false
      """)
    #expect(found.alignment.hasPrefix("/") && found.alignment.hasSuffix("/map.safetensors"))
    #expect(found.predictor == "/elsewhere/p.safetensors")
    (found.alignment, found.predictor) = ("", "")
    #expect(found == expected)
  }

  @Test(
    "what is wrong is named, with what was expected",
    arguments: [
      ("tree:\n  depth: 3\n", "tree: expected strategy, max_candidates"),
      ("tree:\n  max_depth: 0\n", "tree.max_depth: expected 1 to 64, found 0"),
      ("tree:\n  max_candidates: many\n", "tree.max_candidates"),
      ("tree:\n  top_p: 1.5\n", "tree.top_p: expected above 0, at most 1, found 1.5"),
      ("tree:\n  strategy: best\n", "tree.strategy"),
      ("pruning:\n  ratio: 1\n", "pruning.ratio: expected at least 0, below 1, found 1"),
      ("pruning: 3\n", "pruning: expected keys and values"), ("a: [\n", "expected YAML"),
    ])
  func mistakes(yaml: String, message: String) throws {
    let error = #expect(throws: (any Error).self) { try read(yaml) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(error.map { "\($0)" } ?? "")")
  }
}

@Suite struct AffineTreeDrafterTests {
  private let pool: ComputePool

  init() throws { pool = try ComputePool(threads: 2) }

  private let target = TableModel(vocabularySize: 12, seed: 2, order: 3, sharpness: 2)

  /// The tree that is drafted after a prompt, before pruning.
  private func draft(
    _ adjust: (inout AffineTreeConfiguration) -> Void, style: ProposalStyle = .matching,
    temperature: Double = 0
  ) throws -> DraftTree {
    var configuration = AffineTreeConfiguration()
    adjust(&configuration)
    let drafter = try AffineTreeDrafter(
      model: target.noisy(0.5), tree: AffineTree(configuration: configuration), capacity: 64)
    try drafter.begin(prompt: [1, 2, 3])
    return try drafter.draft(
      after: DraftContext(
        tokens: [1, 2, 3], vocabularySize: 12,
        sampler: Sampler(SamplingParameters(temperature: temperature)),
        chance: KeyedRandom(seed: 1), style: style),
      budget: DraftBudget(nodes: 1000, depth: 64))
  }

  private func counts(_ tree: DraftTree) -> [Int] {
    (1...max(1, tree.depth)).map { depth in tree.depths.count { $0 == depth } }
  }

  @Test("top-k has so many children of so many nodes, so many levels deep")
  func topK() throws {
    let tree = try draft {
      $0.tree.maxCandidates = 3
      $0.tree.maxPathsPerLevel = 2
      $0.tree.maxDepth = 3
    }
    #expect(counts(tree) == [3, 6, 6])
  }

  @Test("top-p has as many children as make up the probability")
  func topP() throws {
    func children(_ share: Double) throws -> Int {
      try draft {
        $0.tree.strategy = .topP
        $0.tree.topP = share
        $0.tree.maxCandidates = 12
        $0.tree.maxDepth = 1
      }.count
    }
    #expect(try children(0.01) == 1)
    #expect(try children(1) == 12)
    let all = try draft {
      $0.tree.maxCandidates = 12
      $0.tree.maxDepth = 1
    }.scores
    let wanted = all.indices.first { all[0...$0].reduce(0, +) >= 0.6 } ?? 0
    #expect(try children(0.6) == wanted + 1)
  }

  @Test("a beam keeps the nodes that get children; a diverse one those of several parents")
  func beam() throws {
    func tree(_ strategy: LevelExpansion.Strategy, diversity: Double = 0) throws -> DraftTree {
      try draft {
        $0.tree.strategy = strategy
        $0.tree.maxCandidates = 4
        $0.tree.maxPathsPerLevel = 3
        $0.tree.maxDepth = 4
        $0.tree.diversity = diversity
      }
    }
    let beam = try tree(.beam)
    #expect(counts(beam) == [3, 3, 3, 3])
    #expect(try tree(.diverseBeam) == beam)
    // Where a place among siblings costs all, every node is a first child below the first level.
    let diverse = try tree(.diverseBeam, diversity: 10)
    let parents = (0..<diverse.count).filter { diverse.depths[$0] > 1 }.map { diverse.parents[$0] }
    #expect(Set(parents).count == parents.count)
  }

  @Test("draws follow the configured temperature; what is not drawn follows the target's")
  func temperature() throws {
    func q(_ temperature: Double) throws -> Distribution {
      let tree = try draft(
        {
          $0.tree.temperature = temperature
          $0.tree.topP = 1
          $0.tree.maxDepth = 1
        }, style: .sampled, temperature: 1)
      guard case .sampled(let q) = tree.proposals[0] else { throw SpeculationError.notBegun }
      return q
    }
    #expect(try q(0.2).maximum > q(1).maximum)
    #expect(try q(1).maximum > q(5).maximum)
  }

  @Test("outputs are the plain ones under every strategy of growing and pruning")
  func identity() throws {
    let prompt: [Int32] = [3, 1, 4]
    let limits = GenerationLimits(maxTokens: 40)
    var accepted = 0
    for sampling in [SamplingParameters.greedy, try SamplingParameters(temperature: 0.8, seed: 5)] {
      let plain = try SpeculativeGenerator(target: target, capacity: 128)
      let sequence =
        prompt
        + (try generate(
          plain, prompt: prompt,
          setup: GenerationSetup(drafter: nil, sampling: sampling, limits: limits)
        ).output)
      for strategy in LevelExpansion.Strategy.allCases {
        for pruning in PruningConfiguration.Strategy.allCases {
          var configuration = AffineTreeConfiguration()
          configuration.tree.strategy = strategy
          configuration.pruning.strategy = pruning
          let generator = try SpeculativeGenerator(target: target, capacity: 128)
          let drafter = try AffineTreeDrafter(
            model: target.noisy(0.5), tree: AffineTree(configuration: configuration),
            capacity: 128, knownText: KnownText(sequence))
          let (output, faults) = try generate(
            generator, prompt: prompt,
            setup: GenerationSetup(
              drafter: drafter, draftLength: .fixed(4), draftNodes: 64, sampling: sampling,
              limits: limits))
          #expect(faults.isEmpty && prompt + output == sequence, "\(strategy), \(pruning)")
          accepted += SpeculationStatistics(generator.traces).accepted
          if pruning == .oracle {
            // Nothing that it verifies is in vain, but what the limit cuts off.
            for trace in generator.traces.dropLast() {
              #expect(trace.accepted.count == trace.drafted.count)
            }
          }
        }
      }
    }
    #expect(accepted > 100)
  }

  @Test("the trace keeps the whole proposal, what was verified, and what the drafter says")
  func trace() throws {
    var configuration = AffineTreeConfiguration()
    configuration.pruning.strategy = .threshold
    configuration.pruning.threshold = 0.3
    let generator = try SpeculativeGenerator(target: target, capacity: 128)
    let drafter = try AffineTreeDrafter(
      model: target.noisy(0.5), tree: AffineTree(configuration: configuration), capacity: 128)
    _ = try generate(
      generator, prompt: [3, 1, 4],
      setup: GenerationSetup(
        drafter: drafter, draftLength: .fixed(4), draftNodes: 64,
        limits: GenerationLimits(maxTokens: 60)))
    let rounds = generator.traces.filter { $0.phase == .round && !$0.proposals.isEmpty }
    #expect(!rounds.isEmpty)
    #expect(rounds.contains { $0.proposals[0].tokens.count > $0.drafted.count })
    let settings = rounds.compactMap { $0.proposals[0].figures?["pruning setting"] }
    #expect(settings.count == rounds.count && Set(settings).count > 1, "the threshold adapts")
  }

  @Test("a predictor that needs an alignment says so where there is none")
  func missingAlignment() throws {
    let error = #expect(throws: SpeculationError.self) {
      try withFolder { folder in
        try writePredictor(
          to: "\(folder)/predictor.safetensors", input: .aligned, stateSize: 32)
        var configuration = AffineTreeConfiguration()
        configuration.predictor = "\(folder)/predictor.safetensors"
        let target = try TinyDrafter.target()
        _ = try AffineTree(configuration, draft: target, target: target)
      }
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("alignment: expected that of"))
  }

  @Test("a predictor or an alignment of another vocabulary says so")
  func otherVocabulary() throws {
    try withFolder { folder in
      let path = "\(folder)/predictor.safetensors"
      try writePredictor(to: path, input: .none, stateSize: 0)
      var configuration = AffineTreeConfiguration()
      configuration.predictor = path
      let target = try TinyDrafter.target()
      #expect(throws: StoreError.otherVocabulary(path: path)) {
        try AffineTree(configuration, draft: target, target: target, vocabulary: 0xBAD)
      }
    }
  }
}
