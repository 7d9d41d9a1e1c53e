import Foundation

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

/// Prints rows of cells in aligned columns.
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
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    let cells = zip(row, widths).map { cell, width in
      cell + String(repeating: " ", count: width - cell.count)
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
    if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data("\r\u{1B}[K\(label): \(text)".utf8))
  }
}

/// Writes text to standard output at once.
func writeOut(_ text: String) {
  FileHandle.standardOutput.write(Data(text.utf8))
}

/// Writes a line to standard error.
func writeError(_ line: String) {
  FileHandle.standardError.write(Data((line + "\n").utf8))
}
