import Foundation

/// A file mapped into memory for reading; unmapped when the last reference goes.
///
/// The bytes are those of the file: if another process shortens it, reading past its new end is
/// a fault that no check can prevent. Downloads are therefore renamed into place when complete.
/// What a FIFO, a device or `-`, standard input, gives is read to its end once, into a file without
/// a name.
// Unchecked only because raw pointers are not Sendable; the mapping is read-only and never moves.
public final class MappedFile: @unchecked Sendable {
  /// What errors call it.
  public let path: String
  /// All bytes of the file. Valid as long as this object lives.
  public let bytes: UnsafeRawBufferPointer

  /// Maps a file that is not empty.
  /// - Throws: `ModelFileError.unreadable`, or `.malformed` for an empty file.
  public init(path: String) throws {
    let input = try InputDescriptor(path: path)
    let file = input.isRegular ? input : try input.kept()
    guard file.size > 0 else {
      throw ModelFileError.malformed(
        path: path, field: "size", expected: "at least one byte", found: "an empty file")
    }
    let address = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.number, 0)
    guard let address, address != MAP_FAILED else { throw ModelFileError(path: path, .last) }
    self.path = path
    bytes = UnsafeRawBufferPointer(start: address, count: file.size)
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
