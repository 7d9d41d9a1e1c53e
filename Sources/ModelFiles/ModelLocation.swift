import Foundation

/// The files of a model that a user named.
public enum ModelLocation: Sendable, Equatable {
  /// A GGUF file, which holds everything.
  case gguf(path: String)
  /// A folder with `config.json`, `*.safetensors` and `tokenizer.json`.
  case huggingFace(folder: String)

  /// Finds a model by what the user typed: a name of the catalogue (upper and lower case are the
  /// same), `hf:OWNER/REPO` or `hf:OWNER/REPO/FILE`, the path of a GGUF file, or the path of a
  /// Hugging Face folder.
  ///
  /// Other text with a slash, or that ends with `.gguf`, is a path; a name goes before a folder of
  /// the same name.
  /// - Throws: `ModelFileError`: `.unknownModel` with the names that are like it, `.notFetched`
  ///   when the catalogue's or the hub's model is not in the cache, `.unreadable` or `.malformed`
  ///   when the path is not a model.
  public static func resolve(
    _ text: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> ModelLocation {
    try resolve(text, cache: .standard(environment: environment), environment: environment)
  }

  static func resolve(
    _ text: String, cache: ModelCache, environment: [String: String]
  ) throws -> ModelLocation {
    if !text.hasPrefix(HubReference.scheme),
      text.contains("/") || text.lowercased().hasSuffix(".gguf")
    {
      return try at(path: NSString(string: text).expandingTildeInPath)
    }
    let catalogue = try ModelCatalogue.standard(environment: environment)
    do {
      switch try catalogue.model(named: text) {
      case .local(let model): return try at(path: model.path)
      case .catalogued(let entry):
        let path = cache.path(of: entry)
        guard FileManager.default.fileExists(atPath: path) else {
          throw ModelFileError.notFetched(name: entry.name, path: path)
        }
        return .gguf(path: path)
      case .hub(let reference):
        let folder = HubFolder(reference, in: cache)
        guard let manifest = folder.manifest, let model = folder.model(in: manifest),
          folder.status(of: model, in: manifest) == .present
        else {
          throw ModelFileError.notFetched(
            name: text, path: reference.file.map(folder.path(of:)) ?? folder.path)
        }
        return folder.location(of: model)
      }
    } catch let error as ModelFileError {
      guard case .unknownModel = error, FileManager.default.fileExists(atPath: text), text != ""
      else { throw error }
      return try at(path: text)
    }
  }

  /// The file or the folder.
  public var path: String {
    switch self {
    case .gguf(let path): path
    case .huggingFace(let folder): folder
    }
  }

  /// Tells which kind of model lies at a path.
  /// - Throws: `ModelFileError.unreadable` or `.malformed`.
  static func at(path: String) throws -> ModelLocation {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      let isHubName = path.wholeMatch(of: /[\w.-]+\/[\w.-]+/) != nil
      let hint =
        isHubName && !path.lowercased().hasSuffix(".gguf")
        ? "; a model of the Hugging Face hub is called hf:\(path)" : ""
      throw ModelFileError.unreadable(path: path, reason: "no such file or folder\(hint)")
    }
    guard isFolder.boolValue else {
      // A GGUF file may have any name; its first bytes tell.
      let handle = FileHandle(forReadingAtPath: path)
      let magic = try? handle?.read(upToCount: 4)
      guard path.lowercased().hasSuffix(".gguf") || magic == Data("GGUF".utf8) else {
        throw ModelFileError.malformed(
          path: path, field: "model",
          expected: "a GGUF file, or a folder with config.json and *.safetensors",
          found: "a file of another kind")
      }
      return .gguf(path: path)
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    let missing =
      (names.contains("config.json") ? [] : ["config.json"])
      + (names.contains { $0.hasSuffix(".safetensors") } ? [] : ["*.safetensors"])
    guard missing.isEmpty else {
      throw ModelFileError.malformed(
        path: path, field: "folder", expected: "config.json and *.safetensors",
        found: "no \(missing.joined(separator: " and no "))")
    }
    return .huggingFace(folder: path)
  }
}
