import ArgumentParser
import Foundation
import ModelFiles
import Synchronization

/// Writes to standard output at once, in place of Swift's own `print`, which hides errors. A
/// command that cannot write its results ends, with one line on standard error unless nobody reads
/// the results any more.
func print(_ items: Any..., separator: String = " ", terminator: String = "\n") {
  writeOut(items.map { "\($0)" }.joined(separator: separator) + terminator)
}

/// Writes text to standard output at once; what `print` says of errors holds.
func writeOut(_ text: String) {
  do { try write(text, to: STDOUT_FILENO) } catch {
    if error.code != EPIPE { writeError("Error: standard output: \(error)") }
    exit(ExitCode.failure.rawValue)
  }
}

/// Writes a line to standard error.
func writeError(_ line: String) { writeErrorText(line + "\n") }

/// Writes text to standard error. Where that fails the work goes on, and the command ends with
/// code 1.
func writeErrorText(_ text: String) {
  do { try write(text, to: STDERR_FILENO) } catch { StandardStreams.noteLostText() }
}

private func write(_ text: String, to descriptor: Int32) throws(SystemError) {
  // Typed errors do not pass `withUTF8`.
  let bytes = Array(text.utf8)
  let result = bytes.withUnsafeBytes { bytes in
    Result { () throws(SystemError) in try writeAll(bytes, to: descriptor) }
  }
  try result.get()
}

/// Standard input, output and error of this process.
enum StandardStreams {
  private static let hasLostText = Atomic(false)

  /// Opens the ones that are closed so that their use is an error: the next file to be opened would
  /// take their place.
  static func reserve() {
    for (number, mode) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
    ] where fcntl(number, F_GETFD) < 0 {
      _ = open("/dev/null", mode)  // takes the lowest number that is free: this one
    }
  }

  static func noteLostText() { hasLostText.store(true, ordering: .relaxed) }

  /// Ends the process, with code 1 if not all text for standard error could be written.
  static func exit(_ code: ExitCode) -> Never {
    let isIncomplete = hasLostText.load(ordering: .relaxed)
    Foundation.exit(code.isSuccess && isIncomplete ? ExitCode.failure.rawValue : code.rawValue)
  }
}

/// Lines of standard input, one after another.
struct InputLines {
  private var rest: [UInt8] = []
  private var isAtEnd = false

  /// The next line without its break; nil at the end.
  /// - Throws: `ModelFileError.unreadable`.
  mutating func next() throws -> String? {
    while !rest.contains(0x0A), !isAtEnd {
      let piece = try read()
      isAtEnd = piece.isEmpty
      rest += piece
    }
    guard !rest.isEmpty else { return nil }
    let line = rest.prefix { $0 != 0x0A }
    rest = Array(rest.dropFirst(line.count + 1))
    return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
  }

  private func read() throws -> [UInt8] {
    do {
      return try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        count = try readSome(STDIN_FILENO, into: UnsafeMutableRawBufferPointer(buffer))
      }
    } catch let error as SystemError {
      throw ModelFileError.unreadable(path: "standard input", reason: error.description)
    }
  }
}

/// Refuses an output that would be written over what is still to be read.
func validateOutput(_ output: String, isNoneOf inputs: [String]) throws {
  if let input = inputs.first(where: { OutputPlace.isSameFile(output, $0) }) {
    throw ValidationError("--output: expected another file than the input, found \(input)")
  }
}

/// Prints a value as JSON with snake-case keys in a fixed order.
func printJSON(_ value: some Encodable) throws {
  print(String(decoding: try jsonData(value), as: UTF8.self))
}

/// JSON for people and tools.
func jsonData(_ value: some Encodable) throws -> Data {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return try encoder.encode(value)
}

/// Prints rows of cells in columns, aligned on a terminal.
func printTable(_ rows: [[String]]) {
  for line in alignedLines(rows) { print(line) }
}

/// The same, to standard error.
func writeTable(_ rows: [[String]]) {
  for line in alignedLines(rows) { writeError(line) }
}

private func alignedLines(_ rows: [[String]]) -> [String] {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].displayWidth : 0 }.max() ?? 0
  }
  return rows.map { row in
    let cells = zip(row, widths).map { cell, width in
      cell + String(repeating: " ", count: width - cell.displayWidth)
    }
    var line = cells.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }
}

/// Bytes for people, in powers of ten: `98.4 MB`.
func formatBytes(_ bytes: Int) -> String {
  let units = ["B", "kB", "MB", "GB", "TB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1000, unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0
    ? "\(bytes) B" : "\(formatDecimal(value, places: value < 10 ? 2 : 1)) \(units[unit])"
}

/// A number with a fixed count of decimal places.
func formatDecimal(_ value: Double, places: Int) -> String {
  String(format: "%.\(places)f", value)
}

/// A number with commas between the thousands.
func formatCount(_ value: Int) -> String {
  var groups: [String] = []
  var rest = String(value)
  while rest.count > 3 {
    groups.insert(String(rest.suffix(3)), at: 0)
    rest.removeLast(3)
  }
  return ([rest] + groups).joined(separator: ",")
}

/// One line on standard error that is written over as work goes on; nothing when standard error
/// is no terminal.
final class ProgressBar {
  private let label: String
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?
  private var firstBytes: Int?

  private static let width = 24

  init(label: String) {
    self.label = label
  }

  /// Shows how much is done; at most ten times a second.
  func update(_ bytes: Int, of total: Int?) {
    let now = ContinuousClock.now
    guard isTerminal, last.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
    last = now
    let first = firstBytes ?? bytes
    firstBytes = first
    let seconds = (now - start) / .seconds(1)
    let speed = seconds > 0.5 ? ", \(formatBytes(Int(Double(bytes - first) / seconds)))/s" : ""
    guard let total, total > 0 else { return write("\(formatBytes(bytes))\(speed)") }
    let share = min(1, Double(bytes) / Double(total))
    write("\(bar(share)) \(Int(share * 100)) % of \(formatBytes(total))\(speed)")
  }

  /// Shows how much is done, from 0 to 1, and of what; at most ten times a second.
  func update(share: Double, saying what: String = "") {
    let now = ContinuousClock.now
    guard isTerminal, last.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
    last = now
    write("\(bar(share)) \(Int(share * 100)) % \(what)")
  }

  private func bar(_ share: Double) -> String {
    let filled = Int(share * Double(Self.width))
    return String(repeating: "█", count: filled)
      + String(repeating: "░", count: Self.width - filled)
  }

  /// Shows a word in place of the bar.
  func say(_ text: String) {
    if isTerminal { write(text) }
  }

  /// Takes the line away.
  func clear() {
    if isTerminal { writeErrorText("\r\u{1B}[K") }
  }

  private func write(_ text: String) {
    writeErrorText("\r\u{1B}[K\(label): \(text)")
  }
}
