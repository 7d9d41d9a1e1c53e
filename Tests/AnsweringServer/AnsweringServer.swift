import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// An HTTP server on this machine whose answers a test decides.
public final class AnsweringServer: @unchecked Sendable {
  public struct Answer: Sendable {
    public var status = 200
    public var headers: [String] = []
    public var body = Data()
    /// Sent after the body, piece by piece, each after a wait; then the body is one in chunks.
    public var pieces: [(seconds: Double, data: Data)]?
    /// Whether the connection ends before the body does.
    public var isCutOff = false

    public init(
      status: Int = 200, headers: [String] = [], body: Data = Data(),
      pieces: [(seconds: Double, data: Data)]? = nil, isCutOff: Bool = false
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.pieces = pieces
      self.isCutOff = isCutOff
    }
  }

  /// What was asked: the path, the headers with lower-case names, the body.
  public struct Request: Sendable {
    public var path: String
    public var headers: [String: String]
    public var body: Data
  }

  public let port: UInt16
  private let listener: Int32
  private let answer: @Sendable (Request) -> Answer

  /// Starts on a free port.
  public init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
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
  public func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  public var url: String { "http://127.0.0.1:\(port)" }

  private func serve(_ connection: Int32) {
    guard let request = read(connection) else { return }
    let answer = answer(request)
    let length =
      answer.pieces == nil
      ? "Content-Length: \(answer.body.count + (answer.isCutOff ? 100 : 0))"
      : "Transfer-Encoding: chunked"
    let head =
      ["HTTP/1.1 \(answer.status) Answer", length] + answer.headers
      + ["Connection: close", "", ""]
    guard send(Data(head.joined(separator: "\r\n").utf8) + answer.body, to: connection) else {
      return
    }
    guard let pieces = answer.pieces else { return }
    for piece in pieces {
      Thread.sleep(forTimeInterval: piece.seconds)
      let size = Data((String(piece.data.count, radix: 16) + "\r\n").utf8)
      guard send(size + piece.data + Data("\r\n".utf8), to: connection) else { return }
    }
    if !answer.isCutOff { _ = send(Data("0\r\n\r\n".utf8), to: connection) }
  }

  private func send(_ data: Data, to connection: Int32) -> Bool {
    let bytes = Array(data)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
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
