import Foundation

/// One file from an address, with `curl`: it knows proxies, redirects and certificates, and its
/// output is a pipe, so that it ends when this process does.
struct HTTPDownload {
  var fetcher: ModelFetcher
  var entry: CatalogueEntry
  var url: String
  /// A bearer token, which curl sends to the address's own host only.
  var token: String?

  /// Appends what is missing to the part file, over as many connections as it takes.
  func run(into part: PartFile, report: ModelFetcher.Report) throws {
    let total = try entry.size ?? announcedSize()
    if let total, part.size > total { try part.truncate(to: 0) }
    if let total { try fetcher.checkSpace(for: total - part.size) }
    var best = part.size
    var failures = 0
    while part.size != total {
      switch try transfer(into: part, total: total, report: report) {
      case .complete where total == nil || part.size == total: return
      case .noRange:
        // The server cannot go on in the middle, or has another file now.
        try part.truncate(to: 0)
        try count(&failures, reason: "the server cannot resume")
      case .complete:
        try count(
          &failures, reason: "expected \(total ?? 0) bytes, found the end at \(part.size)",
          wait: part.size <= best)
      case .interrupted(let reason):
        if part.size > best { failures = 0 }
        best = max(best, part.size)
        try count(&failures, reason: reason, wait: true)
      }
    }
  }

  // MARK: - Attempts

  private enum Outcome {
    case complete
    case noRange
    case interrupted(reason: String)
  }

  /// Counts an attempt that did not complete the file; gives up after too many.
  private func count(_ failures: inout Int, reason: String, wait: Bool = false) throws {
    failures += 1
    guard failures < fetcher.attempts else {
      throw ModelFileError.download(source: url, reason: "\(reason) (\(failures) attempts)")
    }
    guard wait else { return }
    let delay = min(fetcher.retryDelay * (1 << min(failures - 1, 10)), .seconds(30))
    Thread.sleep(forTimeInterval: delay / .seconds(1))
  }

  private func transfer(
    into part: PartFile, total: Int?, report: ModelFetcher.Report
  ) throws -> Outcome {
    let start = part.size
    report(.downloading, start, total)
    let curl = curl(
      ["--output", "-", "--write-out", "%{stderr}\n%{http_code}"]
        + (start > 0 ? ["--continue-at", "\(start)"] : []))
    let result = try curl.run { bytes in
      if let total, part.size + bytes.count > total {
        part.remove()
        throw ModelFileError.download(
          source: url, reason: "expected \(total) bytes, found more")
      }
      try part.append(bytes)
      report(.downloading, part.size, total)
    }
    return try outcome(of: result, resumed: start > 0)
  }

  /// Tells what an attempt's end means: of curl's exit codes, which are worth another attempt.
  private func outcome(of result: ChildProcess.Result, resumed: Bool) throws -> Outcome {
    let lines = result.errors.split(separator: "\n")
    let code = lines.last.flatMap { Int($0) } ?? 0
    let reason = lines.dropLast().last.map(String.init) ?? "curl ended with \(result.status)"
    switch result.status {
    case 0: return .complete
    case 33: return .noRange
    case 22 where code == 416 && resumed: return .noRange
    case 22 where code >= 500 || [408, 425, 429].contains(code):
      return .interrupted(reason: reason)
    // No host, no connection, a short answer, a timeout, an empty answer, a broken line.
    case 5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92: return .interrupted(reason: reason)
    default: throw ModelFileError.download(source: url, reason: reason)
    }
  }

  /// The size that the server announces, if it does.
  private func announcedSize() throws -> Int? {
    let (result, text) = try curl(["--head"]).output()
    guard result.status == 0 else { return nil }
    let lengths = text.split(whereSeparator: \.isNewline).compactMap { line -> Int? in
      let field = line.split(separator: ":", maxSplits: 1)
      guard field.count == 2, field[0].lowercased() == "content-length" else { return nil }
      return Int(field[1].trimmingCharacters(in: .whitespaces))
    }
    // After redirects the last answer counts.
    return lengths.last.flatMap { $0 > 0 ? $0 : nil }
  }

  private func curl(_ arguments: [String]) -> ChildProcess {
    ChildProcess(
      program: "curl",
      arguments: [
        "--silent", "--show-error", "--fail", "--location", "--globoff",
        "--proto", "=http,https", "--proto-redir", "=http,https",
        "--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "60",
        // The token comes on standard input: arguments can be seen by other users.
        "--header", "@-", "--url", url,
      ] + arguments,
      purpose: "to download models", environment: fetcher.environment,
      input: token.map { "Authorization: Bearer \($0)\n" } ?? "")
  }
}
