import Foundation

extension Data {
  /// The bytes of a file; of a FIFO, a device or `-`, standard input, all that comes.
  /// - Throws: `ModelFileError.unreadable`.
  public init(reading path: String) throws {
    self = try InputDescriptor(path: path).data()
  }
}

/// Inputs that are read more than once. A regular file or a folder stands for itself. What a FIFO,
/// a device or `-` gives is read once and kept in a copy of the same name, which goes with this
/// object.
public final class KeptInputs {
  /// What to read in place of the inputs, in their order.
  public let paths: [String]
  private let folder: String?

  /// - Throws: `ModelFileError.unreadable`, `.diskFull`.
  public init(_ inputs: [String]) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("nunchi-\(UUID().uuidString)")
    self.folder = inputs.contains(where: Self.isStream) ? folder.path : nil
    paths = try inputs.enumerated().map { index, input in
      guard Self.isStream(input) else { return input }
      let copy = folder.appendingPathComponent("\(index)")
      let name = input == "-" ? "stdin" : URL(fileURLWithPath: input).lastPathComponent
      do {
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
      } catch {
        throw ModelFileError.unreadable(path: copy.path, reason: error.localizedDescription)
      }
      let path = copy.appendingPathComponent(name).path
      try AtomicFile.write(Data(reading: input), to: path)
      return path
    }
  }

  deinit {
    if let folder { try? FileManager.default.removeItem(atPath: folder) }
  }

  /// Whether a path names what can be read only once.
  public static func isStream(_ path: String) -> Bool {
    var status = stat()
    guard path != "-" else { return true }
    return stat(path, &status) == 0 && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
  }
}

/// A file that is open for reading.
final class InputDescriptor {
  let path: String
  let number: Int32
  let isRegular: Bool
  /// Of a regular file.
  let size: Int

  private static let chunk = 1 << 16

  /// - Throws: `ModelFileError.unreadable`.
  convenience init(path: String) throws {
    let number =
      path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else {
      throw ModelFileError(path: path == "-" ? "standard input" : path, .last)
    }
    try self.init(number, path: path)
  }

  private init(_ number: Int32, path: String) throws {
    self.path = path == "-" ? "standard input" : path
    self.number = number
    var status = stat()
    let code = fstat(number, &status) == 0 ? 0 : errno
    // A file that the system makes as it is read says that it has no bytes.
    isRegular = status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
    size = Int(status.st_size)
    guard code == 0 else { throw ModelFileError(path: path, SystemError(code: code)) }
  }

  deinit { close(number) }

  func data() throws -> Data {
    var data = Data(capacity: isRegular ? size : 0)
    try forEachPiece { data.append(contentsOf: $0) }
    return data
  }

  /// All that comes, in a file without a name.
  func kept() throws -> InputDescriptor {
    let copy = try temporaryDescriptor()
    do {
      try forEachPiece { piece in
        do throws(SystemError) {
          try writeAll(piece, to: copy)
        } catch {
          throw ModelFileError(path: path, error, needed: piece.count)
        }
      }
    } catch {
      close(copy)
      throw error
    }
    return try InputDescriptor(copy, path: path)
  }

  private func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count: Int
      do { count = try readSome(number, into: buffer) } catch {
        throw ModelFileError(path: path, error)
      }
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }
}
