import Foundation

/// A download that is not complete: bytes are appended to `<file>.part`.
final class PartFile {
  let path: String
  private let descriptor: Int32
  private(set) var size: Int

  /// Opens the file, or makes an empty one.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    size = Int(lseek(descriptor, 0, SEEK_END))
  }

  deinit {
    close(descriptor)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count >= 0 {
        written += count
        size += count
      } else if errno == ENOSPC || errno == EDQUOT {
        throw ModelFileError.diskFull(path: path, needed: rest.count, free: 0)
      } else if errno != EINTR {
        throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
      }
    }
  }

  func truncate(to length: Int) throws {
    guard ftruncate(descriptor, off_t(length)) == 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    size = length
  }

  /// Waits until the bytes are on the disk.
  func synchronize() throws {
    guard fsync(descriptor) == 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  func remove() {
    unlink(path)
  }

  /// Bytes of the file at a path, or nil when there is none.
  static func size(at path: String) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }
}
