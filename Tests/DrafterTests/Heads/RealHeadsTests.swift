import Foundation
import LanguageModels
import Losslessness
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

private let model = "SmolLM2-135M"

/// Random heads, and a random tiny model, written for a real target.
final class RandomDrafter {
  let folder: String

  /// - Parameter cut: tokens of the output head; nil for all.
  init(
    method: String, config: [String: Any], tensors: [String: [Int]], target: TransformerModel,
    cut: Int? = nil
  ) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    folder = url.path
    try JSONSerialization.data(withJSONObject: config)
      .write(to: url.appendingPathComponent("config.json"))
    let writer = try SafetensorsWriter(
      path: url.appendingPathComponent("model.safetensors").path,
      tensors: tensors.map { TensorInfo(name: $0.key, type: .bf16, shape: $0.value) })
    var bits: UInt64 = 88_172_645_463_325_252
    for (name, shape) in tensors {
      let limit = 1.5 / Float(shape.last ?? 1).squareRoot()
      let isNorm = name.contains("norm")
      let values = (0..<shape.reduce(1, *)).map { _ in
        // Xorshift: there are millions of them.
        bits ^= bits << 13
        bits ^= bits >> 7
        bits ^= bits << 17
        return isNorm ? 1 : Float(Int64(bitPattern: bits) >> 40) * 0x1p-23 * limit
      }
      try writer.append(values, to: name)
    }
    try writer.finish()
    var card = DrafterCard(
      method: method,
      target: .init(
        name: model, hiddenSize: target.hiddenSize, vocabularySize: target.vocabularySize))
    if let cut {
      var counts = [Int](repeating: 0, count: target.vocabularySize)
      for token in 0..<cut { counts[token] = cut - token }
      try FrequentTokens(counts: counts).write(
        to: url.appendingPathComponent(FrequentTokens.fileName).path)
      card.frequentTokens = FrequentTokens.fileName
    }
    try card.write(to: folder)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  static func medusa(_ target: TransformerModel, heads: Int, cut: Int?) throws -> RandomDrafter {
    let hidden = target.hiddenSize
    return try RandomDrafter(
      method: "medusa",
      config: ["model_type": "medusa", "num_heads": heads, "num_hidden_layers": 1],
      tensors: Dictionary(
        uniqueKeysWithValues: (0..<heads).map {
          (MedusaLayout().block(head: $0, layer: 0) + ".weight", [hidden, hidden])
        }), target: target, cut: cut)
  }

  static func hydra(_ target: TransformerModel, heads: Int, cut: Int?) throws -> RandomDrafter {
    let hidden = target.hiddenSize
    var tensors: [String: [Int]] = [:]
    for head in 0..<heads {
      for name in [
        HydraLayout().block(head: head, layer: 0), HydraLayout().residual(head: head),
      ] {
        tensors[name + ".weight"] = [hidden, (head + 2) * hidden]
      }
    }
    return try RandomDrafter(
      method: "hydra", config: ["hydra_num_heads": heads, "grounded_heads": true],
      tensors: tensors, target: target, cut: cut)
  }

  static func tinyLM(
    _ target: TransformerModel, hidden: Int, layers: Int, cut: Int?
  ) throws -> RandomDrafter {
    let inner = 3 * hidden
    var tensors = [
      "model.embed_tokens.weight": [target.vocabularySize, hidden], "model.norm.weight": [hidden],
    ]
    for layer in 0..<layers {
      for (name, shape) in [
        ("input_layernorm", [hidden]), ("post_attention_layernorm", [hidden]),
        ("self_attn.q_proj", [hidden, hidden]), ("self_attn.k_proj", [hidden, hidden]),
        ("self_attn.v_proj", [hidden, hidden]), ("self_attn.o_proj", [hidden, hidden]),
        ("mlp.gate_proj", [inner, hidden]), ("mlp.up_proj", [inner, hidden]),
        ("mlp.down_proj", [hidden, inner]),
      ] { tensors["model.layers.\(layer).\(name).weight"] = shape }
    }
    return try RandomDrafter(
      method: "tiny-lm",
      config: [
        "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": hidden / 64,
        "max_position_embeddings": 2048, "tie_word_embeddings": true,
      ], tensors: tensors, target: target, cut: cut)
  }
}

@Suite(.enabled(if: (try? ModelLocation.resolve(model)) != nil))
struct RealHeadsTests {
  @Test("random trained drafters change nothing of what SmolLM2 says")
  func identity() throws {
    guard case .gguf(let path) = try ModelLocation.resolve(model) else { return }
    let target = try TransformerModel(gguf: GGUFFile(path: path), pool: ComputePool(threads: 2))
    let prompt: [Int32] = [504, 3575, 282, 4649, 314, 253, 2232, 28]
    func check(_ drafter: RandomDrafter) throws {
      var settings = DrafterSettings(capacity: 128)
      let trained = try TrainedDrafter.load(folder: drafter.folder, target: target)
      settings.trained = [trained]
      for sampling in [.greedy, try SamplingParameters(temperature: 1, seed: 8)] {
        let setup = GenerationSetup(
          drafter: try DrafterRegistry.make(trained.method, settings), draftLength: .fixed(4),
          draftNodes: 12, sampling: sampling, limits: GenerationLimits(maxTokens: 20))
        let fault = try difference(target: target, prompt: prompt, setup: setup, capacity: 128)
        #expect(fault == nil, "\(trained.method)")
      }
    }
    try check(.medusa(target, heads: 4, cut: 8192))
    try check(.medusa(target, heads: 2, cut: nil))
    try check(.hydra(target, heads: 2, cut: 4096))
    try check(.tinyLM(target, hidden: 64, layers: 2, cut: 4096))
  }
}
