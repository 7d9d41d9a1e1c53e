import Foundation

/// What the hub says of a repository's file.
struct HubFile: Sendable, Equatable {
  /// With its folders.
  var path: String
  /// Bytes.
  var size: Int
  var checksum: FileChecksum
}

/// Asks the Hugging Face hub, or what `HF_ENDPOINT` names in its place, by its public API
/// (https://huggingface.co/docs/hub/api). The token of the environment goes to that server and to
/// no other, wherever it sends us.
struct HubClient {
  let fetcher: ModelFetcher
  let endpoint: String
  private let origin: WebOrigin
  private let token: String?

  private static let tokenNames = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
  private static let maximumAnswer = 64 << 20
  private static let maximumPages = 1000
  private static let maximumRedirects = 10

  /// - Throws: `ModelFileError.malformed`, naming the variable, when the environment's address or
  ///   token is none.
  init(fetcher: ModelFetcher) throws {
    func variable(_ name: String) -> String? {
      let text = fetcher.environment[name]?.trimmingCharacters(in: .whitespacesAndNewlines)
      return text == "" ? nil : text
    }
    self.fetcher = fetcher
    var endpoint = variable("HF_ENDPOINT") ?? "https://huggingface.co"
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    guard let origin = WebOrigin(endpoint), !endpoint.contains(where: { "?#".contains($0) }) else {
      throw ModelFileError.malformed(
        path: "HF_ENDPOINT", field: "address", expected: "https://HOST or http://HOST",
        found: "another form")
    }
    self.endpoint = endpoint
    self.origin = origin
    let name = Self.tokenNames.first { variable($0) != nil }
    token = name.flatMap(variable)
    if let name, let token, !token.utf8.allSatisfy({ 33...126 ~= $0 }) {
      throw ModelFileError.malformed(
        path: name, field: "token", expected: "one word of ASCII characters", found: "others in it")
    }
  }

  // MARK: - The API

  /// The commit that a name's revision is now.
  func commit(of reference: HubReference) throws -> String {
    struct Revision: Decodable { var sha: String }
    let revision = reference.revision ?? "main"
    let url = "\(endpoint)/api/models/\(reference.path)/revision/\(revision)"
    let answer = try ask(url, for: reference)
    let sha = try decode(Revision.self, answer, from: url).sha
    guard Self.isHexadecimal(sha, 40) else {
      throw ModelFileError.malformed(
        path: url, field: "sha", expected: "40 hexadecimal digits", found: "'\(printable(sha))'")
    }
    return sha.lowercased()
  }

  /// All files of a repository at a commit.
  func files(of reference: HubReference, commit: String) throws -> [HubFile] {
    var url = "\(endpoint)/api/models/\(reference.path)/tree/\(commit)?recursive=true"
    var files: [HubFile] = []
    for _ in 0..<Self.maximumPages {
      let answer = try ask(url, for: reference)
      files += try decode([TreeItem].self, answer, from: url).compactMap { try $0.file(url) }
      guard let next = nextPage(answer) else { return files }
      url = try address(next, seenFrom: url)
    }
    throw ModelFileError.malformed(
      path: url, field: "pages", expected: "at most \(Self.maximumPages)", found: "more")
  }

  /// Where a file's content is answered.
  func address(of reference: HubReference, commit: String? = nil) -> String {
    let file = reference.file ?? ""
    return "\(endpoint)/\(reference.path)/resolve/\(commit ?? reference.revision ?? "main")/"
      + (file.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? file)
  }

  /// Follows the hub to whoever gives a file's content now: such addresses last for minutes.
  /// - Returns: the address, the token if it may see that, and the size if it was told.
  func content(
    of url: String, for reference: HubReference
  ) throws -> (url: String, token: String?, size: Int?) {
    var url = url
    var size: Int?
    for _ in 0..<Self.maximumRedirects where WebOrigin(url) == origin {
      let answer = try ask(url, head: true, for: reference)
      size = answer.headers["x-linked-size"].flatMap { Int($0) } ?? size
      guard 300..<400 ~= answer.status, let location = answer.headers["location"] else {
        return (url, token, size ?? answer.headers["content-length"].flatMap { Int($0) })
      }
      url = try address(location, seenFrom: url)
    }
    return (url, WebOrigin(url) == origin ? token : nil, size)
  }

  // MARK: - Answers

  /// Asks until there is an answer, following redirects unless only the head is wanted.
  /// - Throws: `ModelFileError.download` with what to do when the hub refuses.
  private func ask(
    _ address: String, head: Bool = false, for reference: HubReference
  ) throws -> HTTPAnswer {
    var url = address
    var redirects = 0
    var attempts = Attempts(fetcher: fetcher, source: reference.description)
    while true {
      let answer: HTTPAnswer
      switch try once(url, head: head, for: reference) {
      case .failure(let failure):
        try attempts.failed(failure.reason, wait: true)
        continue
      case .success(let found): answer = found
      }
      if 200..<300 ~= answer.status { return answer }
      if 300..<400 ~= answer.status, let location = answer.headers["location"] {
        if head { return answer }
        redirects += 1
        guard redirects <= Self.maximumRedirects else {
          throw ModelFileError.download(
            source: reference.description, reason: "the hub redirects again and again")
        }
        url = try self.address(location, seenFrom: url)
      } else if Curl.isTransient(status: answer.status) {
        try attempts.failed("the hub answers \(answer.status)", wait: true)
      } else {
        throw ModelFileError.download(
          source: reference.description, reason: refusal(answer, for: reference))
      }
    }
  }

  private struct Interruption: Error { var reason: String }

  private func once(
    _ url: String, head: Bool, for reference: HubReference
  ) throws -> Result<HTTPAnswer, Interruption> {
    let token = WebOrigin(url) == origin ? token : nil
    let curl = Curl(url: url, token: token, showsRedirects: true)
    var data = Data()
    let result = try curl.process(
      [head ? "--head" : "--include", "--suppress-connect-headers"], fetcher: fetcher
    ).run { bytes in
      guard data.count + bytes.count <= Self.maximumAnswer else {
        throw ModelFileError.download(
          source: reference.description,
          reason: "expected a list of at most \(Self.maximumAnswer) bytes, found more")
      }
      data.append(contentsOf: bytes)
    }
    let reason = result.errors.split(separator: "\n").last.map(String.init)
    if result.status == 0, let answer = HTTPAnswer(data) { return .success(answer) }
    guard result.status == 0 || Curl.isTransient(exitCode: result.status) else {
      throw ModelFileError.download(
        source: reference.description, reason: reason ?? "curl ended with \(result.status)")
    }
    return .failure(Interruption(reason: reason ?? "no answer by HTTP"))
  }

  /// What a refusal means, and what to do. The hub says it in headers; to strangers it calls
  /// private repositories and those that are not there the same.
  private func refusal(_ answer: HTTPAnswer, for reference: HubReference) -> String {
    let page = "\(endpoint)/\(reference.path)"
    let message = answer.headers["x-error-message"].map { printable($0) }
    let hasToken = token != nil
    switch (answer.status, answer.headers["x-error-code"]) {
    case (_, "GatedRepo"):
      return hasToken
        ? "the repository is gated, and the token's account has no access: ask for it at \(page)"
        : "the repository is gated: accept its conditions at \(page), and set HF_TOKEN to a "
          + "token of that account"
    case (_, "RevisionNotFound"):
      return "the repository has no revision '\(reference.revision ?? "main")'"
    case (_, "EntryNotFound"):
      return "the repository has no file '\(reference.file ?? "")'"
    case (401, _) where hasToken:
      return "the token in HF_TOKEN is not accepted: make one at \(endpoint)/settings/tokens"
    case (401, _), (404, _), (_, "RepoNotFound"):
      return "there is no such repository, or it is private: look at \(page)"
        + (hasToken ? " with the token's account" : ", and set HF_TOKEN if it is private")
    case (403, _):
      return "access is denied: \(message ?? "look at \(page)")"
    default:
      return "the hub answers \(answer.status)" + (message.map { ": \($0)" } ?? "")
    }
  }

  private func decode<Value: Decodable>(
    _ type: Value.Type, _ answer: HTTPAnswer, from url: String
  ) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: answer.body)
    } catch {
      throw ModelFileError.malformed(
        path: url, field: "answer", expected: "the hub's JSON", found: "something else")
    }
  }

  /// The address in `Link: <ADDRESS>; rel="next"`.
  private func nextPage(_ answer: HTTPAnswer) -> String? {
    answer.headers["link"]?.split(separator: ",").lazy
      .first { $0.contains("rel=\"next\"") }?
      .split(separator: ">").first?.split(separator: "<").last.map(String.init)
  }

  /// An address that a server names, perhaps without itself.
  private func address(_ text: String, seenFrom base: String) throws -> String {
    let hasScheme = text.contains("://") && WebOrigin(text) != nil
    let url = hasScheme ? text : URL(string: text, relativeTo: URL(string: base))?.absoluteString
    guard let url, WebOrigin(url) != nil, url.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else {
      throw ModelFileError.malformed(
        path: base, field: "redirect", expected: "an address of the web", found: "another form")
    }
    return url
  }

  fileprivate static func isHexadecimal(_ text: String, _ count: Int) -> Bool {
    text.utf8.count == count
      && text.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
      }
  }

  /// An entry of a repository's tree.
  private struct TreeItem: Decodable {
    struct LargeFile: Decodable {
      var oid: String
      var size: Int
    }

    var type: String
    var path: String
    var oid: String
    var size: Int?
    var lfs: LargeFile?

    /// Nil for a folder.
    func file(_ url: String) throws -> HubFile? {
      guard type == "file" else { return nil }
      let digits = lfs?.oid ?? oid
      guard let size = lfs?.size ?? size, size >= 0,
        HubClient.isHexadecimal(digits, lfs == nil ? 40 : 64)
      else {
        throw ModelFileError.malformed(
          path: url, field: "'\(printable(path))'", expected: "a size and a checksum",
          found: "something else")
      }
      let checksum = digits.lowercased()
      return HubFile(
        path: path, size: size, checksum: lfs == nil ? .gitBlob(checksum) : .sha256(checksum))
    }
  }
}
