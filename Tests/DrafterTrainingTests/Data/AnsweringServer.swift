import Foundation

/// An HTTP server on this machine whose answers a test decides.
final class AnsweringServer: @unchecked Sendable {
  struct Answer: Sendable {
    var status = 200
    var headers: [String] = []
    var body = Data()
  }

  /// What was asked: the path, the headers with lower-case names, the body.
  struct Request: Sendable {
    var path: String
    var headers: [String: String]
    var body: Data
  }

  let port: UInt16
  private let listener: Int32
  private let answer: @Sendable (Request) -> Answer

  /// Starts on a free port.
  init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
    self.answer = answer
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard listener >= 0, bound else { throw CocoaError(.fileReadUnknown) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread { [self] in
          serve(connection)
          close(connection)
        }
      }
    }
  }

  /// No new connections; the serving thread ends.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  var url: String { "http://127.0.0.1:\(port)" }

  private func serve(_ connection: Int32) {
    guard let request = read(connection) else { return }
    let answer = answer(request)
    let head =
      ["HTTP/1.1 \(answer.status) Answer", "Content-Length: \(answer.body.count)"]
      + answer.headers + ["Connection: close", "", ""]
    let bytes = Array(head.joined(separator: "\r\n").utf8) + Array(answer.body)
    var sent = 0
    while sent < bytes.count {
      let count = send(connection, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
      guard count > 0 else { return }
      sent += count
    }
  }

  private func read(_ connection: Int32) -> Request? {
    var bytes = Data()
    var buffer = [UInt8](repeating: 0, count: 4096)
    func more() -> Bool {
      let count = recv(connection, &buffer, buffer.count, 0)
      if count > 0 { bytes += buffer[..<count] }
      return count > 0
    }
    let end = Data("\r\n\r\n".utf8)
    while bytes.range(of: end) == nil {
      guard more() else { return nil }
    }
    guard let headEnd = bytes.range(of: end) else { return nil }
    let head = String(decoding: bytes[..<headEnd.lowerBound], as: UTF8.self)
      .components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in head.dropFirst() {
      let field = line.split(separator: ":", maxSplits: 1)
      if field.count == 2 {
        headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
      }
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while bytes.count < headEnd.upperBound + length {
      guard more() else { return nil }
    }
    let first = head[0].split(separator: " ")
    return Request(
      path: first.count > 1 ? String(first[1]) : "", headers: headers,
      body: bytes[headEnd.upperBound...])
  }
}
