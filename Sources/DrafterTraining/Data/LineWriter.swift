import Foundation
import ModelFiles

/// Appends whole lines to a file that one process at a time writes.
///
/// A line is written at once, so that a kill leaves whole lines and at most one torn one, which
/// opening the file again drops. What is no regular file gets the lines and keeps nothing.
final class LineWriter {
  let path: String
  /// Whether the lines cannot be read again or gone on with.
  let isStream: Bool
  private let descriptor: Int32

  /// Opens or makes the file, and drops what follows its last line break.
  /// - Throws: `TrainingError.file` when another process is writing it, or `ModelFileError`.
  init(path: String) throws {
    self.path = OutputPlace.name(path)
    let place = try OutputPlace(path)
    isStream = place.isStream
    do { descriptor = try place.openForAppending() } catch {
      throw ModelFileError(path: self.path, error)
    }
    guard !isStream else { return }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let error = SystemError.last
      guard error.code == EWOULDBLOCK else { throw ModelFileError(path: path, error) }
      throw TrainingError.file(path: path, reason: "another process is writing it")
    }
    try dropTornLine()
  }

  deinit { close(descriptor) }

  /// Whether there is no line.
  var isEmpty: Bool { isStream || lseek(descriptor, 0, SEEK_END) <= 0 }

  /// Appends a line; the break after it is added.
  /// - Throws: `ModelFileError`, for instance when the disk is full. No part of it stays then.
  func append(_ line: Data) throws {
    do {
      try (line + [0x0A]).withUnsafeBytes { bytes in
        try ModelFiles.append(bytes, to: descriptor)
      }
    } catch let error as SystemError {
      throw ModelFileError(path: path, error, needed: line.count + 1)
    }
  }

  private func dropTornLine() throws {
    var end = lseek(descriptor, 0, SEEK_END)
    let size = end
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while end > 0 {
      let start = max(0, end - off_t(buffer.count))
      let count = pread(descriptor, &buffer, Int(end - start), start)
      guard count == Int(end - start) else { throw ModelFileError(path: path, .last) }
      if let last = buffer[..<count].lastIndex(of: 0x0A) {
        end = start + off_t(last) + 1
        break
      }
      end = start
    }
    if end < size, ftruncate(descriptor, end) != 0 { throw ModelFileError(path: path, .last) }
  }
}
