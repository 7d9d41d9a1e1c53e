extension SeededRandom {
  /// Numbers of one purpose among several: streams of one seed have nothing to do with each other.
  init(seed: UInt64, stream: UInt64) {
    var first = SeededRandom(seed: seed)
    self.init(seed: first.next() ^ stream &* 0xD1B5_4A32_D192_ED03)
  }

  /// A number in [-1, 1).
  mutating func signed() -> Float { Float(Int32(truncatingIfNeeded: next() >> 32)) * 0x1p-31 }
}

extension Parameter {
  /// A matrix of small random weights: a row's products with inputs of size 1 have size `scale`.
  static func matrix(
    _ name: String, rows: Int, columns: Int, scale: Float = 1, _ random: inout SeededRandom
  ) -> Parameter {
    // Uniform numbers in (-1, 1) have the variance 1/3.
    let bound = scale * (3 / Float(columns)).squareRoot()
    let value = Tensor(shape: [rows, columns])
    for index in 0..<value.count { value.data[index] = bound * random.signed() }
    return Parameter(name: name, value: value, decays: true)
  }

  /// The weights of a norm, all 1.
  static func norm(_ name: String, columns: Int) -> Parameter {
    Parameter(
      name: name, value: Tensor(shape: [columns], [Float](repeating: 1, count: columns)),
      decays: false)
  }
}
