import Foundation

/// What the system says of a call that failed.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  public let code: Int32

  public init(code: Int32) {
    self.code = code
  }

  /// That of the last call of this thread.
  public static var last: SystemError { SystemError(code: errno) }

  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }

  public var description: String { String(cString: strerror(code)) }
}

/// Writes all bytes at a descriptor's place; waits where it takes no more for now.
public func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32
) throws(SystemError) {
  var written = 0
  while written < bytes.count {
    let count = write(
      descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
    if count >= 0 { written += count } else { try retry(descriptor, POLLOUT) }
  }
}

/// Adds bytes to the end of a file, all of them or none; writes them where there is no end, as into
/// a FIFO.
public func append(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32
) throws(SystemError) {
  let end = lseek(descriptor, 0, SEEK_END)
  do {
    try writeAll(bytes, to: descriptor)
  } catch {
    if end >= 0 { _ = ftruncate(descriptor, end) }
    throw error
  }
}

/// Reads what comes, up to a buffer's size; nothing at the end.
public func readSome(
  _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer
) throws(SystemError) -> Int {
  while true {
    let count = read(descriptor, buffer.baseAddress, buffer.count)
    if count >= 0 { return count }
    try retry(descriptor, POLLIN)
  }
}

/// Waits for what a call asks to be tried again for, and throws what else it failed of.
private func retry(_ descriptor: Int32, _ event: Int32) throws(SystemError) {
  switch errno {
  case EINTR: return
  case EAGAIN:
    var wanted = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    poll(&wanted, 1, -1)
  default: throw .last
  }
}
