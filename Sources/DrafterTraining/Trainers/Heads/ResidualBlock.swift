/// The linear layer of a block `x + silu(W x + b)`.
struct ResidualBlock {
  let weight, bias: Parameter

  /// - Parameter name: without `.weight` and `.bias`.
  init(
    _ name: String, rows: Int, columns: Int, scale: Float = 0.1, random: inout SeededRandom
  ) {
    weight = .matrix("\(name).weight", rows: rows, columns: columns, scale: scale, &random)
    bias = Parameter(name: "\(name).bias", value: Tensor(shape: [rows]), decays: false)
  }

  var parameters: [Parameter] { [weight, bias] }

  func product(_ x: Variable, in graph: Graph) -> Variable {
    graph.linear(x, graph.parameter(weight), bias: graph.parameter(bias))
  }

  /// - Parameter scales: what x's columns are multiplied by before it enters the product.
  func callAsFunction(_ x: Variable, scales: [Float], in graph: Graph) -> Variable {
    graph.add(x, graph.silu(product(graph.scaleColumns(of: x, by: scales), in: graph)))
  }

  /// The weights with the scales of what comes in, and of what comes out, in them.
  func exported(columns scales: [Float], rows factors: [Float]? = nil) -> [(String, Tensor)] {
    let weight = weight.value.copy()
    weight.scaleColumns(by: scales)
    let bias = bias.value.copy()
    if let factors {
      weight.scaleRows(by: factors)
      bias.scaleColumns(by: factors)
    }
    return [(self.weight.name, weight), (self.bias.name, bias)]
  }
}
