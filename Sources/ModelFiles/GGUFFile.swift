/// A model in the GGUF format, versions 2 and 3, little-endian: metadata and tensors of one
/// mapped file. All lengths, counts and offsets are checked when it is opened.
public final class GGUFFile: TensorFile, Sendable {
  public let path: String
  /// All metadata, by key. The typed getters (`int`, `string`, …) give clear errors.
  public let metadata: [String: GGUFValue]
  public let tensors: [String: TensorInfo]
  /// 2 or 3.
  public let version: Int
  /// Bytes of the whole file.
  public var fileSize: Int { file.bytes.count }

  private let file: MappedFile
  /// Each tensor's bytes, as a range of the file.
  private let ranges: [String: Range<Int>]

  /// Opens and checks a file. Tensor data is not read.
  /// - Throws: `ModelFileError` when it cannot be opened, is no GGUF file, is damaged, is one
  ///   part of a split model, or stores a tensor in a type that is not read here.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    var parser = GGUFParser(file: file)
    try parser.parse()
    self.path = path
    self.file = file
    version = parser.version
    metadata = parser.metadata
    tensors = parser.tensors
    ranges = parser.ranges
  }

  public func data(of name: String) throws -> UnsafeRawBufferPointer {
    guard let range = ranges[name] else {
      throw ModelFileError.missingTensor(path: path, name: name)
    }
    return UnsafeRawBufferPointer(rebasing: file.bytes[range])
  }

  public func releasePages(of name: String) {
    if let range = ranges[name] { file.releasePages(range) }
  }
}
