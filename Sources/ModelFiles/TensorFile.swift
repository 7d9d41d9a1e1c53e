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
