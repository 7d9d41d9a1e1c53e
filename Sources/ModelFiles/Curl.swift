import Foundation

/// An address, asked with `curl`: it knows proxies and certificates, and its output is a pipe, so
/// that it ends when this process does.
struct Curl {
  var url: String
  /// Sent as a bearer token.
  var token: String?
  /// Whether a redirect is an answer like others. Otherwise it is followed, but with a token, which
  /// is for this address alone, it is an error.
  var showsRedirects = false

  /// - Parameter arguments: what is wanted of the answer.
  func process(_ arguments: [String], fetcher: ModelFetcher) -> ChildProcess {
    let follow =
      showsRedirects
      ? ["--no-location"] : ["--location"] + (token == nil ? [] : ["--max-redirs", "0"])
    // Address and token come on standard input: other users see arguments.
    let settings =
      [("url", url)] + (token.map { [("header", "Authorization: Bearer \($0)")] } ?? [])
    return fetcher.program(
      "curl",
      [
        "--silent", "--show-error", "--globoff",
        "--proto", "=http,https", "--proto-redir", "=http,https",
        "--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "60",
      ] + follow + ["--config", "-"] + arguments,
      purpose: "to download models",
      input: settings.map { "\($0) = \"\(Self.quoted($1))\"\n" }.joined())
  }

  private static func quoted(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      .replacing("\n", with: "\\n").replacing("\r", with: "\\r")
  }

  /// Whether another attempt is worth it: no host, no connection, a short answer, a timeout, an
  /// empty answer, a broken line.
  static func isTransient(exitCode: Int32) -> Bool {
    [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92].contains(exitCode)
  }

  static func isTransient(status: Int) -> Bool {
    status >= 500 || [408, 425, 429].contains(status)
  }
}

/// What a server said, whatever its status.
struct HTTPAnswer {
  var status: Int
  /// Lower-case names.
  var headers: [String: String]
  var body: Data

  /// Reads what `curl --include` or `--head` writes; nil when it is no answer.
  init?(_ data: Data) {
    var rest = data[...]
    repeat {
      guard let end = rest.range(of: Data("\r\n\r\n".utf8)) else { return nil }
      let lines = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
        .components(separatedBy: "\r\n")
      let words = lines[0].split(separator: " ")
      guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
        return nil
      }
      self.status = status
      headers = [:]
      for line in lines.dropFirst() {
        let field = line.split(separator: ":", maxSplits: 1)
        guard field.count == 2 else { continue }
        headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
      }
      rest = rest[end.upperBound...]
      // The final answer comes after those that only announce it.
    } while status < 200
    body = Data(rest)
  }
}

/// Scheme, host and port of an address: whoever answers there is the same server.
struct WebOrigin: Equatable {
  private let scheme: String
  private let host: String
  private let port: Int

  /// Nil for what is no address of the web, or holds a name and a password.
  init?(_ address: String) {
    guard let parts = URLComponents(string: address), let scheme = parts.scheme?.lowercased(),
      ["https", "http"].contains(scheme), let host = parts.host?.lowercased(), !host.isEmpty,
      parts.user == nil, parts.password == nil
    else { return nil }
    self.scheme = scheme
    self.host = host
    port = parts.port ?? (scheme == "https" ? 443 : 80)
  }
}
