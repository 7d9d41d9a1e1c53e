import NunchiKernels

/// Keys and values of one sequence in half precision, and the buffers that its forward passes
/// return.
///
/// A slot holds one token. Slots below `count` are committed; the rows of the last forward pass,
/// and of those that it extended, follow them until `commit(path:)` or `truncate(to:)`.
public final class TransformerCache: KVCache {
  public private(set) var count = 0
  /// A multiple of 16, at least what was asked for.
  public let capacity: Int
  public private(set) var pendingCount = 0

  /// One for each layer.
  let layers: UnsafePointer<nk_kv>
  /// For each rotary of the configuration.
  let rotaries: [RotaryTable]
  let outputs: OutputBuffers
  /// Another cache's buffers that hold this one's part of a pass over several sequences, so that
  /// they live as long as both.
  var sharedOutputs: OutputBuffers?
  /// The model that made this cache: another's shapes would not fit.
  let weights: TransformerWeights
  /// Of each pending row its parent, counted from the first pending one, -1 after the committed
  /// tokens. (capacity)
  let pendingParents: UnsafeMutablePointer<Int32>
  /// Whether each pending row follows the one before it.
  private(set) var pendingIsChain = true

  private let layerCount: Int
  private let memory: KernelMemory

  private static let mostTokens = 134_217_728

  init(model: TransformerModel, capacity requested: Int) throws {
    guard requested >= 1, requested <= Self.mostTokens else {
      throw LanguageModelError.capacityOutOfRange(requested: requested, limit: Self.mostTokens)
    }
    let configuration = model.configuration
    let capacity = (requested + 15) / 16 * 16
    let kvBytes = nk_kv_bytes(
      Int64(capacity), Int64(configuration.kvHeadCount), Int64(configuration.headDim))
    let stride = (kvBytes + 63) / 64 * 64
    let (bytes, overflow) = stride.multipliedReportingOverflow(by: 2 * configuration.layerCount)
    let purpose = "cache of \(capacity) tokens"
    try KernelMemory.check(overflow ? .max : bytes, for: purpose)
    let memory = try KernelMemory(bytes: bytes, for: purpose)
    let rows = min(TransformerModel.chunkRows, capacity)
    rotaries = try zip(model.rotaryFrequencies, model.configuration.rotaries).map {
      try RotaryTable(frequencies: $0, magnitude: $1.magnitude, capacity: capacity)
    }
    outputs = OutputBuffers(
      logitCount: model.logitCount, hiddenSize: configuration.hiddenSize,
      leastRows: rows)
    let layers = UnsafeMutablePointer<nk_kv>.allocate(capacity: configuration.layerCount)
    for layer in 0..<configuration.layerCount {
      let keys = memory.base + 2 * layer * stride
      (layers + layer).initialize(
        to: nk_kv(
          keys: keys.assumingMemoryBound(to: UInt16.self),
          values: (keys + stride).assumingMemoryBound(to: UInt16.self),
          capacity: Int64(capacity), kv_heads: Int64(configuration.kvHeadCount),
          head_dim: Int64(configuration.headDim)))
    }
    self.layers = UnsafePointer(layers)
    self.memory = memory
    self.capacity = capacity
    layerCount = configuration.layerCount
    weights = model.weights
    pendingParents = .allocate(capacity: capacity)
  }

  deinit {
    layers.deallocate()
    pendingParents.deallocate()
  }

  public func commit(path: [Int]) {
    var parent: Int32 = -1
    for (index, row) in path.enumerated() {
      precondition(
        row >= 0 && row < pendingCount && pendingParents[row] == parent,
        "commit(path:): row \(row) does not follow row \(parent) of \(pendingCount)")
      parent = Int32(row)
      // Parents come before children, so row >= index and no slot is overwritten too early.
      guard row != index else { continue }
      for layer in 0..<layerCount {
        nk_kv_move(layers + layer, Int64(count + row), Int64(count + index))
      }
    }
    count += path.count
    dropPending()
  }

  public func truncate(to length: Int) {
    precondition(length >= 0 && length <= count, "truncate(to: \(length)) of \(count) tokens")
    count = length
    dropPending()
  }

  /// Forgets the rows of the last pass.
  func dropPending() {
    pendingCount = 0
    pendingIsChain = true
  }

  /// Whether the pending rows, with rows of these parents after them, are a chain.
  func isChain(extendedBy parents: [Int32]) -> Bool {
    pendingIsChain && parents.indices.allSatisfy { Int(parents[$0]) == pendingCount + $0 - 1 }
  }

  /// Notes the parents of rows that follow the pending ones and are about to be computed.
  func place(_ parents: [Int32]) {
    parents.withUnsafeBufferPointer { parents in
      guard let base = parents.baseAddress else { return }
      (pendingParents + pendingCount).update(from: base, count: parents.count)
    }
  }

  /// Makes the rows of `place(_:)` pending, now that they are stored.
  func addPending(_ rows: Int, isChain: Bool) {
    pendingCount += rows
    pendingIsChain = isChain
  }

  /// For tests: what holds after every call.
  func _checkInvariants() {
    precondition(capacity % 16 == 0 && capacity > 0)
    precondition(count >= 0 && pendingCount >= 0 && count + pendingCount <= capacity)
    for row in 0..<pendingCount {
      precondition(pendingParents[row] >= -1 && pendingParents[row] < row)
      precondition(!pendingIsChain || pendingParents[row] == row - 1)
    }
    for layer in 0..<layerCount { precondition(layers[layer].capacity == capacity) }
  }
}
