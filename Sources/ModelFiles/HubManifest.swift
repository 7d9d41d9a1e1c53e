import Foundation

/// What is fetched from a repository of the hub, kept beside its files as `.nunchi.json`. Written
/// before they come, so a model is complete when all its files have their sizes: none bears its
/// name before it was checked.
struct HubManifest: Codable, Equatable {
  struct File: Codable, Equatable {
    /// Bytes.
    var size: Int
    var checksum: FileChecksum
    var commit: String
  }

  struct Model: Codable, Equatable {
    /// Names in `files`.
    var files: [String]
    /// Whether the files make a model together, or the only one is a GGUF file.
    var isFolder: Bool
  }

  /// `OWNER/REPO`, as it was typed.
  var repository: String
  var revision: String?
  /// By the file that was asked for; the repository's own model is under "".
  var models: [String: Model] = [:]
  var files: [String: File] = [:]
}

/// The folder of the cache that one revision of a repository is kept in.
struct HubFolder {
  let reference: HubReference
  let path: String

  init(_ reference: HubReference, in cache: ModelCache) {
    self.reference = reference
    // The hub's names are the same in upper and lower case.
    let name = reference.repository.lowercased() + (reference.revision.map { "@\($0)" } ?? "")
    path = "\(cache.models)/hf/\(reference.owner.lowercased())/\(name)"
  }

  func path(of file: String) -> String { "\(path)/\(file)" }

  private var manifestPath: String { path(of: ".nunchi.json") }

  /// What has been fetched; nothing where the file is missing or damaged.
  var manifest: HubManifest? {
    guard let data = FileManager.default.contents(atPath: manifestPath),
      let manifest = try? JSONDecoder().decode(HubManifest.self, from: data),
      manifest.files.keys.allSatisfy(HubReference.isSafe(file:)),
      manifest.models.values.allSatisfy({ model in
        (model.isFolder || model.files.count == 1)
          && model.files.allSatisfy { manifest.files[$0] != nil }
      })
    else { return nil }
    return manifest
  }

  func write(_ manifest: HubManifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(encoder.encode(manifest), to: manifestPath)
  }

  /// The model that the name means, if it was asked for before.
  func model(in manifest: HubManifest) -> HubManifest.Model? {
    guard let file = reference.file else { return manifest.models[""] }
    return manifest.models[file]
      ?? (manifest.files[file] == nil ? nil : HubManifest.Model(files: [file], isFolder: false))
  }

  /// Where a model lies, or will.
  func location(of model: HubManifest.Model) -> ModelLocation {
    guard !model.isFolder, let file = model.files.first else { return .huggingFace(folder: path) }
    return .gguf(path: path(of: file))
  }

  func status(of model: HubManifest.Model, in manifest: HubManifest) -> ModelStatus {
    var isComplete = true
    var bytes = 0
    for name in model.files {
      let found = PartFile.size(at: path(of: name))
      if let found, let expected = manifest.files[name]?.size, found != expected {
        return .wrongSize(found)
      }
      isComplete = isComplete && found != nil
      bytes += found ?? PartFile.size(at: path(of: "\(name).part")) ?? 0
    }
    return isComplete ? .present : bytes == 0 ? .missing : .partial(bytes)
  }

  /// Removes a model's files, but those that another one needs.
  func remove(_ model: HubManifest.Model) throws {
    guard var manifest else { return }
    manifest.models[reference.file ?? ""] = nil
    let needed = Set(manifest.models.values.flatMap(\.files))
    for name in model.files where !needed.contains(name) {
      manifest.files[name] = nil
      for file in [path(of: name), path(of: "\(name).part")] { unlink(file) }
    }
    if manifest.models.isEmpty {
      // With what was left of downloads.
      try? FileManager.default.removeItem(atPath: path)
      removeEmptyFolders()
    } else {
      try write(manifest)
    }
  }

  /// Removes this folder and those above it, its owner's and the hub's, as far as they are empty.
  func removeEmptyFolders() {
    var folder = URL(fileURLWithPath: path)
    for _ in 0..<3 {
      rmdir(folder.path)
      folder.deleteLastPathComponent()
    }
  }

  /// The names of all models that have been asked for.
  static func references(in cache: ModelCache) -> [HubReference] {
    func names(_ folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
    let root = "\(cache.models)/hf"
    return names(root).flatMap { owner in
      names("\(root)/\(owner)").flatMap { name -> [HubReference] in
        guard let folder = try? HubReference("hf:\(owner)/\(name)"),
          let manifest = HubFolder(folder, in: cache).manifest,
          let typed = try? HubReference(
            "hf:\(manifest.repository)" + (manifest.revision.map { "@\($0)" } ?? "")),
          HubFolder(typed, in: cache).path == "\(root)/\(owner)/\(name)"
        else { return [] }
        return manifest.models.keys.sorted().map { typed.with(file: $0.isEmpty ? nil : $0) }
      }
    }
  }
}
