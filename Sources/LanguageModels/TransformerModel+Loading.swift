import Foundation
import ModelFiles

extension TransformerModel {
  /// Loads a GGUF file.
  public convenience init(
    gguf file: GGUFFile, pool: ComputePool, progress: (Double) -> Void = { _ in }
  ) throws {
    try self.init(
      file: file, fields: ConfigurationFields(metadata: file.metadata, file: file.path),
      pool: pool, progress: progress)
  }

  /// Loads a Hugging Face folder: `config.json` beside `model.safetensors` or its shards.
  public convenience init(
    folder: String, options: LoadingOptions = LoadingOptions(), pool: ComputePool,
    progress: (Double) -> Void = { _ in }
  ) throws {
    let fields = try ConfigurationFields(folder: folder)
    try self.init(
      file: try SafetensorsFile(path: folder), fields: fields, options: options, pool: pool,
      progress: progress)
  }

  /// Loads a GGUF file or a Hugging Face folder.
  /// - Throws: `LanguageModelError`, `ModelFileError`.
  public static func load(
    path: String, pool: ComputePool, progress: (Double) -> Void = { _ in }
  ) throws -> TransformerModel {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    return exists && isFolder.boolValue
      ? try TransformerModel(folder: path, pool: pool, progress: progress)
      : try TransformerModel(gguf: GGUFFile(path: path), pool: pool, progress: progress)
  }
}

extension ConfigurationFields {
  private static let mostBytes = 4_000_000

  /// The `config.json` of a Hugging Face folder.
  public init(folder: String) throws {
    let path = URL(fileURLWithPath: folder, isDirectory: true)
      .appendingPathComponent("config.json").path
    let bytes = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    guard let bytes, let data = FileManager.default.contents(atPath: path) else {
      throw LanguageModelError.unreadable(file: path, reason: "expected a file, found none")
    }
    guard bytes <= Self.mostBytes else {
      throw LanguageModelError.unreadable(
        file: path, reason: "expected at most \(Self.mostBytes) bytes, found \(bytes)")
    }
    try self.init(json: data, file: path)
  }
}
