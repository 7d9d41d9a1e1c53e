import Foundation

/// Where bytes go that are written under a name.
public enum OutputPlace: Equatable, Sendable {
  /// A regular file, or none yet. Symbolic links are followed to it.
  case file(String)
  /// A device, FIFO or socket.
  case device(String)
  /// What this process has open: `-`, `/dev/stdout`, `/dev/fd/3`.
  case descriptor(Int32)

  /// - Throws: `ModelFileError.unreadable` for a folder, or links that lead nowhere.
  public init(_ path: String) throws {
    guard path != "-" else {
      self = .descriptor(STDOUT_FILENO)
      return
    }
    var place = path
    for _ in 0..<40 {
      if let number = Self.descriptor(of: place) {
        self = .descriptor(number)
        return
      }
      var status = stat()
      guard lstat(place, &status) == 0 else {
        self = .file(place)
        return
      }
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        self = .file(place)
        return
      case S_IFDIR: throw ModelFileError(path: path, SystemError(code: EISDIR))
      case S_IFLNK: place = try Self.target(of: place)
      default:
        self = .device(place)
        return
      }
    }
    throw ModelFileError(path: path, SystemError(code: ELOOP))
  }

  /// What errors call the place.
  public static func name(_ path: String) -> String { path == "-" ? "standard output" : path }

  /// Whether what is written is gone: it cannot be read again, replaced or gone on with.
  public var isStream: Bool {
    if case .file = self { false } else { true }
  }

  /// Opens a stream; a FIFO waits until somebody reads it.
  /// - Returns: a descriptor to close, or nil for a file.
  func openStream() throws(SystemError) -> Int32? {
    let descriptor: Int32
    switch self {
    case .file: return nil
    case .device(let path): descriptor = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC)
    case .descriptor(let number): descriptor = fcntl(number, F_DUPFD_CLOEXEC, 0)
    }
    guard descriptor >= 0 else { throw .last }
    return descriptor
  }

  /// Opens the place to add to it; a file is made if it is not there.
  /// - Returns: a descriptor to close.
  public func openForAppending() throws(SystemError) -> Int32 {
    if let stream = try openStream() { return stream }
    guard case .file(let path) = self else { throw SystemError(code: EINVAL) }
    let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .last }
    return descriptor
  }

  /// The number in a name of a descriptor of this process.
  private static func descriptor(of path: String) -> Int32? {
    for folder in ["/dev/fd/", "/proc/self/fd/", "/proc/\(getpid())/fd/"]
    where path.hasPrefix(folder) {
      return Int32(path.dropFirst(folder.count))
    }
    return nil
  }

  private static func target(of link: String) throws -> String {
    do {
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: link)
      guard !target.hasPrefix("/") else { return target }
      let folder = (link as NSString).deletingLastPathComponent
      return folder.isEmpty ? target : "\(folder)/\(target)"
    } catch {
      throw ModelFileError.unreadable(path: link, reason: error.localizedDescription)
    }
  }
}

/// A file without a name, which goes when it is closed.
func temporaryDescriptor() throws -> Int32 {
  let folder = FileManager.default.temporaryDirectory.path
  var name = Array("\(folder)/nunchi-XXXXXX".utf8CString)
  let descriptor = mkstemp(&name)
  guard descriptor >= 0 else { throw ModelFileError(path: folder, .last) }
  unlink(name)
  _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  return descriptor
}
