import ModelFiles
import Testing

@testable import LanguageModels

@Suite("A pass that leaves out layers")
struct SkippedLayerTests {
  /// The model with layers that add nothing to the residual stream.
  private func silenced(_ tiny: TinyModel, _ layers: [Int]) throws -> TransformerModel {
    var contents = try MemoryTensorFile.contents(of: SafetensorsFile(path: tiny.folder))
    for layer in layers {
      for name in ["self_attn.o_proj", "mlp.down_proj"] {
        let key = "model.layers.\(layer).\(name).weight"
        let count = try #require(contents[key]).bytes.count
        contents[key]?.bytes = [UInt8](repeating: 0, count: count)
      }
    }
    return try TransformerModel(
      file: MemoryTensorFile(contents), fields: ConfigurationFields(folder: tiny.folder),
      pool: ComputePool(threads: 2))
  }

  @Test("equals a model whose layers add nothing", arguments: TinyModel.allCases)
  func reference(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    let tokens = try tiny.tokens()
    var random = SplitMix(state: 6)
    for skipped in [[0], [model.layerCount - 1], Array(0..<model.layerCount)] {
      let other = try silenced(tiny, skipped)
      let cache = try model.makeCache(capacity: 64)
      let otherCache = try other.makeCache(capacity: 64)
      let options = ForwardOptions(skippedLayers: Set(skipped))
      let tree = RandomTree(rows: 9, using: &random)
      for rows in [RandomTree(tokens: tokens), tree] {
        let output = try model.forward(
          [rows.rows(0..<rows.tokens.count, cache: cache, extending: false)], options: options)[0]
        let expected = try other.forward(
          tokens: rows.tokens, parents: rows.parents, cache: otherCache)
        for row in rows.tokens.indices {
          #expect(
            output.logits.bits(row) == expected.logits.bits(row), "\(skipped), row \(row)")
        }
        for cache in [cache, otherCache] {
          cache.commit(path: rows.path(to: rows.tokens.count - 1))
        }
      }
      // And it is not the whole model.
      cache.truncate(to: 0)
      let whole = try model.forward(chain: tokens, cache: cache).logits.bits(tokens.count - 1)
      otherCache.truncate(to: 0)
      let less = try other.forward(chain: tokens, cache: otherCache).logits
      #expect(whole != less.bits(tokens.count - 1))
    }
  }

  @Test("leaves the committed keys and values as they were", arguments: TinyModel.allCases)
  func undisturbed(_ tiny: TinyModel) throws {
    let model = try tiny.load()
    let cache = try model.cache(of: 20, capacity: 64, seed: 1)
    let before = try model.forward(chain: [7, 8], cache: cache).logits.values.map(\.bitPattern)
    for depth in 0..<5 {
      _ = try model.forward(
        [SequenceRows(cache: cache, tokens: [Int32(depth)], parents: [-1])],
        options: ForwardOptions(skippedLayers: [1]))
      cache.commit(path: [0])
    }
    cache.truncate(to: 20)
    let after = try model.forward(chain: [7, 8], cache: cache).logits.values.map(\.bitPattern)
    #expect(after == before)
  }

  @Test("Observed states pass by a layer that is left out")
  func observed() throws {
    let model = try TinyModel.qwen3.load()
    let cache = try model.makeCache(capacity: 16)
    let states = try model.forward(
      [SequenceRows(cache: cache, tokens: [3, 9], parents: [-1, 0])],
      options: ForwardOptions(observing: Observation(layers: [0, 1, 2]), skippedLayers: [0])
    )[0].layers
    #expect(states[0].values == states[1].values)
    #expect(states[1].values != states[2].values)
  }

  @Test("A layer that the model lacks is refused", arguments: [-1, 2])
  func outOfRange(layer: Int) throws {
    let model = try TinyModel.llama.load()
    let cache = try model.makeCache(capacity: 16)
    #expect(throws: LanguageModelError.skippedLayerOutOfRange(layer: layer, layerCount: 2)) {
      try model.forward(
        [SequenceRows(cache: cache, tokens: [3], parents: [-1])],
        options: ForwardOptions(skippedLayers: [layer]))
    }
  }
}
