import Drafters
import LanguageModels
import ModelFiles

/// Medusa's heads (2401.10774): residual blocks on the target's final state, for each token further
/// ahead its own, then the target's output matrix.
struct MedusaNetwork: StateNetwork {
  let method = "medusa"
  let inputs = [StateKind.final]
  var inputScales: [[Float]] { [headScales] }
  let embeddingScale: Float = 1
  let headScales: [Float]
  /// For each head its blocks.
  private let heads: [[ResidualBlock]]
  /// What brings final states to size 1, on which products are computed. (hidden)
  private let scales: [Float]

  var mostSteps: Int { heads.count }
  var parameters: [Parameter] { heads.flatMap { $0.flatMap(\.parameters) } }

  init(
    _ configuration: HeadsConfiguration, hidden: Int, sizes: StateSizes,
    random: inout SeededRandom
  ) {
    scales = sizes.states[0].map { 1 / $0 }
    headScales = [Float](repeating: 1, count: hidden)
    var heads: [[ResidualBlock]] = []
    for head in 0..<configuration.heads {
      heads.append(
        (0..<configuration.blocks).map {
          ResidualBlock(
            MedusaLayout().block(head: head, layer: $0), rows: hidden, columns: hidden,
            random: &random)
        })
    }
    self.heads = heads
  }

  func outputs(_ start: DraftStart, steps: Int, in graph: Graph) -> [Variable] {
    let state = graph.constant(start.inputs[0])
    return heads.prefix(steps).map { blocks in
      blocks.reduce(state) { $1($0, scales: scales, in: graph) }
    }
  }

  /// vLLM's layout, with the rows of the target's output matrix that all heads use.
  func export(_ setup: StateTraining) throws -> DrafterExport {
    let (hidden, cut) = (setup.target.hiddenSize, setup.cut)
    return DrafterExport(
      method: method,
      configuration: [
        "architectures": ["MedusaModel"],
        "model_type": "medusa",
        "hidden_size": hidden,
        "vocab_size": cut.vocabularySize,
        "truncated_vocab_size": cut.tokens.count,
        "num_heads": heads.count,
        "num_hidden_layers": heads[0].count,
        "medusa_num_heads": heads.count,
        "medusa_num_layers": heads[0].count,
        "medusa_fc_bias": true,
        "original_lm_head": true,
        "torch_dtype": "bfloat16",
      ],
      weights: heads.flatMap { $0.flatMap { $0.exported(columns: scales) } },
      copies: [(MedusaLayout.targetOutput, try setup.target.head(cut))],
      tables: cut.isWhole
        ? []
        : [
          (
            TensorInfo(name: MedusaLayout().tokenMap, type: .i64, shape: [cut.tokens.count]),
            cut.tokens.map(Int64.init)
          )
        ], cut: cut)
  }
}
