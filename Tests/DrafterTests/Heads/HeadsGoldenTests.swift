import LanguageModels
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
