import Foundation

/// A lock that one process, or one thread, holds at a time; given up when the process ends,
/// however it ends.
final class FileLock {
  private let path: String
  private let descriptor: Int32

  /// Waits until the lock is free. `waiting` is called once when another one holds it.
  /// - Throws: `ModelFileError.unreadable`, or `CancellationError` while it waits.
  init(
    path: String, isCancelled: () -> Bool = { false }, waiting: () -> Void
  ) throws {
    self.path = path
    var told = false
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else {
        throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
      }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        if Self.isSameFile(descriptor, path) {
          self.descriptor = descriptor
          return
        }
        // The one before us removed the file between our opening and locking it.
        close(descriptor)
        continue
      }
      let reason = errno
      close(descriptor)
      guard reason == EWOULDBLOCK || reason == EINTR else {
        throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(reason)))
      }
      if !told { waiting() }
      told = true
      if isCancelled() { throw CancellationError() }
      usleep(50_000)
    }
  }

  deinit {
    // Removed while still locked, so that nobody's lock is taken away; nor is that of a folder
    // which was removed and made again meanwhile.
    if Self.isSameFile(descriptor, path) { unlink(path) }
    close(descriptor)
  }

  private static func isSameFile(_ descriptor: Int32, _ path: String) -> Bool {
    var opened = stat()
    var named = stat()
    return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
      && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }
}
