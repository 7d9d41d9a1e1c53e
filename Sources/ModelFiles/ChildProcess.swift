import Foundation

/// Runs a program of the system and reads what it writes.
package struct ChildProcess {
  var program: String
  var arguments: [String]
  /// Why the program is needed, for the error when it is not installed.
  var purpose: String
  var environment: [String: String]
  /// Given on standard input: at most a pipe's buffer, some kilobytes.
  var input: String
  /// Asked again and again: whether the program is to be ended.
  var isCancelled: () -> Bool

  package init(
    program: String, arguments: [String], purpose: String,
    environment: [String: String] = ProcessInfo.processInfo.environment, input: String = "",
    isCancelled: @escaping () -> Bool = { false }
  ) {
    self.program = program
    self.arguments = arguments
    self.purpose = purpose
    self.environment = environment
    self.input = input
    self.isCancelled = isCancelled
  }

  package struct Result {
    /// The exit code, or 128 and the number of the signal that ended it.
    package var status: Int32
    /// The end of what the program wrote to standard error.
    package var errors: String
  }

  private static let chunk = 1 << 18

  /// Runs the program to its end and gives its standard output to `receive`, piece by piece.
  /// When that throws, the program is ended and the error passed on.
  /// - Throws: `CancellationError` too.
  func run(receive: (UnsafeRawBufferPointer) throws -> Void) throws -> Result {
    let path = try executable()
    let errors = try TemporaryFile()
    var (input, output) = try SpawnedProcess.apart { (try ProgramPipe(), try ProgramPipe()) }
    // Before the start, while the pipe's reading end is open here and cannot break.
    try input.writing?.write(contentsOf: Data(self.input.utf8))
    input.writing = nil
    let process = try SpawnedProcess(
      path: path, arguments: arguments, environment: environment,
      input: input.reading.fileDescriptor,
      output: output.writing?.fileDescriptor ?? STDOUT_FILENO,
      errors: errors.handle.fileDescriptor)
    output.writing = nil
    do {
      try read(from: output.reading.fileDescriptor, receive)
      let status = try process.wait(check: checkCancellation)
      return Result(status: status ?? 0, errors: errors.tail())
    } catch {
      process.end()
      throw error
    }
  }

  private func checkCancellation() throws {
    if isCancelled() { throw CancellationError() }
  }

  /// Runs the program and gives its whole standard output, which is short.
  package func output() throws -> (result: Result, text: String) {
    var bytes: [UInt8] = []
    let result = try run { bytes.append(contentsOf: $0.prefix(Self.chunk)) }
    return (result, String(decoding: bytes, as: UTF8.self))
  }

  private func read(
    from descriptor: Int32, _ receive: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 16) { buffer in
      while true {
        try checkCancellation()
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, 100) > 0 else { continue }
        let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 {
          try receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        } else if count == 0 {
          return
        } else if errno != EINTR {
          throw ModelFileError.unreadable(
            path: "output of \(program)", reason: String(cString: strerror(errno)))
        }
      }
    }
  }

  private func executable() throws -> String {
    guard let path = Self.find(program, environment: environment) else {
      throw ModelFileError.missingProgram(name: program, purpose: purpose)
    }
    return path
  }

  /// Where the program lies in PATH.
  static func find(_ program: String, environment: [String: String]) -> String? {
    (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").lazy
      .map { "\($0)/\(program)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}

/// The two ends of a pipe, which programs that are started meanwhile do not inherit. An end is
/// closed with the last reference to it.
private struct ProgramPipe {
  var reading: FileHandle
  var writing: FileHandle?

  init() throws {
    var ends: [Int32] = [-1, -1]
    let result = pipe(&ends)
    guard result == 0 else {
      throw ModelFileError.unreadable(path: "a pipe", reason: String(cString: strerror(errno)))
    }
    reading = try FileHandle(aboveStandard: ends[0])
    writing = try FileHandle(aboveStandard: ends[1])
  }
}

extension FileHandle {
  /// Takes a descriptor over, and has another for it that is none of the standard ones:
  /// a process that was started without those has 0, 1 and 2 to give.
  fileprivate convenience init(aboveStandard descriptor: Int32) throws {
    let moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    let reason = errno
    Foundation.close(descriptor)
    guard moved >= 0 else {
      throw ModelFileError.unreadable(path: "a pipe", reason: String(cString: strerror(reason)))
    }
    self.init(fileDescriptor: moved, closeOnDealloc: true)
  }
}

/// A file without a name, gone when it is closed.
private struct TemporaryFile {
  let handle: FileHandle

  init() throws {
    let folder = NSTemporaryDirectory()
    var template = Array("\(folder)/nunchi-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw ModelFileError.unreadable(path: folder, reason: String(cString: strerror(errno)))
    }
    unlink(template)
    handle = try FileHandle(aboveStandard: descriptor)
  }

  func tail() -> String {
    guard let end = try? handle.seekToEnd() else { return "" }
    try? handle.seek(toOffset: end > 4096 ? end - 4096 : 0)
    let data = (try? handle.readToEnd()) ?? Data()
    return String(decoding: data, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
