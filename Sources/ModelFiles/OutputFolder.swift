import Foundation

/// Makes a folder and those above it, as far as they are not there.
/// - Throws: `ModelFileError` that names the folder.
public func makeFolder(_ path: String) throws {
  do { try createFolder(path) } catch { throw ModelFileError(path: path, error) }
}

/// The same, for callers with errors of their own.
public func createFolder(_ path: String) throws(SystemError) {
  var folder = path.hasPrefix("/") ? "/" : ""
  for part in path.split(separator: "/") {
    folder += part
    if mkdir(folder, 0o777) != 0 {
      let error = SystemError.last
      var status = stat()
      guard stat(folder, &status) == 0 else { throw error }
      guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemError(code: ENOTDIR) }
    }
    folder += "/"
  }
}

extension OutputPlace {
  /// Refuses to write over what is still to be read.
  /// - Throws: `ModelFileError.malformed` when the output is one of the inputs, also by a link.
  public static func check(_ output: String, isNoneOf inputs: [String]) throws {
    var written = stat()
    guard stat(output, &written) == 0, written.st_mode & S_IFMT == S_IFREG else { return }
    for input in inputs {
      var read = stat()
      if stat(input, &read) == 0, read.st_dev == written.st_dev, read.st_ino == written.st_ino {
        throw ModelFileError.malformed(
          path: output, field: "output", expected: "another file than the input", found: input)
      }
    }
  }
}
