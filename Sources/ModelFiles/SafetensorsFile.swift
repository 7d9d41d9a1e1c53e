import Foundation

/// Tensors in the safetensors format: one file, or the shards that an index file names.
/// F32, F16, BF16, I8, I32, I64, U8 and BOOL are read. All offsets are checked when it is opened.
public final class SafetensorsFile: TensorFile, Sendable {
  public let path: String
  public let tensors: [String: TensorInfo]
  /// The strings of `__metadata__`; of several shards, all of them, later files' values first.
  public let metadata: [String: String]

  /// Which shard holds each tensor.
  private let shards: [String: SafetensorsShard]

  /// Opens a `.safetensors` file, a `.safetensors.index.json` file with the shards beside it, or
  /// a folder that holds `model.safetensors.index.json`, `model.safetensors` or a single file of
  /// another name. Tensor data is not read.
  /// - Throws: `ModelFileError` when a file cannot be opened or is damaged, when the index
  ///   and the shards do not agree, or when a tensor is of another type.
  public init(path: String) throws {
    let file = Self.file(for: path)
    self.path = file
    if file.hasSuffix(".json") {
      (tensors, shards) = try Self.openIndexed(file)
      let files = Dictionary(shards.values.map { ($0.path, $0) }) { first, _ in first }
      metadata = files.sorted { $0.key < $1.key }
        .reduce(into: [:]) { $0.merge($1.value.metadata) { _, later in later } }
    } else {
      let shard = try SafetensorsShard(path: file)
      tensors = shard.tensors
      metadata = shard.metadata
      shards = shard.tensors.mapValues { _ in shard }
    }
  }

  public func data(of name: String) throws -> UnsafeRawBufferPointer {
    guard let shard = shards[name], let data = shard.data(of: name) else {
      throw ModelFileError.missingTensor(path: path, name: name)
    }
    return data
  }

  public func releasePages(of name: String) {
    shards[name]?.releasePages(of: name)
  }

  private static func file(for path: String) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return path }
    let folder = URL(fileURLWithPath: path, isDirectory: true)
    let index = folder.appendingPathComponent("model.safetensors.index.json").path
    if FileManager.default.fileExists(atPath: index) { return index }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let files = names.filter { $0.hasSuffix(".safetensors") }
    let only = files.count == 1 ? files[0] : "model.safetensors"
    return folder.appendingPathComponent(only).path
  }

  private struct Index: Decodable {
    var weightMap: [String: String]

    enum CodingKeys: String, CodingKey {
      case weightMap = "weight_map"
    }
  }

  private static func openIndexed(
    _ path: String
  ) throws -> ([String: TensorInfo], [String: SafetensorsShard]) {
    let file = try MappedFile(path: path)
    let json = withExtendedLifetime(file) { Data(file.bytes) }
    let index: Index
    do {
      index = try JSONDecoder().decode(Index.self, from: json)
    } catch {
      throw ModelFileError.malformed(
        path: path, field: "weight_map", expected: "a JSON object of tensor and file names",
        found: describe(error))
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    var opened: [String: SafetensorsShard] = [:]
    var tensors: [String: TensorInfo] = [:]
    var shards: [String: SafetensorsShard] = [:]
    // In order, so that of several errors it is always the same one that is reported.
    for (tensor, name) in index.weightMap.sorted(by: { $0.key < $1.key }) {
      guard isPlainFileName(name) else {
        throw ModelFileError.malformed(
          path: path, field: "weight_map of tensor '\(tensor)'",
          expected: "the plain name of a .safetensors file beside the index", found: "'\(name)'")
      }
      let shard =
        try opened[name] ?? SafetensorsShard(path: folder.appendingPathComponent(name).path)
      opened[name] = shard
      guard let info = shard.tensors[tensor] else {
        throw ModelFileError.missingTensor(path: shard.path, name: tensor)
      }
      tensors[tensor] = info
      shards[tensor] = shard
    }
    return (tensors, shards)
  }

  private static func isPlainFileName(_ name: String) -> Bool {
    name.hasSuffix(".safetensors") && !name.hasPrefix(".")
      && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 < 32 }
  }

  /// A decoding error in a line, with the place where it happened.
  static func describe(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let context: DecodingError.Context
    switch error {
    case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
      context = found
    case .keyNotFound(let key, _): return "no '\(key.stringValue)'"
    @unknown default: return "\(error)"
    }
    let place = context.codingPath.map(\.stringValue).joined(separator: "/")
    return place.isEmpty ? context.debugDescription : "at \(place): \(context.debugDescription)"
  }
}
