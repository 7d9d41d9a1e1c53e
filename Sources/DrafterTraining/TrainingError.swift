import Foundation

/// What goes wrong in data generation and training. Every message names the file or setting, what
/// was expected and what was found.
public enum TrainingError: Error, Equatable, Sendable {
  /// Memory for training cannot be had; both in bytes.
  case notEnoughMemory(purpose: String, needed: Int, available: Int)
  /// A file that cannot be opened, read or written.
  case file(path: String, reason: String)
  /// One line of a file.
  case line(path: String, line: Int, field: String, expected: String, found: String)
  /// A field of a file that is not made of lines.
  case field(path: String, field: String, expected: String, found: String)
  /// The file system has too little room; sizes in bytes.
  case diskFull(path: String, needed: Int, free: Int)
  /// An option that is out of range.
  case setting(name: String, expected: String, found: String)
  /// A number of a run became infinite or not a number. The checkpoint is an earlier, good one.
  case notFinite(step: Int, term: String, found: Double)
  /// The folder has the checkpoint of a run that was begun in another way.
  case otherRun(folder: String, field: String, begunWith: String, found: String)
}

extension TrainingError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .notEnoughMemory(let purpose, let needed, let available):
      "\(purpose): \(needed >> 20) MB of memory are needed, \(available >> 20) MB are available"
    case .file(let path, let reason): "\(path): \(reason)"
    case .line(let path, let line, let field, let expected, let found):
      "\(path), line \(line): \(field): expected \(expected), found \(found)"
    case .field(let path, let field, let expected, let found):
      "\(path): \(field): expected \(expected), found \(found)"
    case .diskFull(let path, let needed, let free):
      "\(path): expected \(needed) bytes of free space, found \(free)"
    case .setting(let name, let expected, let found):
      "\(name): expected \(expected), found \(found)"
    case .notFinite(let step, let term, let found):
      "step \(step): \(term): expected a finite number, found \(found); a lower learning rate or "
        + "more warm-up may help, and the last good checkpoint is kept"
    case .otherRun(let folder, let field, let begunWith, let found):
      "\(folder): \(field): the run in this folder was begun with \(begunWith), found \(found); "
        + "resume it with what it was begun with, or choose another folder"
    }
  }

  public var errorDescription: String? { description }
}
