import NunchiKernels

/// Activations of a model's forward passes, reused from pass to pass. R is `rows`.
///
/// All caches share it: it is only touched by who holds the model's compute pool.
final class Workspace: @unchecked Sendable {
  /// The most rows of one chunk.
  let rows: Int

  /// The residual stream. (R, hiddenSize)
  let hidden: UnsafeMutablePointer<Float>
  /// (R, hiddenSize)
  let normed: UnsafeMutablePointer<Float>
  /// Embeddings and states side by side, for models that take both. (R, 2 * hiddenSize)
  let joined: UnsafeMutablePointer<Float>
  /// What a block adds to the residual stream, where it is normalised first. (R, hiddenSize)
  let branch: UnsafeMutablePointer<Float>
  /// (R, headCount * headDim)
  let query: UnsafeMutablePointer<Float>
  /// (R, kvHeadCount * headDim)
  let key: UnsafeMutablePointer<Float>
  /// (R, kvHeadCount * headDim)
  let value: UnsafeMutablePointer<Float>
  /// (R, headCount * headDim)
  let attended: UnsafeMutablePointer<Float>
  /// (R, intermediateSize)
  let gate: UnsafeMutablePointer<Float>
  /// (R, intermediateSize)
  let up: UnsafeMutablePointer<Float>
  /// The input of a product in int8, as wide as the widest.
  let quantized: UnsafeMutableRawPointer
  /// For each rotary of the configuration.
  let rotaries: [RotaryRows]
  /// The products of one kernel call.
  let products: UnsafeMutablePointer<nk_product>
  /// The sequences of one attention call. (R)
  let attentionRows: UnsafeMutablePointer<nk_attention_rows>
  /// Embedding rows looked up since the file's pages were last released.
  var embeddingLookups = 0

  private let memory: KernelMemory

  init(configuration: ModelConfiguration, rows: Int) throws {
    self.rows = rows
    // (bytes of one row), rounded up so that every buffer starts at a multiple of 64.
    func floats(_ columns: Int) -> Int { (rows * columns * 4 + 63) / 64 * 64 }
    let joinedColumns = configuration.takesStates ? 2 * configuration.hiddenSize : 0
    let quantizedColumns = max(
      configuration.hiddenSize, joinedColumns, configuration.queryWidth,
      configuration.intermediateSize)
    let sizes = [
      floats(configuration.hiddenSize), floats(configuration.hiddenSize), floats(joinedColumns),
      floats(configuration.hiddenSize), floats(configuration.queryWidth),
      floats(configuration.kvWidth), floats(configuration.kvWidth),
      floats(configuration.queryWidth), floats(configuration.intermediateSize),
      floats(configuration.intermediateSize),
      (rows * nk_quantized_bytes(Int64(quantizedColumns)) + 63) / 64 * 64,
      (3 * MemoryLayout<nk_product>.stride + 63) / 64 * 64,
      rows * MemoryLayout<nk_attention_rows>.stride,
    ]
    let rotarySize = floats(configuration.headDim / 2)
    let memory = try KernelMemory(
      bytes: sizes.reduce(2 * rotarySize * configuration.rotaries.count, +), for: "activations")
    self.memory = memory
    rotaries = configuration.rotaries.indices.map { index in
      let cosines = memory.base + 2 * index * rotarySize
      return RotaryRows(
        cosines: cosines.assumingMemoryBound(to: Float.self),
        sines: (cosines + rotarySize).assumingMemoryBound(to: Float.self))
    }
    var next = memory.base + 2 * rotarySize * configuration.rotaries.count
    var index = 0
    func take<Element>(_ type: Element.Type) -> UnsafeMutablePointer<Element> {
      defer {
        next += sizes[index]
        index += 1
      }
      return next.assumingMemoryBound(to: type)
    }
    hidden = take(Float.self)
    normed = take(Float.self)
    joined = take(Float.self)
    branch = take(Float.self)
    query = take(Float.self)
    key = take(Float.self)
    value = take(Float.self)
    attended = take(Float.self)
    gate = take(Float.self)
    up = take(Float.self)
    quantized = UnsafeMutableRawPointer(take(UInt8.self))
    products = take(nk_product.self)
    attentionRows = take(nk_attention_rows.self)
  }
}
