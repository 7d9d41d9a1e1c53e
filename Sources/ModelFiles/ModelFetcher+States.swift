import Foundation

/// What of a model is on this machine.
public struct ModelState: Sendable, Equatable {
  /// What is known without reading the files: see `checksum`.
  public enum Checksum: String, Sendable {
    /// Known, and not compared now. What is fetched was checked when it came.
    case unchecked
    case right
    case wrong
    /// Nobody has said what it should be.
    case unknown
  }

  public var status: ModelStatus
  /// The file, or the folder.
  public var path: String
  /// Bytes of the whole model, if known.
  public var size: Int?
  /// Bytes that are there, of an interrupted download too.
  public var bytes: Int
  public var checksum: Checksum
}

extension ModelFetcher {
  /// All models that have a name: the catalogue's, the user's own, and those of the hub that have
  /// been asked for.
  public func models(of catalogue: ModelCatalogue) -> [NamedModel] {
    catalogue.entries.map(NamedModel.catalogued) + catalogue.local.map(NamedModel.local)
      + HubFolder.references(in: cache).map(NamedModel.hub)
  }

  /// What of a model is there, by the sizes of its files.
  public func state(of model: NamedModel) -> ModelState {
    switch model {
    case .catalogued(let entry):
      let status = status(of: entry)
      let path = cache.path(of: entry)
      let bytes = PartFile.size(at: path) ?? PartFile.size(at: "\(path).part") ?? 0
      return ModelState(
        status: status, path: path, size: entry.size, bytes: bytes,
        checksum: .unchecked)
    case .local(let model):
      let bytes = Self.bytes(at: model.path)
      return ModelState(
        status: bytes == nil ? .missing : .present, path: model.path, size: bytes,
        bytes: bytes ?? 0, checksum: .unknown)
    case .hub(let reference):
      let folder = HubFolder(reference, in: cache)
      guard let manifest = folder.manifest, let model = folder.model(in: manifest) else {
        let path = reference.file.map(folder.path(of:)) ?? folder.path
        return ModelState(status: .missing, path: path, bytes: 0, checksum: .unknown)
      }
      let sizes = model.files.compactMap { manifest.files[$0]?.size }
      let found = model.files.map { name in
        let path = folder.path(of: name)
        return PartFile.size(at: path) ?? PartFile.size(at: "\(path).part") ?? 0
      }
      return ModelState(
        status: folder.status(of: model, in: manifest),
        path: folder.location(of: model).path, size: sizes.reduce(0, +),
        bytes: found.reduce(0, +), checksum: .unchecked)
    }
  }

  /// The same, with the files compared with their checksums where they are complete.
  /// - Throws: what keeps a file from being read; a wrong checksum is told.
  public func verifiedState(of model: NamedModel) throws -> ModelState {
    var state = state(of: model)
    guard state.status == .present, state.checksum == .unchecked else { return state }
    do {
      try verify(model)
      state.checksum = .right
    } catch ModelFileError.wrongChecksum {
      state.checksum = .wrong
    }
    return state
  }

  /// Compares the files of a model with their checksums.
  /// - Throws: `ModelFileError`: `.notFetched`, `.malformed` for a wrong size or where there is
  ///   nothing to compare with, `.wrongChecksum`.
  public func verify(_ model: NamedModel) throws {
    switch model {
    case .catalogued(let entry): try verify(entry)
    case .local(let model):
      throw ModelFileError.malformed(
        path: model.path, field: "sha256", expected: "a checksum to compare with",
        found: "none: '\(model.name)' is a model of your own")
    case .hub(let reference):
      let folder = HubFolder(reference, in: cache)
      guard let manifest = folder.manifest, let model = folder.model(in: manifest) else {
        throw ModelFileError.notFetched(
          name: reference.description, path: state(of: .hub(reference)).path)
      }
      for name in model.files {
        guard let expected = manifest.files[name] else { continue }
        try verify(
          folder.path(of: name), size: expected.size, checksum: expected.checksum,
          name: reference.description)
      }
    }
  }

  /// The SHA-256 of a model of one file, where it is known.
  public func knownChecksum(of model: NamedModel) -> String? {
    switch model {
    case .catalogued(let entry): return entry.sha256
    case .local: return nil
    case .hub(let reference):
      let folder = HubFolder(reference, in: cache)
      guard let manifest = folder.manifest, let model = folder.model(in: manifest),
        !model.isFolder, let file = model.files.first,
        case .sha256(let digits) = manifest.files[file]?.checksum
      else { return nil }
      return digits
    }
  }

  /// Removes what is in the cache of a fetched model.
  /// - Throws: `ModelFileError`: `.notFetched` when nothing is, `.unreadable`.
  public func remove(_ model: NamedModel) throws {
    let state = state(of: model)
    guard state.status != .missing else {
      throw ModelFileError.notFetched(name: model.name, path: state.path)
    }
    switch model {
    case .catalogued(let entry):
      let path = cache.path(of: entry)
      let lock = try FileLock(path: lockPath(of: entry), isCancelled: isCancelled) {}
      try withExtendedLifetime(lock) {
        unlink(WheelDownload.journalPath(of: "\(path).part"))
        unlink("\(path).part")
        guard unlink(path) == 0 || errno == ENOENT else {
          throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
        }
      }
    case .local: break
    case .hub(let reference):
      let folder = HubFolder(reference, in: cache)
      let lock = try FileLock(path: folder.path(of: ".lock"), isCancelled: isCancelled) {}
      try withExtendedLifetime(lock) {
        if let model = folder.manifest.flatMap(folder.model(in:)) { try folder.remove(model) }
      }
    }
  }

  /// Bytes of a file, or of the files of a folder; nil when there is neither.
  private static func bytes(at path: String) -> Int? {
    if let size = PartFile.size(at: path) { return size }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      return nil
    }
    return names.compactMap { PartFile.size(at: "\(path)/\($0)") }.reduce(0, +)
  }
}
