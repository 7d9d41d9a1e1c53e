import Foundation
import ModelFiles

/// The folder of a training run, in which one process trains at a time.
final class RunFolder {
  let path: String
  /// Locked until the process ends, however it does.
  private let descriptor: Int32

  var checkpoint: Checkpoint { Checkpoint(folder: path) }
  var table: String { "\(path)/loss.csv" }
  var drafter: String { "\(path)/drafter" }
  private var newDrafter: String { drafter + ".part" }
  private var oldDrafter: String { drafter + ".old" }

  /// Makes the folder where there is none, and locks it.
  /// - Throws: `TrainingError.file`.
  init(_ path: String) throws {
    self.path = path
    do {
      try createFolder(path)
    } catch {
      throw TrainingError.file(path: path, reason: "cannot be made a folder: \(error)")
    }
    guard access(path, W_OK | X_OK) == 0 else { throw Self.systemError(path) }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.systemError(path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw errno == EWOULDBLOCK
        ? TrainingError.file(path: path, reason: "another process trains in this folder")
        : Self.systemError(path)
    }
    // A process that ended between the two renamings left the one before it.
    if !hasDrafter { rename(oldDrafter, drafter) }
  }

  deinit {
    // Said aloud: a child process that another thread is just starting has a copy of the
    // descriptor, and would hold the lock a moment longer.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  var hasDrafter: Bool { FileManager.default.fileExists(atPath: drafter) }

  /// Has `write` fill a new folder, which then takes the drafter's place.
  /// - Throws: `TrainingError.file`, and what `write` throws; then the one before it is still
  ///   there.
  func replaceDrafter(_ write: (String) throws -> Void) throws {
    let files = FileManager.default
    try? files.removeItem(atPath: newDrafter)
    do {
      try files.createDirectory(atPath: newDrafter, withIntermediateDirectories: false)
    } catch {
      throw TrainingError.file(path: newDrafter, reason: "cannot be made: \(error)")
    }
    try write(newDrafter)
    try? files.removeItem(atPath: oldDrafter)
    if hasDrafter, rename(drafter, oldDrafter) != 0 { throw Self.systemError(drafter) }
    guard rename(newDrafter, drafter) == 0 else { throw Self.systemError(drafter) }
    try? files.removeItem(atPath: oldDrafter)
  }

  private static func systemError(_ path: String) -> TrainingError {
    .file(path: path, reason: String(cString: strerror(errno)))
  }
}
