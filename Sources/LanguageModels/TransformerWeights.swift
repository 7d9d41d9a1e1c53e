import ModelFiles
import NunchiKernels

/// A model's weights in memory: matrices packed for the kernels, norms and biases as floats.
/// The embedding's rows stay in the mapped file and are read when they are looked up; a model that
/// takes states looks them up in another's file.
final class TransformerWeights: @unchecked Sendable {
  // Unchecked: the memory is written while loading and only read afterwards.

  /// What makes the first layer's input of embeddings and states.
  struct Input {
    var fusion: UnsafePointer<nk_matrix>?
    var fusionBias: UnsafePointer<Float>?
    var embeddingNorm, stateNorm: UnsafePointer<Float>?
  }

  struct Layer {
    var attentionNorm: UnsafePointer<Float>?
    var query, key, value: UnsafePointer<nk_matrix>
    var queryBias, keyBias, valueBias: UnsafePointer<Float>?
    var queryNorm, keyNorm: UnsafePointer<Float>?
    var output: UnsafePointer<nk_matrix>
    var attentionPostNorm: UnsafePointer<Float>?
    var feedForwardNorm: UnsafePointer<Float>
    var gate, up, down: UnsafePointer<nk_matrix>
    var feedForwardPostNorm: UnsafePointer<Float>?
  }

  let input: Input
  let layers: UnsafePointer<Layer>
  /// The embedding matrix as the file stores it. (vocabularySize, hiddenSize)
  let embedding: StoredRows
  let finalNorm: UnsafePointer<Float>?
  let head: UnsafePointer<nk_matrix>?
  /// The whole head as the file stores it. (vocabularySize, hiddenSize)
  let headRows: StoredRows?
  /// Divisors of the first rotary's frequencies (headDim / 2), where the file has them.
  let rotaryDivisors: [Float]?
  /// Weights of all kinds, an embedding that is also the head counted once.
  let parameterCount: Int
  /// Bytes of packed matrices and of floats: what one pass reads.
  let byteCount: Int
  private let matrices: UnsafePointer<nk_matrix>
  private let packed: KernelMemory
  private let floats: KernelMemory

  /// Loads and packs all tensors that `configuration` calls for.
  /// - Parameter borrowed: another model's embedding, for one that takes states.
  /// - Throws: `LanguageModelError` for a tensor that is missing or not as it should be, and for
  ///   lack of memory, before anything large is allocated.
  init(
    file: any TensorFile, configuration: ModelConfiguration, names: TensorNames,
    borrowed: StoredRows? = nil, options: LoadingOptions, pool: ComputePool,
    progress: (Double) -> Void
  ) throws {
    var plan = WeightPlan(file: file, options: options)
    let slots = try plan.addModel(configuration, names: names)
    let shape = [configuration.vocabularySize, configuration.hiddenSize]
    embedding = try borrowed ?? plan.tensor(names.embedding, shape: shape).rows(of: file)
    headRows =
      configuration.takesStates
      ? nil
      : configuration.tiedEmbeddings
        ? embedding : try plan.tensor(names.head, shape: shape).rows(of: file)
    rotaryDivisors = try plan.rotaryDivisors(names, headDim: configuration.headDim)

    try KernelMemory.check(plan.packedBytes + plan.floatBytes, for: "\(file.path): weights")
    packed = try KernelMemory(bytes: plan.packedBytes, for: "\(file.path): weights")
    floats = try KernelMemory(bytes: plan.floatBytes, for: "\(file.path): norms and biases")
    let matrices = UnsafePointer(plan.place(in: packed))
    self.matrices = matrices
    let layers = UnsafeMutablePointer<Layer>.allocate(capacity: slots.layers.count)
    self.layers = UnsafePointer(layers)

    let floatBase = UnsafePointer(floats.base.assumingMemoryBound(to: Float.self))
    func matrix(_ slot: WeightPlan.MatrixSlot) -> UnsafePointer<nk_matrix> {
      matrices + slot.index
    }
    func vector(_ slot: WeightPlan.VectorSlot) -> UnsafePointer<Float> { floatBase + slot.offset }
    input = Input(
      fusion: slots.input.fusion.map(matrix), fusionBias: slots.input.fusionBias.map(vector),
      embeddingNorm: slots.input.embeddingNorm.map(vector),
      stateNorm: slots.input.stateNorm.map(vector))
    for (index, slot) in slots.layers.enumerated() {
      (layers + index).initialize(
        to: Layer(
          attentionNorm: slot.attentionNorm.map(vector), query: matrix(slot.query),
          key: matrix(slot.key), value: matrix(slot.value),
          queryBias: slot.queryBias.map(vector), keyBias: slot.keyBias.map(vector),
          valueBias: slot.valueBias.map(vector), queryNorm: slot.queryNorm.map(vector),
          keyNorm: slot.keyNorm.map(vector), output: matrix(slot.output),
          attentionPostNorm: slot.attentionPostNorm.map(vector),
          feedForwardNorm: vector(slot.feedForwardNorm), gate: matrix(slot.gate),
          up: matrix(slot.up), down: matrix(slot.down),
          feedForwardPostNorm: slot.feedForwardPostNorm.map(vector)))
    }
    finalNorm = slots.finalNorm.map(vector)
    head = slots.head.map(matrix)
    parameterCount =
      plan.parameterCount
      + (configuration.tiedEmbeddings || configuration.takesStates
        ? 0 : configuration.vocabularySize * configuration.hiddenSize)
    byteCount = plan.packedBytes + plan.floatBytes

    plan.loadVectors(into: floats, normOffset: configuration.normOffset)
    plan.pack(matrices, pool: pool, progress: progress)
    embedding.releasePages()
  }

  deinit {
    matrices.deallocate()
    layers.deallocate()
  }
}
