/// Medusa's heads (2401.10774): residual blocks `x + silu(W x + b)` on the target's final state, one
/// or more for each token further ahead, then the target's own output matrix.
struct MedusaNetwork: StateNetwork {
  let method = "medusa"
  let inputs = [StateKind.final]
  /// What blocks see is divided by the states' size; what they add is not.
  let inputScales: [Float] = [1]
  let embeddingScale: Float = 1
  let headScales: [Float]
  /// For each head its blocks.
  let heads: [[(weight: Parameter, bias: Parameter)]]
  let stateSize: Float

  var mostSteps: Int { heads.count }
  var parameters: [Parameter] { heads.flatMap { $0.flatMap { [$0.weight, $0.bias] } } }

  init(hidden: Int, heads: Int, blocks: Int, stateSize: Float, random: inout SeededRandom) {
    self.stateSize = stateSize
    headScales = [Float](repeating: 1, count: hidden)
    var all: [[(weight: Parameter, bias: Parameter)]] = []
    for head in 0..<heads {
      all.append(
        (0..<blocks).map { block in
          let name = MedusaLayout.block(head, block)
          return (
            .matrix("\(name).weight", rows: hidden, columns: hidden, scale: 0.1, &random),
            .bias("\(name).bias", columns: hidden)
          )
        })
    }
    self.heads = all
  }

  func outputs(_ start: DraftStart, steps: Int, in graph: Graph) -> [Variable] {
    let state = graph.constant(start.inputs[0])
    return heads.prefix(steps).map { blocks in
      blocks.reduce(state) { x, block in
        let product = graph.linear(
          graph.scale(x, by: 1 / stateSize), graph.parameter(block.weight),
          bias: graph.parameter(block.bias))
        return graph.add(x, graph.silu(product))
      }
    }
  }
}
