import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import Drafters

@Suite struct HeadsGoldenTests {
  @Test("Medusa heads give PyTorch's logits", arguments: [TinyDrafter.medusa, .medusaOriginal])
  func medusa(tiny: TinyDrafter) throws {
    let target = try TinyDrafter.target()
    let golden = try tiny.golden()
    let heads = try #require(try tiny.load(target).weights as? MedusaHeads)
    let state = try lastState(target, golden.prompt)
    let logits = RowBuffer(width: heads.heads.count)
    heads.compute(3, after: state, into: logits)
    for head in 0..<3 {
      #expect(logits.rows.columns == golden.logits[head].count)
      #expect(error(of: logits.rows[head], from: golden.logits[head]) < 0.02)
    }
    // Fewer heads are the first ones.
    let fewer = RowBuffer(width: heads.heads.count)
    heads.compute(2, after: state, into: fewer)
    #expect(fewer.count == 2 && Array(fewer.rows[1]) == Array(logits.rows[1]))
  }

  @Test(
    "heads of vLLM's layout, cut by a map of tokens, give the same logits",
    arguments: [false, true])
  func tokenMap(isCut: Bool) throws {
    let target = try TinyDrafter.target()
    let original = try SafetensorsFile(path: TinyDrafter.medusaOriginal.folder)
    let map = [50, 3, 77, 20, 95]
    let layout = MedusaLayout()
    // The same heads under vLLM's names, their output matrices cut already or not.
    var tensors = ["token_map": [Float]()]
    var shapes = ["token_map": [map.count]]
    for head in 0..<3 {
      for (layer, part, shape) in [
        (0, "weight", [32, 32]), (0, "bias", [32]), (1, "weight", [32, 32]), (1, "bias", [32]),
      ] {
        let name = layout.block(head: head, layer: layer) + "." + part
        tensors[name] = try original.floats(of: "\(head).\(layer).linear.\(part)", shape: shape)
        shapes[name] = shape
      }
      let name = layout.output(head: head, layers: 2) + ".weight"
      let all = try original.floats(of: "\(head).2.weight", shape: [96, 32])
      tensors[name] = isCut ? map.flatMap { all[$0 * 32..<($0 + 1) * 32] } : all
      shapes[name] = [isCut ? map.count : 96, 32]
    }
    let folder = try FolderCopy(of: TinyDrafter.medusaOriginal.folder)
    let writer = try SafetensorsWriter(
      path: folder.path + "/model.safetensors",
      tensors: shapes.map {
        TensorInfo(name: $0.key, type: $0.key == "token_map" ? .i64 : .f32, shape: $0.value)
      })
    for (name, values) in tensors where name != "token_map" {
      try writer.append(values, to: name)
    }
    try writer.append(map.map(Int64.init), to: "token_map")
    try writer.finish()

    let trained = try TrainedDrafter.load(folder: folder.path, target: target)
    let heads = try #require(trained.weights as? MedusaHeads)
    #expect(heads.heads.vocabulary.tokens == [3, 20, 50, 77, 95])
    let golden = try TinyDrafter.medusaOriginal.golden()
    let logits = RowBuffer(width: heads.heads.count)
    heads.compute(3, after: try lastState(target, golden.prompt), into: logits)
    for head in 0..<3 {
      let expected = map.sorted().map { golden.logits[head][$0] }
      #expect(error(of: logits.rows[head], from: expected) < 0.03)
    }
  }

  @Test("Hydra heads give PyTorch's logits after drafted tokens")
  func hydra() throws {
    let target = try TinyDrafter.target()
    let golden = try TinyDrafter.hydra.golden()
    let heads = try #require(try TinyDrafter.hydra.load(target).weights as? HydraHeads)
    var inputs = try lastState(target, golden.prompt)
    for head in 0..<3 {
      inputs += try target.embeddingRows([golden.path[head]])
      let logits = RowBuffer(width: heads.heads.count)
      // A row does not depend on those beside it.
      let other = inputs.map { -$0 }
      heads.compute(head: head, inputs: other + inputs, rows: 2, into: logits)
      #expect(error(of: logits.rows[1], from: golden.logits[head]) < 0.02)
      #expect(error(of: logits.rows[0], from: golden.logits[head]) > 0.5)
    }
  }

  @Test("a tiny language model gives transformers' logits")
  func tinyLM() throws {
    let target = try TinyDrafter.target()
    let golden = try TinyDrafter.tinyLM.golden()
    let model = try #require(try TinyDrafter.tinyLM.load(target).weights as? TinyLM).model
    let cache = try model.makeCache(capacity: 64)
    let output = try model.forward(chain: golden.prompt, cache: cache)
    for row in golden.prompt.indices {
      #expect(error(of: output.logits[row], from: golden.logits[row]) < 0.03)
    }
    withExtendedLifetime(cache) {}
  }
}
