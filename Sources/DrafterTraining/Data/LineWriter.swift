import Foundation

/// Appends whole lines to a file that one process at a time writes.
///
/// A line is written at once, so that a kill leaves whole lines and at most one torn one, which
/// opening the file again drops.
final class LineWriter {
  let path: String
  private let descriptor: Int32

  /// Opens or makes the file, and drops what follows its last line break.
  /// - Throws: `TrainingError.file`, also when another process is writing it.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.systemError(path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let isBusy = errno == EWOULDBLOCK
      let failure =
        isBusy
        ? TrainingError.file(
          path: path, reason: "another process is writing it") : Self.systemError(path)
      close(descriptor)
      throw failure
    }
    do {
      try dropTornLine()
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Whether there is no line.
  var isEmpty: Bool { lseek(descriptor, 0, SEEK_END) <= 0 }

  /// Appends a line; the break after it is added.
  /// - Throws: `TrainingError.file`, for instance when the disk is full. Nothing of the line stays
  ///   then.
  func append(_ line: Data) throws {
    let start = lseek(descriptor, 0, SEEK_END)
    guard start >= 0 else { throw Self.systemError(path) }
    let bytes = line + [0x0A]
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        let failure = Self.systemError(path)
        _ = ftruncate(descriptor, start)
        throw failure
      }
      written += count
    }
  }

  private func dropTornLine() throws {
    var end = lseek(descriptor, 0, SEEK_END)
    let size = end
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while end > 0 {
      let start = max(0, end - off_t(buffer.count))
      let count = pread(descriptor, &buffer, Int(end - start), start)
      guard count == Int(end - start) else { throw Self.systemError(path) }
      if let last = buffer[..<count].lastIndex(of: 0x0A) {
        end = start + off_t(last) + 1
        break
      }
      end = start
    }
    if end < size, ftruncate(descriptor, end) != 0 { throw Self.systemError(path) }
  }

  private static func systemError(_ path: String) -> TrainingError {
    .file(path: path, reason: String(cString: strerror(errno)))
  }
}
