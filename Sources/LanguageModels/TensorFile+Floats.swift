import ModelFiles
import NunchiKernels

extension TensorFile {
  /// A tensor's elements as floats, row by row: for the few tensors of a drafter.
  /// - Throws: `LanguageModelError` when it is missing, of another shape, or not finite.
  public func floats(of name: String, shape: [Int]) throws -> [Float] {
    let tensor = try WeightPlan(file: self).tensor(name, shape: shape)
    let count = shape.reduce(1, *)
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
      nk_dequantize(tensor.kernelType, tensor.data, buffer.baseAddress, Int64(count))
      filled = count
    }
    releasePages(of: name)
    guard values.allSatisfy(\.isFinite) else {
      throw LanguageModelError.tensorKind(
        file: path, tensor: name, expected: "finite numbers", found: "others")
    }
    return values
  }
}
