import NunchiKernels

/// Activations of one cache's forward passes, reused from pass to pass. R is `rows`.
final class Workspace {
  /// The most rows of one chunk.
  let rows: Int

  /// The residual stream. (R, hiddenSize)
  let hidden: UnsafeMutablePointer<Float>
  /// (R, hiddenSize)
  let normed: UnsafeMutablePointer<Float>
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
  /// -1, 0, 1, …: the parents of a chain's rows. (R)
  let chainParents: UnsafeMutablePointer<Int32>
  /// Each row's position in the sequence. (R)
  let positions: UnsafeMutablePointer<Int32>
  /// For each rotary of the configuration.
  let rotaries: [RotaryTable]
  /// The products of one kernel call.
  let products: UnsafeMutablePointer<nk_product>

  private let memory: KernelMemory

  init(model: TransformerModel, rows: Int, capacity: Int) throws {
    let configuration = model.configuration
    self.rows = rows
    // (bytes of one row), rounded up so that every buffer starts at a multiple of 64.
    func floats(_ columns: Int) -> Int { (rows * columns * 4 + 63) / 64 * 64 }
    let quantizedColumns = max(
      configuration.hiddenSize, configuration.queryWidth, configuration.intermediateSize)
    let sizes = [
      floats(configuration.hiddenSize), floats(configuration.hiddenSize),
      floats(configuration.hiddenSize), floats(configuration.queryWidth),
      floats(configuration.kvWidth), floats(configuration.kvWidth),
      floats(configuration.queryWidth), floats(configuration.intermediateSize),
      floats(configuration.intermediateSize),
      rows * nk_quantized_bytes(Int64(quantizedColumns)), floats(1), floats(1),
      3 * MemoryLayout<nk_product>.stride,
    ]
    let memory = try KernelMemory(bytes: sizes.reduce(0, +), for: "activations")
    self.memory = memory
    var next = memory.base
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
    branch = take(Float.self)
    query = take(Float.self)
    key = take(Float.self)
    value = take(Float.self)
    attended = take(Float.self)
    gate = take(Float.self)
    up = take(Float.self)
    quantized = UnsafeMutableRawPointer(take(UInt8.self))
    chainParents = take(Int32.self)
    positions = take(Int32.self)
    products = take(nk_product.self)
    for row in 0..<rows { chainParents[row] = Int32(row) - 1 }
    rotaries = try model.rotaryFrequencies.map {
      try RotaryTable(frequencies: $0, capacity: capacity, rows: rows)
    }
  }
}
