/// What forward passes return, kept from pass to pass and enlarged only when a pass has more
/// rows than any before it.
final class OutputBuffers {
  /// Logits of one row.
  private let logitCount: Int
  private let hiddenSize: Int
  private let leastRows: Int
  private var logits: KernelMemory?
  private var finalHidden: KernelMemory?
  private var layers: [KernelMemory] = []

  /// - Parameter leastRows: every buffer is made for at least so many rows: pages that no pass
  ///   touches take no room.
  init(logitCount: Int, hiddenSize: Int, leastRows: Int) {
    self.logitCount = logitCount
    self.hiddenSize = hiddenSize
    self.leastRows = leastRows
  }

  /// Buffers for a pass of `rows` rows, of which `logitRows` get logits.
  /// - Throws: `LanguageModelError.notEnoughMemory`.
  func prepare(rows: Int, logitRows: Int, observing: Observation) throws -> ForwardOutput {
    var output = ForwardOutput(
      logits: try Self.rows(logitRows, logitCount, least: leastRows, in: &logits))
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

extension LogitRows {
  /// How many of a sequence's rows get logits.
  func count(of rows: Int) -> Int {
    switch self {
    case .all: rows
    case .last: 1
    case .none: 0
    }
  }
}

extension FloatRows {
  fileprivate func part(_ range: Range<Int>) -> FloatRows {
    FloatRows(base: base + range.lowerBound * columns, rows: range.count, columns: columns)
  }
}

extension ForwardOutput {
  /// One sequence's part of a pass over several.
  func part(rows: Range<Int>, logits logitRows: Range<Int>) -> ForwardOutput {
    ForwardOutput(
      logits: logits.part(logitRows), finalHidden: finalHidden?.part(rows),
      layers: layers.map { $0.part(rows) })
  }
}
