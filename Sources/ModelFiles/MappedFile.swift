import Foundation

/// A file mapped into memory for reading; unmapped when the last reference goes.
///
/// The bytes are those of the file: if another process shortens it, reading past its new end is
/// a fault that no check can prevent. Downloads are therefore renamed into place when complete.
// Unchecked only because raw pointers are not Sendable; the mapping is read-only and never moves.
public final class MappedFile: @unchecked Sendable {
  /// What errors call it.
  public let path: String
  /// All bytes of the file. Valid as long as this object lives.
  public let bytes: UnsafeRawBufferPointer

  /// Maps a regular file that is not empty.
  /// - Throws: `ModelFileError.unreadable`, or `.malformed` for an empty file.
  public init(path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ModelFileError.unreadable(path: path, reason: "it is not a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      throw ModelFileError.malformed(
        path: path, field: "size", expected: "at least one byte", found: "an empty file")
    }
    let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw ModelFileError.unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    self.path = path
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// Tells the system that a range of bytes is not needed soon, so that its pages leave this
  /// process's memory. Reading them later is allowed and brings them back from the file.
  public func releasePages(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let range = range.clamped(to: 0..<bytes.count)
    let start = range.lowerBound / page * page
    guard !range.isEmpty, let base = bytes.baseAddress else { return }
    madvise(
      UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_DONTNEED)
  }
}
