import Foundation

/// What a model's files say of it, from metadata alone. Sizes that they do not say are nil.
public struct ModelSummary: Sendable, Equatable, Codable {
  /// Tensors that are stored alike.
  public struct TensorKind: Sendable, Equatable, Codable {
    public var type: String
    public var count: Int
    public var bytes: Int
  }

  public struct SpecialToken: Sendable, Equatable, Codable {
    /// What it is for, such as `bos`, or `special`.
    public var role: String
    public var id: Int
    public var text: String?
  }

  public struct Tokenizer: Sendable, Equatable, Codable {
    public var kind: String
    /// The rule that text is split by first, where the file names one.
    public var preTokenizer: String?
    public var size: Int
    public var specialTokens: [SpecialToken]
  }

  public var path: String
  /// Such as `GGUF 3` or `safetensors`.
  public var format: String
  public var name: String?
  public var architecture: String
  public var layers: Int?
  public var hiddenSize: Int?
  public var feedForwardSize: Int?
  public var heads: Int?
  public var keyValueHeads: Int?
  public var keySize: Int?
  public var valueSize: Int?
  public var contextLength: Int?
  public var vocabularySize: Int?
  public var parameters: Int
  public var tensorKinds: [TensorKind]
  public var tokenizer: Tokenizer?
  public var chatTemplate: String?
  /// Bytes of all tensors, as stored.
  public var weightBytes: Int
  /// Bytes of the keys and values of 1,000 tokens with 2 bytes a number, if every layer keeps
  /// them all.
  public var cacheBytesPerThousandTokens: Int?

  /// Reads the metadata of a model's files.
  /// - Throws: `ModelFileError` when a file is missing or damaged.
  public init(of location: ModelLocation) throws {
    switch location {
    case .gguf(let path): try self.init(gguf: GGUFFile(path: path))
    case .huggingFace(let folder): try self.init(folder: folder)
    }
  }

  /// The part that every format has.
  init(path: String, format: String, architecture: String, file: some TensorFile) {
    self.path = path
    self.format = format
    self.architecture = architecture
    var kinds: [String: TensorKind] = [:]
    parameters = 0
    for info in file.tensors.values {
      let type = info.type.name
      kinds[type, default: TensorKind(type: type, count: 0, bytes: 0)].count += 1
      kinds[type]?.bytes += info.byteCount ?? 0
      parameters = Self.sum(parameters, info.elementCount ?? 0)
    }
    tensorKinds = kinds.values.sorted { ($0.bytes, $1.type) > ($1.bytes, $0.type) }
    weightBytes = tensorKinds.reduce(0) { $0 + $1.bytes }
  }

  /// Fills in what follows from the other sizes.
  mutating func completeSizes() {
    keyValueHeads = keyValueHeads ?? heads
    if let hiddenSize, let heads, heads > 0 {
      keySize = keySize ?? hiddenSize / heads
      valueSize = valueSize ?? hiddenSize / heads
    }
    if let layers, let keyValueHeads, let keySize, let valueSize {
      let rowSize = Self.sum(keySize, valueSize)
      cacheBytesPerThousandTokens = [layers, keyValueHeads, rowSize, 2, 1000].reduce(
        1, Self.product)
    }
  }

  // Sizes come from files: results that do not fit are the largest number.

  private static func sum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }

  private static func product(_ left: Int, _ right: Int) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : product
  }
}
