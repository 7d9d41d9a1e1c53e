import Foundation

/// A file that appears under its name only when it is complete: it is written as `<path>.part`,
/// brought to the disk, then renamed. Whenever the process ends, the name holds the file that
/// was there before or the whole new one. An abandoned one takes its part away.
public final class AtomicFile {
  public let path: String
  private let part: String
  private let descriptor: Int32
  private var isCommitted = false

  /// Opens `<path>.part`.
  /// - Throws: `ModelFileError.unreadable` when the folder cannot be written.
  public init(path: String) throws {
    self.path = path
    part = path + ".part"
    descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.systemError(part) }
  }

  deinit {
    close(descriptor)
    if !isCommitted { unlink(part) }
  }

  /// Writes bytes at a place in the file.
  /// - Throws: `ModelFileError.diskFull` or `.unreadable`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
      if count >= 0 {
        written += count
      } else if errno == ENOSPC || errno == EDQUOT {
        throw ModelFileError.diskFull(path: path, needed: rest.count, free: 0)
      } else if errno != EINTR {
        throw Self.systemError(part)
      }
    }
  }

  /// Gives the file its name. The data is on the disk before, and the name when this returns.
  /// - Throws: `ModelFileError.unreadable`, `.diskFull` where the disk is found full this late.
  public func commit() throws {
    guard fsync(descriptor) == 0 else {
      if errno == ENOSPC || errno == EDQUOT {
        throw ModelFileError.diskFull(path: path, needed: 0, free: 0)
      }
      throw Self.systemError(part)
    }
    guard rename(part, path) == 0 else { throw Self.systemError(path) }
    isCommitted = true
    Self.synchronizeFolder(of: path)
  }

  /// Writes a whole file.
  /// - Throws: `ModelFileError.unreadable` or `.diskFull`.
  public static func write(_ data: Data, to path: String) throws {
    let file = try AtomicFile(path: path)
    try data.withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }

  /// Brings a folder's names to the disk, where the file system can.
  private static func synchronizeFolder(of path: String) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func systemError(_ path: String) -> ModelFileError {
    .unreadable(path: path, reason: String(cString: strerror(errno)))
  }
}
