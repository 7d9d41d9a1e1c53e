import Foundation
import ModelFiles

/// The loss curve as CSV: a row for every step, its validation columns filled where there was
/// one.
struct LossTable {
  let path: String
  /// The bytes that the table has.
  private(set) var bytes = 0
  private let handle: Descriptor
  /// The names of the columns after the fixed ones; known with the first row.
  private(set) var columns: [String]?

  static let fixedColumns = ["step", "tokens", "seconds", "rate", "gradient norm", "loss"]
  static let validationPrefix = "validation "

  /// One row.
  struct Row {
    var step: Int
    var tokens: Int
    var seconds: Double
    var rate: Double?
    var gradientNorm: Double?
    var loss: Double?
    var terms: [TrainingFigure] = []
    var validation: [TrainingFigure] = []
  }

  private final class Descriptor {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { close(number) }
  }

  /// Opens the table and cuts it to the length that it had at a checkpoint; one that is shorter
  /// than that is begun anew.
  /// - Throws: `TrainingError.file`, `.field` for another table.
  init(path: String, keeping length: Int) throws {
    self.path = path
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.systemError(path) }
    handle = Descriptor(descriptor)
    let length = Int(lseek(descriptor, 0, SEEK_END)) >= length ? length : 0
    guard ftruncate(descriptor, off_t(length)) == 0 else { throw Self.systemError(path) }
    bytes = length
    if length > 0 { columns = try Self.columns(of: path) }
  }

  /// Begins the table with the names of its columns.
  /// - Throws: `TrainingError.diskFull` or `.file`.
  mutating func writeHeader(terms: [String], validation: [String]) throws {
    let columns = terms + validation.map { Self.validationPrefix + $0 }
    try write((Self.fixedColumns + columns).map(Self.quoted).joined(separator: ",") + "\n")
    self.columns = columns
  }

  /// Adds a row. Figures without a column are left out.
  /// - Throws: `TrainingError.diskFull` or `.file`.
  mutating func append(_ row: Row) throws {
    let named = Dictionary(
      row.terms.map { ($0.name, $0.value) }
        + row.validation.map { (Self.validationPrefix + $0.name, $0.value) }
    ) { first, _ in first }
    var cells = ["\(row.step)", "\(row.tokens)", String(format: "%.2f", row.seconds)]
    cells += [row.rate, row.gradientNorm, row.loss].map(Self.text)
    cells += (columns ?? []).map { Self.text(named[$0]) }
    try write(cells.joined(separator: ",") + "\n")
  }

  /// Waits until the rows are on the disk.
  func synchronize() throws {
    guard fsync(handle.number) == 0 else { throw Self.systemError(path) }
  }

  private mutating func write(_ text: String) throws {
    let data = Array(text.utf8)
    var written = 0
    while written < data.count {
      let count = data.withUnsafeBytes {
        pwrite(
          handle.number, $0.baseAddress.map { $0 + written }, data.count - written, off_t(bytes))
      }
      if count >= 0 {
        written += count
        bytes += count
      } else if errno == ENOSPC || errno == EDQUOT {
        throw TrainingError.diskFull(path: path, needed: data.count - written, free: 0)
      } else if errno != EINTR {
        throw Self.systemError(path)
      }
    }
  }

  /// The names in the header of a table, the fixed ones left out.
  static func columns(of path: String) throws -> [String] {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let names = fields(text.prefix { $0 != "\n" })
    guard names.starts(with: fixedColumns) else {
      throw TrainingError.field(
        path: path, field: "header", expected: fixedColumns.joined(separator: ","),
        found: names.joined(separator: ","))
    }
    return Array(names.dropFirst(fixedColumns.count))
  }

  // MARK: - Cells

  private static func text(_ value: Double?) -> String {
    value.map { String(format: "%.6g", $0) } ?? ""
  }

  private static func quoted(_ name: String) -> String {
    let name = name.replacing("\n", with: " ")
    guard name.contains(",") || name.contains("\"") else { return name }
    return "\"" + name.replacing("\"", with: "\"\"") + "\""
  }

  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var isQuoted = false
    var last: Character?
    for character in line {
      switch character {
      case "\"":
        isQuoted.toggle()
        if isQuoted && last == "\"" { fields[fields.count - 1].append("\"") }
      case "," where !isQuoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
      last = character
    }
    return fields
  }

  private static func systemError(_ path: String) -> TrainingError {
    .file(path: path, reason: String(cString: strerror(errno)))
  }
}
