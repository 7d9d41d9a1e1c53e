import Drafters
import LanguageModels

/// Hydra's heads (2402.05109): as Medusa's, but head i's first block also sees the embeddings of the
/// pending token and of the i tokens drafted after it. In training these are the document's.
struct HydraNetwork: StateNetwork {
  let method = "hydra"
  let inputs = [StateKind.final]
  var inputScales: [[Float]] { [stateSizes.map { 1 / $0 }] }
  let embeddingScale: Float
  let headScales: [Float]
  private let heads: [Head]
  /// The sizes of final states. (hidden)
  private let stateSizes: [Float]

  private struct Head {
    /// What the first block adds to.
    let residual: ResidualBlock
    let blocks: [ResidualBlock]
  }

  var mostSteps: Int { heads.count }
  var parameters: [Parameter] {
    heads.flatMap { $0.residual.parameters + $0.blocks.flatMap(\.parameters) }
  }

  init(
    _ configuration: HeadsConfiguration, hidden: Int, sizes: StateSizes,
    random: inout SeededRandom
  ) {
    stateSizes = sizes.states[0]
    embeddingScale = 1 / sizes.embedding
    headScales = [Float](repeating: 1, count: hidden)
    let layout = HydraLayout()
    var heads: [Head] = []
    for head in 0..<configuration.heads {
      let columns = (head + 2) * hidden
      heads.append(
        Head(
          residual: ResidualBlock(
            layout.residual(head: head), rows: hidden, columns: columns, scale: 1,
            random: &random),
          blocks: (0..<configuration.blocks).map {
            ResidualBlock(
              layout.block(head: head, layer: $0), rows: hidden,
              columns: $0 == 0 ? columns : hidden, random: &random)
          }))
    }
    self.heads = heads
  }

  /// At first what the first blocks add to predicts each state, as well as a linear map can.
  func prepare(_ setup: StateTraining) throws {
    for (step, head) in heads.enumerated() {
      let guess = try linearGuess(
        step: step, embeddings: step + 1, embeddingsFirst: false, setup: setup)
      guess.scaleRows(by: inputScales[0])
      head.residual.weight.value.set(guess)
    }
  }

  func outputs(_ start: DraftStart, steps: Int, in graph: Graph) -> [Variable] {
    var seen = [graph.constant(start.inputs[0])]
    return heads.prefix(steps).enumerated().map { step, head in
      seen.append(graph.constant(start.embeddings(ahead: 1 + step)))
      let input = graph.concatenate(seen)
      let first = graph.add(
        graph.scaleColumns(of: head.residual.product(input, in: graph), by: stateSizes),
        graph.silu(head.blocks[0].product(input, in: graph)))
      return head.blocks.dropFirst().reduce(first) { $1($0, scales: inputScales[0], in: graph) }
    }
  }

  /// zankner/Hydra's layout of `mlp` heads, without the output matrices, which are the target's.
  func export(_ setup: StateTraining) -> DrafterExport {
    let hidden = setup.target.hiddenSize
    let state = inputScales[0]
    let embedding = [Float](repeating: embeddingScale, count: hidden)
    var weights: [(String, Tensor)] = []
    for (index, head) in heads.enumerated() {
      let scales = state + (0...index).flatMap { _ in embedding }
      weights += head.residual.exported(columns: scales, rows: stateSizes)
      for (layer, block) in head.blocks.enumerated() {
        weights += block.exported(columns: layer == 0 ? scales : state)
      }
    }
    return DrafterExport(
      method: method,
      configuration: [
        "hydra_num_heads": heads.count,
        "hydra_num_layers": heads[0].blocks.count,
        "hydra_head_arch": "mlp",
        "grounded_heads": true,
        "hidden_size": hidden,
        "vocab_size": setup.target.model.vocabularySize,
        "base_model_name_or_path": setup.target.identity.name,
        "torch_dtype": "bfloat16",
      ], weights: weights, cut: setup.cut)
  }
}
