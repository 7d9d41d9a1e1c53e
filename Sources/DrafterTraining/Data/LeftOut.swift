import Foundation
import ModelFiles

/// What of the input is not used, and why. One bad line costs that line only: it is noted beside
/// the output, in `OUTPUT.skipped`.
public struct LeftOut: Codable, Sendable, Equatable {
  /// The conversation's, or the file's name and the number of the line or entry.
  public var id: String
  public var reason: String

  public init(id: String, reason: String) {
    self.id = id
    self.reason = reason
  }

  init(_ record: TextRecords.Record, _ error: any Error) {
    let file = URL(fileURLWithPath: record.path).deletingPathExtension().lastPathComponent
    self.init(id: "\(file):\(record.number)", reason: "\(error)")
  }

  /// Where it is noted.
  public static func path(of output: String) -> String {
    "\(output.hasSuffix("/") ? String(output.dropLast()) : output).skipped"
  }

  /// Notes what a run left out, in place of an earlier run's notes.
  /// - Returns: a line for people; nil when nothing was left out.
  /// - Throws: `ModelFileError`.
  public static func write(_ all: [LeftOut], of output: String) throws -> String? {
    let path = path(of: output)
    guard let first = all.first else {
      try? FileManager.default.removeItem(atPath: path)
      return nil
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try writeLines(all.map { try encoder.encode($0) }, to: path)
    return "\(all.count) left out, see \(path); the first: \(first.reason)"
  }
}

extension TextRecords {
  /// Reads the records that can be read and notes the others.
  /// - Parameters:
  ///   - isEnough: asked before each record.
  ///   - read: makes a value of a record; what it throws is noted.
  /// - Throws: what is wrong with the first record where none can be read; what `take` throws.
  func forEach<Value>(
    leavingOut leftOut: inout [LeftOut], isEnough: () -> Bool = { false },
    read: (Record) throws -> Value, _ take: (Value) throws -> Void
  ) throws {
    var failure: (any Error)?
    var isUsable = false
    for record in self {
      if isEnough() { return }
      let value: Value
      do {
        value = try read(record)
      } catch {
        failure = failure ?? error
        leftOut.append(LeftOut(record, error))
        continue
      }
      isUsable = true
      try take(value)
    }
    if let failure, !isUsable { throw failure }
  }
}
