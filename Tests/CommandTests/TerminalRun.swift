import Foundation
import Synchronization
import Testing

/// A `nunchi` that runs in a pseudo-terminal, or with a pipe for its output.
final class TerminalRun: Sendable {
  private let process: Process
  /// The side of the terminal that a person sits at; -1 without one.
  private let screen: Int32
  private let terminal: Int32
  private let output = Mutex(Data())

  /// - Parameter columns: of the terminal; nil gives the process no terminal.
  init(_ arguments: [String], columns: UInt16?) throws {
    process = Process()
    process.executableURL = try nunchiExecutable()
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm"]) { $1 }
    let pipe = Pipe()
    if let columns {
      // Linux's own way; the functions of POSIX for it are not visible from Swift.
      screen = open("/dev/ptmx", O_RDWR | O_NOCTTY)
      var (number, locked): (UInt32, Int32) = (0, 0)
      let (getNumber, setLock) = (UInt(0x8004_5430), UInt(0x4004_5431))
      try #require(screen >= 0 && ioctl(screen, setLock, &locked) == 0)
      try #require(ioctl(screen, getNumber, &number) == 0)
      terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
      try #require(terminal >= 0)
      var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
      try #require(ioctl(screen, UInt(TIOCSWINSZ), &size) == 0)
      let handle = FileHandle(fileDescriptor: terminal)
      (process.standardInput, process.standardOutput) = (handle, handle)
      process.standardError = handle
    } else {
      (screen, terminal) = (-1, -1)
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = pipe
      process.standardError = pipe
    }
    try process.run()
    let source = columns == nil ? pipe.fileHandleForReading.fileDescriptor : screen
    Thread.detachNewThread { [self] in
      var bytes = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = read(source, &bytes, bytes.count)
        if count <= 0 { break }
        output.withLock { $0.append(contentsOf: bytes[..<count]) }
      }
      withExtendedLifetime(pipe) {}
    }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    if screen >= 0 {
      close(screen)
      close(terminal)
    }
  }

  /// All that was written so far.
  var text: String { String(decoding: output.withLock { $0 }, as: UTF8.self) }

  func type(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(write(screen, bytes, bytes.count) == bytes.count)
  }

  func send(signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits until something holds of all that was written.
  func wait(
    for what: String, _ holds: (String) -> Bool, location: SourceLocation = #_sourceLocation
  ) async throws {
    try await until(what, location) { holds(text) }
  }

  /// Waits until the process heeds signals by itself.
  func waitUntilSignalsAreHeeded(location: SourceLocation = #_sourceLocation) async throws {
    try await until("SIGINT is caught", location) {
      let status = try? String(
        contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      let line = status?.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
      let mask = line.flatMap { UInt64($0.split(separator: "\t").last ?? "", radix: 16) }
      return (mask ?? 0) & 1 << UInt64(SIGINT - 1) != 0
    }
  }

  /// The exit code, once it has ended.
  func exitCode(location: SourceLocation = #_sourceLocation) async throws -> Int32 {
    try await until("the end", location) { !process.isRunning }
    try #require(process.terminationReason == .exit, sourceLocation: location)
    return process.terminationStatus
  }

  /// Whether the terminal shows what is typed and gives whole lines, as it did at first.
  var isAsUsual: Bool {
    var found = termios()
    let wanted = tcflag_t(ICANON | ECHO | ISIG)
    return tcgetattr(terminal, &found) == 0 && found.c_lflag & wanted == wanted
  }

  private func until(
    _ what: String, _ location: SourceLocation, _ holds: () -> Bool
  ) async throws {
    let start = ContinuousClock.now
    while !holds() {
      try #require(
        ContinuousClock.now - start < .seconds(120),
        "waited for \(what), found: \(text.suffix(400))",
        sourceLocation: location)
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
