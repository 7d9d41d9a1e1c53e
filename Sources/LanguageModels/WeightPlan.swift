import ModelFiles
import NunchiKernels

/// Which tensors a model needs and where in memory they go: checked in full before anything is
/// allocated.
struct WeightPlan {
  /// An index into the model's matrices.
  struct MatrixSlot { var index: Int }
  /// An offset, in floats, into the model's norms and biases.
  struct VectorSlot { var offset: Int }

  /// What makes the first layer's input of embeddings and states.
  struct InputSlots {
    var fusion: MatrixSlot?
    var fusionBias: VectorSlot?
    var embeddingNorm, stateNorm: VectorSlot?
  }

  struct LayerSlots {
    var attentionNorm: VectorSlot?
    var query, key, value: MatrixSlot
    var queryBias, keyBias, valueBias: VectorSlot?
    var queryNorm, keyNorm: VectorSlot?
    var output: MatrixSlot
    var attentionPostNorm: VectorSlot?
    var feedForwardNorm: VectorSlot
    var gate, up, down: MatrixSlot
    var feedForwardPostNorm: VectorSlot?
  }

  struct ModelSlots {
    var input: InputSlots
    var layers: [LayerSlots]
    var finalNorm: VectorSlot?
    var head: MatrixSlot?
  }

  /// A tensor of the file that is as it should be.
  struct CheckedTensor {
    var name: String
    var shape: [Int]
    var kernelType: nk_type
    var data: UnsafeRawPointer
    var byteCount: Int

    /// A matrix's rows.
    func rows(of file: any TensorFile) -> StoredRows {
      StoredRows(
        file: file, name: name, type: kernelType, base: data, rows: shape[0], columns: shape[1])
    }
  }

  /// A tensor, or some of its rows, and its place in memory.
  private struct PlannedMatrix {
    var tensor: CheckedTensor
    /// nil: all.
    var chosen: [Int32]?
    var type: nk_type
    var rows: Int
    var offset: Int
    var bytes: Int
  }

  private let file: any TensorFile
  private let options: LoadingOptions
  private var matrices: [PlannedMatrix] = []
  private var vectors: [(tensor: CheckedTensor, offset: Int, isNorm: Bool)] = []
  private(set) var packedBytes = 0
  private(set) var floatCount = 0
  private(set) var parameterCount = 0

  var floatBytes: Int { floatCount * MemoryLayout<Float>.stride }

  init(file: any TensorFile, options: LoadingOptions = LoadingOptions()) {
    self.file = file
    self.options = options
  }

  // MARK: - Planning

  /// Adds all tensors of a model.
  /// - Throws: `LanguageModelError` for the first that is missing or not as it should be.
  mutating func addModel(
    _ configuration: ModelConfiguration, names: TensorNames
  ) throws -> ModelSlots {
    let input = try addInput(configuration, names: names)
    let layers = try (0..<configuration.layerCount).map { index in
      try addLayer(configuration, names: names, index: index)
    }
    let finalNorm =
      configuration.outputNorm
      ? try addVector(names.finalNorm, count: configuration.hiddenSize) : nil
    let head =
      configuration.takesStates
      ? nil
      : try addMatrix(
        configuration.tiedEmbeddings ? names.embedding : names.head,
        rows: configuration.vocabularySize, columns: configuration.hiddenSize,
        chosen: options.headTokens)
    try refuseOtherBiases()
    return ModelSlots(input: input, layers: layers, finalNorm: finalNorm, head: head)
  }

  private mutating func addInput(
    _ configuration: ModelConfiguration, names: TensorNames
  ) throws -> InputSlots {
    let hidden = configuration.hiddenSize
    var slots = InputSlots()
    switch configuration.input {
    case .tokens: break
    case .fused(let bias):
      slots.fusion = try addMatrix(names.fusion, rows: hidden, columns: 2 * hidden)
      if bias { slots.fusionBias = try addVector(names.fusionBias, count: hidden, isNorm: false) }
    case .paired:
      // The layer's own norm is the embedding's here.
      slots.embeddingNorm = try addVector(
        names.attentionNorm.replacing("#", with: "0"), count: hidden)
      slots.stateNorm = try addVector(names.stateNorm.replacing("#", with: "0"), count: hidden)
    }
    return slots
  }

  /// A bias that is not read would make the results wrong without a word.
  private func refuseOtherBiases() throws {
    let read = Set(vectors.map(\.tensor.name))
    for name in file.tensors.keys.sorted() where name.hasSuffix(".bias") && !read.contains(name) {
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name, expected: "no bias (not supported here)", found: "one")
    }
  }

  private mutating func addLayer(
    _ configuration: ModelConfiguration, names: TensorNames, index: Int
  ) throws -> LayerSlots {
    let hidden = configuration.hiddenSize
    let takesStates = index == 0 && configuration.takesStates
    let isPaired = index == 0 && configuration.input.isPaired
    let attentionColumns = isPaired ? 2 * hidden : hidden
    let intermediate = configuration.intermediateSize
    let queryWidth = configuration.queryWidth
    let kvWidth = configuration.kvWidth
    func name(_ pattern: String) -> String {
      pattern.replacing("#", with: "\(index)", maxReplacements: 1)
    }
    func bias(_ pattern: String, _ count: Int) throws -> VectorSlot? {
      guard configuration.queryKeyValueBias else { return nil }
      return try addVector(name(pattern), count: count, isNorm: false)
    }
    func norm(_ pattern: String, _ count: Int, if isUsed: Bool) throws -> VectorSlot? {
      isUsed ? try addVector(name(pattern), count: count) : nil
    }
    return LayerSlots(
      attentionNorm: try norm(names.attentionNorm, hidden, if: !takesStates),
      query: try addMatrix(name(names.query), rows: queryWidth, columns: attentionColumns),
      key: try addMatrix(name(names.key), rows: kvWidth, columns: attentionColumns),
      value: try addMatrix(name(names.value), rows: kvWidth, columns: attentionColumns),
      queryBias: try bias(names.queryBias, queryWidth),
      keyBias: try bias(names.keyBias, kvWidth),
      valueBias: try bias(names.valueBias, kvWidth),
      queryNorm: try norm(
        names.queryNorm, configuration.headDim, if: configuration.queryKeyNorm),
      keyNorm: try norm(names.keyNorm, configuration.headDim, if: configuration.queryKeyNorm),
      output: try addMatrix(name(names.output), rows: hidden, columns: queryWidth),
      attentionPostNorm: try norm(
        names.attentionPostNorm, hidden, if: configuration.postNorms),
      feedForwardNorm: try addVector(name(names.feedForwardNorm), count: hidden),
      gate: try addMatrix(name(names.gate), rows: intermediate, columns: hidden),
      up: try addMatrix(name(names.up), rows: intermediate, columns: hidden),
      down: try addMatrix(name(names.down), rows: hidden, columns: intermediate),
      feedForwardPostNorm: try norm(
        names.feedForwardPostNorm, hidden, if: configuration.postNorms))
  }

  private mutating func addMatrix(
    _ name: String, rows: Int, columns: Int, chosen: [Int32]? = nil
  ) throws -> MatrixSlot {
    let tensor = try tensor(name, shape: [rows, columns])
    let isQuantized =
      options.quantizesFloats && nk_block_elements(tensor.kernelType) == 1
      && columns.isMultiple(of: Int(nk_block_elements(NK_Q8_0)))
    let type = isQuantized ? NK_Q8_0 : tensor.kernelType
    let rows = chosen?.count ?? rows
    let bytes = nk_packed_bytes(type, Int64(rows), Int64(columns))
    guard bytes > 0 else {
      let block = nk_block_elements(tensor.kernelType)
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name, expected: "columns in whole blocks of \(block)",
        found: "\(columns) columns")
    }
    matrices.append(
      PlannedMatrix(
        tensor: tensor, chosen: chosen, type: type, rows: rows, offset: packedBytes, bytes: bytes))
    packedBytes += (bytes + 63) / 64 * 64
    parameterCount += tensor.shape[0] * columns
    return MatrixSlot(index: matrices.count - 1)
  }

  private mutating func addVector(
    _ name: String, count: Int, isNorm: Bool = true
  ) throws -> VectorSlot {
    let tensor = try tensor(name, shape: [count])
    let offset = floatCount
    vectors.append((tensor, offset, isNorm))
    floatCount += (count + 15) / 16 * 16
    parameterCount += count
    return VectorSlot(offset: offset)
  }

  /// A tensor of the file, checked.
  func tensor(_ name: String, shape: [Int]) throws -> CheckedTensor {
    guard let info = file.tensors[name] else {
      throw LanguageModelError.missingTensor(file: file.path, tensor: name, expected: shape)
    }
    guard info.shape == shape else {
      throw LanguageModelError.tensorShape(
        file: file.path, tensor: name, expected: shape, found: info.shape)
    }
    guard !info.type.isInteger else {
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name, expected: "floats or quantized weights",
        found: "integers (\(info.type.name))")
    }
    let columns = shape[shape.count - 1]
    guard columns % info.type.blockElements == 0 else {
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name,
        expected: "columns in whole blocks of \(info.type.blockElements)",
        found: "\(columns) columns of \(info.type.name)")
    }
    let data = try file.data(of: name)
    let bytes = shape.reduce(1, *) / info.type.blockElements * info.type.blockBytes
    guard let base = data.baseAddress, data.count == bytes else {
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name, expected: "\(bytes) bytes", found: "\(data.count) bytes")
    }
    return CheckedTensor(
      name: name, shape: shape, kernelType: nk_type(info.type.rawValue), data: base,
      byteCount: bytes)
  }

  /// The divisors of rotary frequencies, if the file has them.
  func rotaryDivisors(_ names: TensorNames, headDim: Int) throws -> [Float]? {
    guard let name = names.rotaryDivisors, file.tensors[name] != nil else { return nil }
    let tensor = try tensor(name, shape: [headDim / 2])
    let divisors = [Float](unsafeUninitializedCapacity: headDim / 2) { buffer, count in
      nk_dequantize(tensor.kernelType, tensor.data, buffer.baseAddress, Int64(headDim / 2))
      count = headDim / 2
    }
    guard divisors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw LanguageModelError.tensorKind(
        file: file.path, tensor: name, expected: "positive numbers", found: "others")
    }
    return divisors
  }

  // MARK: - Loading

  /// The matrices, their data within `memory` still empty.
  func place(in memory: KernelMemory) -> UnsafeMutablePointer<nk_matrix> {
    let placed = UnsafeMutablePointer<nk_matrix>.allocate(capacity: matrices.count)
    for (index, matrix) in matrices.enumerated() {
      (placed + index).initialize(
        to: nk_matrix(
          type: matrix.type, rows: Int64(matrix.rows), columns: Int64(matrix.tensor.shape[1]),
          data: memory.base + matrix.offset))
    }
    return placed
  }

  /// Fills norms and biases.
  func loadVectors(into memory: KernelMemory, normOffset: Float) {
    let base = memory.base.assumingMemoryBound(to: Float.self)
    for (tensor, offset, isNorm) in vectors {
      let count = tensor.shape[0]
      nk_dequantize(tensor.kernelType, tensor.data, base + offset, Int64(count))
      guard isNorm, normOffset != 0 else { continue }
      for index in 0..<count { base[offset + index] += normOffset }
    }
  }

  /// Packs all matrices. A tensor's pages leave memory as soon as it is packed, so that no more
  /// than one matrix is there twice.
  func pack(
    _ placed: UnsafePointer<nk_matrix>, pool: ComputePool, progress: (Double) -> Void
  ) {
    var done = 0
    for (index, matrix) in matrices.enumerated() {
      let (rows, bytes) = (matrix.rows, matrix.bytes)
      // Piece by piece, so that never much of the file is in memory beside what is packed of it.
      let step = max(1, Self.pieceBytes * rows / bytes / Self.panelRows) * Self.panelRows
      for first in stride(from: 0, to: rows, by: step) {
        let count = min(step, rows - first)
        matrix.tensor.rows(of: file).pack(
          matrix.chosen, into: placed + index, places: first..<first + count, pool: pool)
        file.releasePages(of: matrix.tensor.name)
        done += bytes * count / rows
        progress(Double(done) / Double(max(packedBytes, done)))
      }
    }
  }

  private static let panelRows = Int(NK_PANEL)
  private static let pieceBytes = 32 << 20
}
