import Foundation
import LanguageModels
import ModelFiles
import Speculation
import Testing

@testable import Drafters

@Suite("EAGLE checkpoints") struct EagleLayoutTests {
  @Test("every tensor's name in a file stands for it", arguments: EagleVersion.allCases)
  func names(version: EagleVersion) {
    var seen: Set<String> = []
    for tensor in EagleTensor.allCases {
      let name = EagleLayout.name(of: tensor, in: version)
      #expect(EagleLayout.tensor(named: name) == tensor)
      #expect(EagleLayout.tensor(named: "model." + name) == tensor)
      #expect(seen.insert(name).inserted)
    }
    #expect(EagleLayout.tensor(named: "layers.1.self_attn.q_proj.weight") == nil)
    #expect(EagleLayout.tensor(named: "rotary_emb.inv_freq") == nil)
  }

  @Test("names are those of the public checkpoints")
  func publicNames() {
    #expect(EagleLayout.name(of: .query, in: .eagle1) == "layers.0.self_attn.q_proj.weight")
    #expect(EagleLayout.name(of: .fusion, in: .eagle1) == "fc.weight")
    #expect(EagleLayout.name(of: .stateNorm, in: .eagle3) == "midlayer.hidden_norm.weight")
    #expect(EagleLayout.name(of: .embeddingNorm, in: .eagle3) == "midlayer.input_layernorm.weight")
    #expect(EagleLayout.name(of: .draftToTarget, in: .eagle3) == "d2t")
    #expect(EagleLayout.observedLayers(layerCount: 32) == [2, 16, 29])
  }

  /// A folder of the test's own that lasts as long as it is held.
  private final class Copy {
    let path = NSTemporaryDirectory() + "/eagle-\(UUID().uuidString)"

    func load(for target: TransformerModel) throws -> TrainedDrafter {
      try withExtendedLifetime(self) { try TrainedDrafter.load(folder: path, target: target) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  /// A copy of a golden checkpoint, changed.
  private func copy(
    _ version: EagleVersion, rename: (String) -> String? = { $0 },
    change: (String, inout [UInt8]) -> Void = { _, _ in },
    configure: (inout [String: Any]) -> Void = { _ in }
  ) throws -> Copy {
    let source = EagleGolden.folder(version)
    let copy = Copy()
    let folder = copy.path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let file = try SafetensorsFile(path: source)
    let kept = file.tensors.values.sorted { $0.name < $1.name }.compactMap { info in
      rename(info.name).map { (info, $0) }
    }
    let writer = try SafetensorsWriter(
      path: folder + "/model.safetensors",
      tensors: kept.map { TensorInfo(name: $0.1, type: $0.0.type, shape: $0.0.shape) })
    for (info, name) in kept {
      var bytes = Array(try file.data(of: info.name))
      change(info.name, &bytes)
      try bytes.withUnsafeBytes { try writer.append(bytes: $0, to: name) }
    }
    try writer.finish()
    let json = try Data(contentsOf: URL(fileURLWithPath: source + "/config.json"))
    var config = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    configure(&config)
    try JSONSerialization.data(withJSONObject: config)
      .write(to: URL(fileURLWithPath: folder + "/config.json"))
    return copy
  }

  private func draft(_ trained: TrainedDrafter, _ target: TransformerModel) throws -> DraftTree {
    let weights = try #require(trained.weights as? EagleWeights)
    let sequence = try EagleSequence(target, EagleDrafter(weights: weights, capacity: 64))
    try sequence.begin([5, 9, 30, 61, 8], chunks: [], then: 7)
    return try sequence.draft(nodes: 12, depth: 4)
  }

  /// The order of the head's rows turned round, which `d2t` makes up for.
  private func reverse(_ name: String, _ bytes: inout [UInt8]) {
    switch name {
    case "lm_head.weight":
      let row = bytes.count / 40
      let old = bytes
      bytes = []
      for index in (0..<40).reversed() { bytes += old[index * row..<(index + 1) * row] }
    case "d2t":
      let shifts = bytes.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) }
      let tokens: [Int64] = shifts.enumerated().map { row, shift in Int64(row) + shift }
      let turned: [Int64] = tokens.reversed().enumerated().map { row, token in token - Int64(row) }
      bytes = turned.withUnsafeBytes { Array($0) }
    default: break
    }
  }

  @Test("vLLM's and speculators' spellings are the same drafter")
  func variants() throws {
    let target = try EagleGolden.target()
    let expected = try draft(
      TrainedDrafter.load(folder: EagleGolden.folder(.eagle3), target: target), target)
    #expect(expected.count == 12)
    let vLLM = try copy(
      .eagle3, rename: { "model." + $0.replacing("midlayer.", with: "layers.0.") },
      change: reverse)
    #expect(try draft(vLLM.load(for: target), target) == expected)
    let nested = try copy(
      .eagle3,
      configure: { config in
        let layer = config
        config = [
          "model_type": "eagle", "architectures": ["Eagle3Speculator"],
          "transformer_layer_config": layer, "eagle_aux_hidden_state_layer_ids": [2, 3, 4],
        ]
      })
    #expect(try draft(nested.load(for: target), target) == expected)
    let sglang = try copy(
      .eagle3,
      configure: { $0["eagle_config"] = ["eagle_aux_hidden_state_layer_ids": [1, 2, 3]] })
    #expect(try draft(sglang.load(for: target), target) == expected)
    let other = try copy(
      .eagle3, configure: { $0["eagle_aux_hidden_state_layer_ids"] = [1, 3, 6] })
    #expect(try draft(other.load(for: target), target) != expected)
  }

  @Test("what is wrong with a checkpoint is an error that names it")
  func errors() throws {
    let target = try EagleGolden.target()
    func message(_ copy: Copy) throws -> String {
      do {
        _ = try copy.load(for: target)
        return "none"
      } catch {
        return "\(error)"
      }
    }
    func wrongTokens(_ shift: Int64) throws -> String {
      try message(
        copy(
          .eagle3,
          change: { name, bytes in
            guard name == "d2t" else { return }
            bytes.replaceSubrange(0..<8, with: withUnsafeBytes(of: shift) { Array($0) })
          }))
    }
    #expect(try wrongTokens(-1).contains("'d2t', row 0: expected a token from 0 to 95"))
    #expect(try wrongTokens(.max).contains("'d2t', row 0"))
    #expect(
      try message(copy(.eagle3, rename: { $0 == "d2t" ? nil : $0 }))
        .contains("'lm_head.weight': expected 96 rows"))
    #expect(
      try message(copy(.eagle1, rename: { $0.contains("v_proj") ? nil : $0 }))
        .contains("self_attn.v_proj.weight"))
    #expect(
      try message(copy(.eagle1, configure: { $0["hidden_size"] = 64 }))
        .contains("hidden_size: expected 32"))
    #expect(
      try message(copy(.eagle1, configure: { $0["num_hidden_layers"] = 2 }))
        .contains("num_hidden_layers: expected 1"))
    #expect(
      try message(copy(.eagle3, configure: { $0["eagle_aux_hidden_state_layer_ids"] = [1, 2, 9] }))
        .contains("eagle_aux_hidden_state_layer_ids: expected different layers"))
  }
}
