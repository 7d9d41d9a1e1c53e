import Foundation
import Nunchi

/// A folder with a trace file for each answer.
public struct TraceFolder: Sendable {
  public let path: String

  /// - Throws: when the folder is not there and cannot be made.
  public init(path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Writes the steps of one answer, in place of earlier ones.
  public func write(
    _ traces: [StepTrace], header: TraceFile.Header, question: Question, turn: Int,
    configuration: String
  ) throws {
    let data = try TraceFile.lines(header, traces)
    try data.write(
      to: URL(fileURLWithPath: path).appendingPathComponent(
        name(question.id, turn, configuration)), options: .atomic)
  }

  /// The steps of one answer; none where there is no file.
  /// - Throws: `NunchiError.malformedTrace`.
  public func read(question: String, turn: Int, configuration: String) throws -> [StepTrace] {
    let file = URL(fileURLWithPath: path).appendingPathComponent(
      name(question, turn, configuration)
    ).path
    guard FileManager.default.fileExists(atPath: file) else { return [] }
    return try TraceFile(path: file).traces
  }

  private func name(_ question: String, _ turn: Int, _ configuration: String) -> String {
    "\(fileName(question))-\(turn + 1)-\(fileName(configuration)).jsonl"
  }

  /// A suite's ids may have any characters; a file's name may not.
  private func fileName(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ",") ? $0 : "_" })
  }
}
