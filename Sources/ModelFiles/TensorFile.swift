/// One tensor of a file.
public struct TensorInfo: Sendable, Equatable {
  public var name: String
  public var type: TensorType
  /// Outermost dimension first: a matrix is (rows, columns), rows being outputs.
  public var shape: [Int]

  public init(name: String, type: TensorType, shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }
}

/// A file, or a set of files, that holds named tensors.
public protocol TensorFile: AnyObject, Sendable {
  /// What errors call it: the path.
  var path: String { get }
  /// Every tensor, by name.
  var tensors: [String: TensorInfo] { get }
  /// The tensor's bytes in the mapped file: exactly as many as its type and shape need.
  /// Valid as long as the file object lives.
  /// - Throws: `ModelFileError.missingTensor`.
  func data(of name: String) throws -> UnsafeRawBufferPointer
  /// Tells the system that the tensor's pages are not needed soon, so that they leave memory.
  func releasePages(of name: String)
}

extension TensorInfo {
  /// Elements of all dimensions, or nil when there are 2^63 or more.
  public var elementCount: Int? {
    // A zero dimension makes the count zero, whatever the others are.
    if shape.contains(0) { return 0 }
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow, dimension > 0 else { return nil }
      count = product
    }
    return count
  }

  /// Bytes that the tensor's data takes, or nil when its rows are not whole blocks or there are
  /// 2^63 bytes or more.
  public var byteCount: Int? {
    guard let count = elementCount, (shape.last ?? 1).isMultiple(of: type.blockElements) else {
      return nil
    }
    let (bytes, overflow) = (count / type.blockElements)
      .multipliedReportingOverflow(by: type.blockBytes)
    return overflow ? nil : bytes
  }
}
