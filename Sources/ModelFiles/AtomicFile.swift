import Foundation

/// A file that appears under its name only when it is complete: it is written as `<path>.part`,
/// brought to the disk, then renamed. Whenever the process ends, the name holds the file that
/// was there before or the whole new one. An abandoned one takes its part away.
///
/// A symbolic link stays, and what it leads to is replaced. A device, a FIFO and `-`, standard
/// output, get the bytes once all of them are there.
public final class AtomicFile {
  public let path: String
  /// Where the bytes lie until they are complete.
  public let folder: String
  private let place: OutputPlace
  /// nil for a file without a name, whose bytes a stream gets.
  private let part: String?
  private let descriptor: Int32
  private let stream: Int32?
  private var isCommitted = false

  private static let chunk = 1 << 20

  /// Opens `<path>.part`, or what is no regular file.
  /// - Throws: `ModelFileError.unreadable` when the folder or the device cannot be written.
  public init(path: String) throws {
    self.path = OutputPlace.name(path)
    place = try OutputPlace(path)
    guard case .file(let file) = place else {
      part = nil
      folder = FileManager.default.temporaryDirectory.path
      descriptor = try temporaryDescriptor()
      do { stream = try place.openStream() } catch {
        close(descriptor)
        throw ModelFileError(path: path, error)
      }
      return
    }
    let part = file + ".part"
    self.part = part
    stream = nil
    folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw ModelFileError(path: part, .last) }
    var old = stat()
    if stat(file, &old) == 0 { fchmod(descriptor, old.st_mode & 0o777) }
  }

  deinit {
    close(descriptor)
    if let stream { close(stream) }
    if !isCommitted, let part { unlink(part) }
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
      } else if errno != EINTR {
        throw ModelFileError(path: path, .last, needed: rest.count)
      }
    }
  }

  /// Gives the file its name, or its bytes to the stream. The data is on the disk before, and the
  /// name when this returns.
  /// - Throws: `ModelFileError.unreadable`, `.noReader`, `.diskFull` where the disk is found full
  ///   this late.
  public func commit() throws {
    guard case .file(let file) = place, let part else { return try pour() }
    guard fsync(descriptor) == 0, rename(part, file) == 0 else {
      throw ModelFileError(path: path, .last, needed: Int(lseek(descriptor, 0, SEEK_END)))
    }
    isCommitted = true
    Self.synchronizeFolder(folder)
  }

  /// Writes a whole file.
  /// - Throws: `ModelFileError.unreadable`, `.noReader` or `.diskFull`.
  public static func write(_ data: Data, to path: String) throws {
    let file = try AtomicFile(path: path)
    try data.withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }

  private func pour() throws {
    guard let stream else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 16)
    defer { buffer.deallocate() }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    lseek(descriptor, 0, SEEK_SET)
    do {
      while true {
        let count = try readSome(descriptor, into: buffer)
        if count == 0 { return }
        try writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: stream)
      }
    } catch {
      throw ModelFileError(path: path, error, needed: size)
    }
  }

  /// Brings a folder's names to the disk, where the file system can.
  private static func synchronizeFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
