import Foundation

/// An HTTP server on this machine that misbehaves as told: it cuts connections, ignores ranges,
/// answers with errors or other content.
final class LocalServer: @unchecked Sendable {
  struct Behaviour: Sendable {
    var content: [UInt8]
    /// A connection ends after this many bytes of content.
    var cutAfter: Int?
    /// How many connections are cut; all, if nil.
    var cuts: Int?
    var supportsRanges = true
    /// Answer to the first requests instead of the content.
    var failures: [Int] = []
    /// Where requests are sent on to.
    var redirect: String?
    var announcesLength = true
    /// After this many bytes of content nothing more comes, and the connection stays.
    var stallAfter: Int?
    /// Other contents by path.
    var contents: [String: [UInt8]] = [:]
    /// Asked first; nil is the usual answer.
    var answer: (@Sendable (Request) -> Answer?)?
  }

  /// An answer as it is sent.
  struct Answer: Sendable {
    var status = "200 OK"
    var fields: [String] = []
    var body: [UInt8] = []
  }

  struct Request: Sendable {
    var method: String
    var path: String
    /// Lower-case names.
    var headers: [String: String]
  }

  let port: UInt16
  private let listener: Int32
  private let lock = NSLock()
  private var behaviour: Behaviour
  private var log: [Request] = []
  private var contentRequests = 0
  private var isStopped = false

  /// Starts on a free port.
  init(_ behaviour: Behaviour) throws {
    self.behaviour = behaviour
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard listener >= 0, bound else { throw CocoaError(.fileReadUnknown) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in serve() }
  }

  /// No new connections; the serving thread ends.
  func stop() {
    lock.withLock { isStopped = true }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  var url: String { "http://127.0.0.1:\(port)" }

  /// What was asked for, in order.
  var requests: [Request] { lock.withLock { log } }

  func change(_ body: (inout Behaviour) -> Void) { lock.withLock { body(&behaviour) } }

  private func serve() {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { return }
      Thread.detachNewThread { [self] in
        answer(connection)
        close(connection)
      }
    }
  }

  private func answer(_ connection: Int32) {
    guard let request = read(connection) else { return }
    let (behaviour, number) = lock.withLock {
      log.append(request)
      if request.method == "GET" { contentRequests += 1 }
      return (self.behaviour, contentRequests)
    }
    func head(_ status: String, _ fields: [String]) {
      send(
        Array(
          ("HTTP/1.1 \(status)\r\n" + fields.map { "\($0)\r\n" }.joined()
            + "Connection: close\r\n\r\n").utf8), to: connection)
    }
    if let answer = behaviour.answer?(request) {
      head(answer.status, answer.fields + ["Content-Length: \(answer.body.count)"])
      if request.method == "GET" { send(answer.body, to: connection) }
      return
    }
    if let redirect = behaviour.redirect {
      return head("302 Found", ["Location: \(redirect)", "Content-Length: 0"])
    }
    if request.method == "GET", behaviour.failures.indices.contains(number - 1) {
      return head("\(behaviour.failures[number - 1]) Failure", ["Content-Length: 0"])
    }
    let path = request.path.prefix { $0 != "?" }
    let content = behaviour.contents[String(path)] ?? behaviour.content
    let total = content.count
    var start = 0
    if behaviour.supportsRanges, let range = request.headers["range"],
      let first = range.split(separator: "=").last?.split(separator: "-").first
    {
      start = Int(first) ?? 0
    }
    guard start < total || start == 0 else {
      return head("416 Range Not Satisfiable", ["Content-Length: 0"])
    }
    let length = behaviour.announcesLength ? ["Content-Length: \(total - start)"] : []
    if start > 0 {
      head("206 Partial Content", length + ["Content-Range: bytes \(start)-\(total - 1)/\(total)"])
    } else {
      head("200 OK", length)
    }
    guard request.method == "GET" else { return }
    var body = content[start...]
    if let stall = behaviour.stallAfter { body = body.prefix(stall) }
    if let cut = behaviour.cutAfter, number <= behaviour.cuts ?? .max { body = body.prefix(cut) }
    send(Array(body), to: connection)
    while behaviour.stallAfter != nil, !lock.withLock({ isStopped }) { usleep(20_000) }
  }

  private func read(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !String(decoding: bytes, as: UTF8.self).contains("\r\n\r\n") {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      bytes += buffer[..<count]
    }
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    let first = lines[0].split(separator: " ")
    guard first.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let field = line.split(separator: ":", maxSplits: 1)
      if field.count == 2 {
        headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
      }
    }
    return Request(method: String(first[0]), path: String(first[1]), headers: headers)
  }

  private func send(_ bytes: [UInt8], to connection: Int32) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(
          connection, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
          Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }
}
