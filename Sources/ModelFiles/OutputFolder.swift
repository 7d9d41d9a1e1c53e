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
  /// Whether two paths lead to the same regular file, by their names or by links.
  public static func isSameFile(_ one: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard stat(one, &first) == 0, stat(other, &second) == 0 else {
      return URL(fileURLWithPath: one).standardizedFileURL
        == URL(fileURLWithPath: other).standardizedFileURL
    }
    return first.st_mode & S_IFMT == S_IFREG && first.st_dev == second.st_dev
      && first.st_ino == second.st_ino
  }
}
