/// What forward passes return, kept from pass to pass and enlarged only when a pass has more
/// rows than any before it.
final class OutputBuffers {
  private let vocabularySize: Int
  private let hiddenSize: Int
  private let leastRows: Int
  private var logits: KernelMemory?
  private var finalHidden: KernelMemory?
  private var layers: [KernelMemory] = []

  /// - Parameter leastRows: every buffer is made for at least so many rows: pages that no pass
  ///   touches take no room.
  init(vocabularySize: Int, hiddenSize: Int, leastRows: Int) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.leastRows = leastRows
  }

  /// Buffers for a pass of `rows` rows.
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  func prepare(
    rows: Int, logits logitRows: LogitRows, observing: Observation
  ) throws -> ForwardOutput {
    let logitCount =
      switch logitRows {
      case .all: rows
      case .last: 1
      case .none: 0
      }
    var output = ForwardOutput(
      logits: try Self.rows(logitCount, vocabularySize, least: leastRows, in: &logits))
    if observing.finalHidden {
      output.finalHidden = try Self.rows(rows, hiddenSize, least: leastRows, in: &finalHidden)
    }
    for index in observing.layers.indices {
      var memory = index < layers.count ? layers[index] : nil
      output.layers.append(try Self.rows(rows, hiddenSize, least: leastRows, in: &memory))
      guard let memory else { continue }
      if index < layers.count { layers[index] = memory } else { layers.append(memory) }
    }
    return output
  }

  private static func rows(
    _ rows: Int, _ columns: Int, least: Int, in memory: inout KernelMemory?
  ) throws -> FloatRows {
    let rowBytes = columns * MemoryLayout<Float>.stride
    let held: KernelMemory
    if let memory, memory.bytes >= rows * rowBytes {
      held = memory
    } else {
      memory = nil  // before the larger one is made
      held = try KernelMemory(bytes: max(rows, least) * rowBytes, for: "outputs of \(rows) rows")
      memory = held
    }
    return FloatRows(
      base: held.base.assumingMemoryBound(to: Float.self), rows: rows, columns: columns)
  }
}
