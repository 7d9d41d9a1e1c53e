/// What trainers that learn from the target's states have in common: the target, the states, and
/// the tokens that the drafter proposes.
public struct StateTraining {
  public let target: TrainingTarget
  public let training: any StateSource
  public let validation: any StateSource
  public let cut: VocabularyCut
  /// The most rows of a micro-batch.
  public let batchRows: Int
  public let seed: UInt64
  /// The most rows that a validation looks at.
  public var validationRows: Int
  /// Measures the drafter as it will be used; nil leaves that out.
  public var probe: AcceptanceProbe?

  /// - Throws: `TrainingError.setting` when the states are not the target's or there are too few.
  public init(
    target: TrainingTarget, training: any StateSource, validation: any StateSource,
    cut: VocabularyCut, batchRows: Int, seed: UInt64, validationRows: Int = 8192,
    probe: AcceptanceProbe? = nil
  ) throws {
    let remedy = ": more prompts, or another validation.share"
    for (name, source, more) in [
      ("training states", training, ""), ("validation states", validation, remedy),
    ] {
      guard source.hiddenSize == target.hiddenSize else {
        throw TrainingError.setting(
          name: name, expected: "states of \(target.hiddenSize) numbers, as the target's",
          found: "\(source.hiddenSize)")
      }
      guard source.documentCount > 0, source.rowCount >= Self.fewestRows else {
        throw TrainingError.setting(
          name: name, expected: "at least \(Self.fewestRows) tokens\(more)",
          found: "\(source.rowCount) in \(source.documentCount) documents")
      }
    }
    self.target = target
    self.training = training
    self.validation = validation
    self.cut = cut
    self.batchRows = batchRows
    self.seed = seed
    self.validationRows = validationRows
    self.probe = probe
  }

  private static let fewestRows = 16

  func batch(_ index: Int) throws -> StateBatch {
    try training.batch(at: index, seed: seed, rows: batchRows)
  }

  /// The rows of all validation batches, batch after batch: always the same, of documents from
  /// anywhere, as files of one language or subject may follow one another; none twice.
  func forEachValidationBatch(_ body: (StateBatch) throws -> Void) throws {
    var (index, rows, documents) = (0, 0, 0)
    while rows < validationRows, documents < validation.documentCount {
      let batch = try validation.batch(at: index, seed: 0, rows: batchRows)
      try body(batch)
      index += 1
      rows += batch.rows
      documents += batch.segments.count
    }
    // Blocks of sizes that training does not ask for.
    TensorMemory.trim()
  }

  /// The acceptance length of a drafter, measured by decoding; nothing without a probe.
  func measured(_ export: () throws -> DrafterExport) throws -> [TrainingFigure] {
    guard let probe, !probe.prompts.isEmpty else { return [] }
    let length = try probe.acceptanceLength(target: target.model) {
      try export().write(to: $0, target: target, provenance: nil)
    }
    return [TrainingFigure(name: acceptanceLengthFigure, value: length)]
  }

  /// What decides the course of a run.
  var options: [String: String] {
    [
      "target": target.identity.sha256, "tokens": "\(cut.tokens.count)",
      "documents": "\(training.documentCount)", "rows": "\(training.rowCount)",
      "batch rows": "\(batchRows)",
    ]
  }

  /// The sizes of some states and of embeddings, measured on the first batches.
  func sizes(of kinds: [StateKind], batches: Int = 4) throws -> StateSizes {
    try StateSizes(kinds, of: (0..<batches).map(batch), target: target)
  }
}

/// How large the target's states and embeddings are: drafters learn on numbers of size 1.
struct StateSizes {
  /// The root mean square of each column of each kind of state. (kinds, hidden)
  var states: [[Float]]
  /// The root mean square of embeddings' elements.
  var embedding: Float

  init(_ kinds: [StateKind], of batches: [StateBatch], target: TrainingTarget) throws {
    let none = [Double](repeating: 0, count: target.hiddenSize)
    var squares = [[Double]](repeating: none, count: kinds.count)
    var (embeddings, rows) = (none, 0)
    func add(_ tensor: Tensor, to sums: inout [Double]) {
      for row in 0..<tensor.rows {
        for column in 0..<tensor.columns {
          let value = Double(tensor.data[row * tensor.columns + column])
          sums[column] += value * value
        }
      }
    }
    for batch in batches {
      for (index, kind) in kinds.enumerated() { add(batch.states(kind), to: &squares[index]) }
      add(try target.embeddings(of: batch.tokens), to: &embeddings)
      rows += batch.rows
    }
    func root(_ sum: Double, _ count: Int) -> Float {
      max(1e-6, Float((sum / Double(max(1, count))).squareRoot()))
    }
    states = squares.map { $0.map { root($0, rows) } }
    embedding = root(embeddings.reduce(0, +), rows * target.hiddenSize)
  }
}

extension StateBatch {
  /// The states of all rows. (rows, hiddenSize)
  func states(_ kind: StateKind) -> Tensor {
    let states = Tensor(shape: [rows, hiddenSize])
    copy(kind, into: states.data)
    return states
  }

  /// Each row's place in its document.
  var positions: [Int32] {
    segments.flatMap { segment in segment.map { Int32($0 - segment.lowerBound) } }
  }

  /// For each row the row that lies `distance` further on in its document, or nil.
  func shifted(by distance: Int) -> [Int?] {
    segments.flatMap { segment in
      segment.map { $0 + distance < segment.upperBound ? $0 + distance : nil }
    }
  }
}
