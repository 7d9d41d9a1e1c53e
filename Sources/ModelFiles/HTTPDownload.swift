import Foundation

/// One file from an address, over as many connections as it takes.
struct HTTPDownload {
  var fetcher: ModelFetcher
  var file: ExpectedFile
  var address: WebAddress

  /// Appends what is missing to the part file.
  func run(into part: PartFile, report: ModelFetcher.Report) throws {
    let total = try file.size ?? announcedSize()
    if let total, part.size > total { try part.truncate(to: 0) }
    if let total { try fetcher.checkSpace(for: total - part.size, in: file.folder) }
    var best = part.size
    var attempts = Attempts(fetcher: fetcher, source: address.name)
    while part.size != total {
      switch try transfer(into: part, total: total, report: report) {
      case .complete where total == nil || part.size == total: return
      case .noRange:
        // The server cannot go on in the middle, or has another file now.
        try part.truncate(to: 0)
        try attempts.failed("the server cannot resume", wait: false)
      case .complete:
        try attempts.failed(
          "expected \(total ?? 0) bytes, found the end at \(part.size)", wait: part.size <= best)
      case .interrupted(let reason):
        if part.size > best { attempts.succeeded() }
        best = max(best, part.size)
        try attempts.failed(reason, wait: true)
      }
    }
  }

  // MARK: - Attempts

  private enum Outcome {
    case complete
    case noRange
    case interrupted(reason: String)
  }

  private func transfer(
    into part: PartFile, total: Int?, report: ModelFetcher.Report
  ) throws -> Outcome {
    let start = part.size
    report(.downloading, start, total)
    let curl = try curl(
      ["--fail", "--output", "-", "--write-out", "%{stderr}\n%{http_code}"]
        + (start > 0 ? ["--continue-at", "\(start)"] : []))
    let result = try curl.run { bytes in
      if let total, part.size + bytes.count > total {
        part.remove()
        throw ModelFileError.download(
          source: address.name, reason: "expected \(total) bytes, found more")
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
    case 22 where Curl.isTransient(status: code): return .interrupted(reason: reason)
    case let status where Curl.isTransient(exitCode: status):
      return .interrupted(reason: reason)
    default: throw ModelFileError.download(source: address.name, reason: reason)
    }
  }

  /// The size that the server announces, if it does.
  private func announcedSize() throws -> Int? {
    if case .hub(let reference, let commit, let client) = address {
      return try client.content(
        of: client.address(of: reference, commit: commit), for: reference
      ).size
    }
    let (result, text) = try curl(["--fail", "--head"]).output()
    guard result.status == 0 else { return nil }
    let lengths = text.split(whereSeparator: \.isNewline).compactMap { line -> Int? in
      let field = line.split(separator: ":", maxSplits: 1)
      guard field.count == 2, field[0].lowercased() == "content-length" else { return nil }
      return Int(field[1].trimmingCharacters(in: .whitespaces))
    }
    // After redirects the last answer counts.
    return lengths.last.flatMap { $0 > 0 ? $0 : nil }
  }

  private func curl(_ arguments: [String]) throws -> ChildProcess {
    switch address {
    case .url(let url): return Curl(url: url).process(arguments, fetcher: fetcher)
    case .hub(let reference, let commit, let client):
      let content = try client.content(
        of: client.address(of: reference, commit: commit), for: reference)
      return Curl(url: content.url, token: content.token).process(arguments, fetcher: fetcher)
    }
  }
}

/// Where a file can be asked for.
enum WebAddress {
  case url(String)
  /// A file of the hub, at a commit or at the name's revision.
  case hub(HubReference, commit: String?, HubClient)

  /// What errors call it: the addresses that the hub sends us to hold secrets.
  var name: String {
    switch self {
    case .url(let url): url
    case .hub(let reference, _, _): reference.description
    }
  }
}
