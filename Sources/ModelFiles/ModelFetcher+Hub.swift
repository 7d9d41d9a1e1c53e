import Foundation

extension ModelFetcher {
  /// Fetches a model of the Hugging Face hub unless it is there already: the file that the name
  /// has; else the repository's folder of `*.safetensors` with what belongs to them; else its
  /// GGUF file, if there is one to choose.
  ///
  /// Checksums come from the hub: the SHA-256 of large files, and of small ones git's SHA-1.
  /// - Parameter sha256: what a single file's SHA-256 must be.
  /// - Throws: `ModelFileError`, among them `.download` with what to do when the hub refuses;
  ///   `CancellationError`.
  @discardableResult
  public func fetch(
    _ reference: HubReference, sha256: String? = nil,
    progress: @escaping (FetchProgress) -> Void = { _ in }
  ) throws -> ModelLocation {
    let folder = HubFolder(reference, in: cache)
    let sha256 = sha256?.lowercased()
    if let location = try present(folder, sha256: sha256) { return location }
    try makeFolder(folder.path)
    let name = reference.description
    let lock = try FileLock(path: folder.path(of: ".lock"), isCancelled: isCancelled) {
      progress(FetchProgress(name: name, phase: .waiting, bytes: 0, total: nil))
    }
    return try withExtendedLifetime(lock) {
      // Another process may have fetched it while we waited.
      if let location = try present(folder, sha256: sha256) { return location }
      do {
        return try HubFetch(fetcher: self, folder: folder, sha256: sha256, progress: progress).run()
      } catch {
        folder.removeIfEmpty()
        throw error
      }
    }
  }

  /// Where a complete model lies.
  private func present(_ folder: HubFolder, sha256: String?) throws -> ModelLocation? {
    guard let manifest = folder.manifest, let model = folder.model(in: manifest),
      folder.status(of: model, in: manifest) == .present
    else { return nil }
    let location = folder.location(of: model)
    if let sha256 {
      guard case .gguf(let path) = location else { throw folder.noSingleChecksum }
      if manifest.files[model.files[0]]?.checksum != .sha256(sha256) {
        try check(.sha256(sha256), of: path)
      }
    }
    return location
  }
}

extension HubFolder {
  fileprivate var noSingleChecksum: ModelFileError {
    .malformed(
      path: reference.description, field: "sha256", expected: "a name with one file",
      found: "a folder of several")
  }

  /// Takes the folder away again where nothing has come into it.
  fileprivate func removeIfEmpty() {
    let names = try? FileManager.default.contentsOfDirectory(atPath: path)
    guard names?.allSatisfy({ $0 == ".lock" }) ?? false else { return }
    unlink(self.path(of: ".lock"))
    removeEmptyFolders()
  }
}

/// One fetch from a repository of the hub, whose folder is locked.
private struct HubFetch {
  let fetcher: ModelFetcher
  let folder: HubFolder
  let sha256: String?
  let progress: (FetchProgress) -> Void

  private var reference: HubReference { folder.reference }

  /// What belongs to the weights of a folder, where it is there.
  private static let companions: Set = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "tokenizer.model", "chat_template.jinja", "chat_template.json",
  ]
  private static let index = "model.safetensors.index.json"

  func run() throws -> ModelLocation {
    report(.downloading, 0, nil)
    let client = try HubClient(fetcher: fetcher)
    let commit = try client.commit(of: reference)
    let all = try client.files(of: reference, commit: commit)
    var model = try choose(from: all)
    if let sha256 {
      guard model.count == 1, !isFolder(model) else { throw folder.noSingleChecksum }
      if case .sha256(let found) = model[0].checksum, found != sha256 {
        throw ModelFileError.wrongChecksum(
          path: reference.with(file: model[0].path).description, expected: sha256, found: found)
      }
      // The given one is checked in place of the hub's.
      model[0].checksum = .sha256(sha256)
    }
    if let index = model.first(where: { $0.path == Self.index }) {
      try removeOthers([index])
      try fetch([index], commit, client)
      model += try shards(of: index, among: all)
    }
    try record(model, commit)
    try fetch(model, commit, client)
    return folder.location(
      of: HubManifest.Model(files: model.map(\.path), isFolder: isFolder(model)))
  }

  private func report(_ phase: FetchProgress.Phase, _ bytes: Int, _ total: Int?) {
    progress(
      FetchProgress(name: reference.description, phase: phase, bytes: bytes, total: total))
  }

  // MARK: - Choice

  private func isFolder(_ model: [HubFile]) -> Bool { model.contains { $0.path == "config.json" } }

  /// The files that the name means, without the shards that an index names.
  private func choose(from all: [HubFile]) throws -> [HubFile] {
    let models = all.filter { isGGUF($0.path) && HubReference.isSafe(file: $0.path) }
    if let wanted = reference.file {
      guard let file = all.first(where: { $0.path == wanted }) else {
        throw refused("expected a file of the repository, found none; \(listed(models))")
      }
      guard isGGUF(wanted) else {
        throw refused("expected a .gguf file, or no file for a folder of *.safetensors")
      }
      guard !isSplit(wanted) else { throw refused("a GGUF file in several parts is not read") }
      return [file]
    }
    if let folder = weights(all) {
      return all.filter { Self.companions.contains($0.path) } + [folder]
    }
    // Not the parts of split models, and not the encoders of images beside a model.
    let whole = models.filter { !isSplit($0.path) && !$0.path.lowercased().contains("mmproj") }
    if whole.count == 1 { return whole }
    // The usual choice where there is one file for every width.
    let usual = whole.filter { $0.path.uppercased().contains("Q4_K_M") }
    if usual.count == 1 { return usual }
    guard whole.isEmpty else { throw refused("expected one file to be named; \(listed(whole))") }
    throw refused(
      "expected a .gguf file, or config.json and *.safetensors; found neither among "
        + "\(all.count) files")
  }

  /// The file with a folder's weights, or with the names of their files.
  private func weights(_ all: [HubFile]) -> HubFile? {
    guard all.contains(where: { $0.path == "config.json" }) else { return nil }
    let files = all.filter { $0.path.hasSuffix(".safetensors") && isPlain($0.path) }
    return all.first { $0.path == Self.index }
      ?? files.first { $0.path == "model.safetensors" } ?? (files.count == 1 ? files.first : nil)
  }

  /// The files that an index names.
  private func shards(of index: HubFile, among all: [HubFile]) throws -> [HubFile] {
    struct Index: Decodable { var weight_map: [String: String] }
    let path = folder.path(of: index.path)
    guard let data = FileManager.default.contents(atPath: path),
      let map = try? JSONDecoder().decode(Index.self, from: data).weight_map, !map.isEmpty
    else {
      throw ModelFileError.malformed(
        path: path, field: "weight_map", expected: "file names by tensor", found: "something else")
    }
    return try Set(map.values).sorted().map { name in
      guard isPlain(name), name.hasSuffix(".safetensors"),
        let file = all.first(where: { $0.path == name })
      else {
        throw ModelFileError.malformed(
          path: path, field: "weight_map", expected: "*.safetensors files of the repository",
          found: "'\(printable(name))'")
      }
      return file
    }
  }

  private func isPlain(_ name: String) -> Bool {
    !name.contains("/") && HubReference.isSafe(file: name)
  }

  private func isGGUF(_ name: String) -> Bool { name.lowercased().hasSuffix(".gguf") }

  private func isSplit(_ name: String) -> Bool {
    name.lowercased().contains(/-[0-9]{5}-of-[0-9]{5}\.gguf$/)
  }

  private func refused(_ reason: String) -> ModelFileError {
    .download(source: reference.description, reason: reason)
  }

  private func listed(_ files: [HubFile]) -> String {
    let shown = files.prefix(40).map { "\($0.path) (\($0.size) bytes)" }
    let more = files.count > shown.count ? ", and \(files.count - shown.count) more" : ""
    return files.isEmpty
      ? "it has no .gguf file" : "it has \(shown.joined(separator: ", "))\(more)"
  }

  // MARK: - Files

  /// Removes files that are there and not those that they should be, as of an earlier commit.
  private func removeOthers(_ files: [HubFile]) throws {
    let manifest = folder.manifest
    for file in files {
      let path = folder.path(of: file.path)
      if PartFile.size(at: path) != nil, try !isRight(file, manifest?.files[file.path]) {
        unlink(path)
      }
    }
  }

  /// Writes down what will be fetched.
  private func record(_ model: [HubFile], _ commit: String) throws {
    try removeOthers(model)
    var manifest =
      folder.manifest ?? HubManifest(repository: reference.path, revision: reference.revision)
    for file in model {
      manifest.files[file.path] = HubManifest.File(
        size: file.size, checksum: file.checksum, commit: commit)
    }
    manifest.models[reference.file ?? ""] = HubManifest.Model(
      files: model.map(\.path), isFolder: isFolder(model))
    try folder.write(manifest)
  }

  private func isRight(_ file: HubFile, _ known: HubManifest.File?) throws -> Bool {
    let path = folder.path(of: file.path)
    guard PartFile.size(at: path) == file.size else { return false }
    if known?.checksum == file.checksum { return true }
    do {
      try fetcher.check(file.checksum, of: path)
      return true
    } catch ModelFileError.wrongChecksum {
      return false
    }
  }

  /// Fetches what is not there.
  private func fetch(_ files: [HubFile], _ commit: String, _ client: HubClient) throws {
    let total = files.reduce(0) { $0 + $1.size }
    var done = 0
    func missing(_ file: HubFile) -> Int {
      let path = folder.path(of: file.path)
      let part = PartFile.size(at: "\(path).part") ?? 0
      return PartFile.size(at: path) == file.size ? 0 : max(0, file.size - part)
    }
    try fetcher.checkSpace(for: files.reduce(0) { $0 + missing($1) }, in: folder.path)
    for file in files {
      let path = folder.path(of: file.path)
      if PartFile.size(at: path) != file.size {
        let expected = ExpectedFile(
          name: reference.description, path: path, size: file.size, checksum: file.checksum)
        try makeFolder(expected.folder)
        try fetcher.fetch(
          expected, from: .web(.hub(reference.with(file: file.path), commit: commit, client))
        ) { phase, bytes, _ in report(phase, done + bytes, total) }
      }
      done += file.size
    }
  }
}
