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

  /// - Parameter size: what x is divided by before it enters the product.
  func callAsFunction(_ x: Variable, size: Float, in graph: Graph) -> Variable {
    graph.add(x, graph.silu(product(graph.scale(x, by: 1 / size), in: graph)))
  }

  /// The weights with the columns' scales in them.
  func exported(columns scales: [Float], rows factor: Float = 1) -> [(String, Tensor)] {
    let weight = weight.value.copy()
    weight.scaleColumns(by: scales)
    let bias = bias.value.copy()
    for tensor in [weight, bias] where factor != 1 { tensor.scale(by: factor) }
    return [(self.weight.name, weight), (self.bias.name, bias)]
  }
}
