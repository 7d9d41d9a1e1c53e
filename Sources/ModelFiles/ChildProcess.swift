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

  package init(
    program: String, arguments: [String], purpose: String,
    environment: [String: String] = ProcessInfo.processInfo.environment, input: String = ""
  ) {
    self.program = program
    self.arguments = arguments
    self.purpose = purpose
    self.environment = environment
    self.input = input
  }

  package struct Result {
    package var status: Int32
    /// The end of what the program wrote to standard error.
    package var errors: String
  }

  private static let chunk = 1 << 18

  /// Runs the program to its end and gives its standard output to `receive`, piece by piece.
  /// When that throws, the program is ended and the error passed on.
  func run(receive: (UnsafeRawBufferPointer) throws -> Void) throws -> Result {
    let process = Process()
    process.executableURL = try executable()
    process.arguments = arguments
    process.environment = environment
    let output = Pipe()
    let input = Pipe()
    let errors = try TemporaryFile()
    process.standardOutput = output
    process.standardInput = input
    process.standardError = errors.handle
    // Before the start, while the pipe's reading end is open here and cannot break.
    try input.fileHandleForWriting.write(contentsOf: Data(self.input.utf8))
    do {
      try process.run()
    } catch {
      throw ModelFileError.unreadable(path: program, reason: "cannot be run: \(error)")
    }
    try? input.fileHandleForWriting.close()
    do {
      try read(from: output.fileHandleForReading.fileDescriptor, receive)
    } catch {
      process.terminate()
      process.waitUntilExit()
      throw error
    }
    process.waitUntilExit()
    return Result(status: process.terminationStatus, errors: errors.tail())
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

  private func executable() throws -> URL {
    guard let path = Self.find(program, environment: environment) else {
      throw ModelFileError.missingProgram(name: program, purpose: purpose)
    }
    return URL(fileURLWithPath: path)
  }

  /// Where the program lies in PATH.
  static func find(_ program: String, environment: [String: String]) -> String? {
    (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").lazy
      .map { "\($0)/\(program)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
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
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  func tail() -> String {
    guard let end = try? handle.seekToEnd() else { return "" }
    try? handle.seek(toOffset: end > 4096 ? end - 4096 : 0)
    let data = (try? handle.readToEnd()) ?? Data()
    return String(decoding: data, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
