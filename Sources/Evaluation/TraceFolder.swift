import Foundation
import Nunchi

/// A folder with a file of JSON lines for each answer, a line for each of its steps.
public struct TraceFolder: Sendable {
  public let path: String

  /// - Throws: when the folder is not there and cannot be made.
  public init(path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Writes the steps of one answer, in place of earlier ones.
  public func write(
    _ traces: [StepTrace], question: Question, turn: Int, configuration: String
  ) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys]
    var data = Data()
    for trace in traces {
      data += try encoder.encode(trace)
      data.append(0x0A)
    }
    let name = "\(fileName(question.id))-\(turn + 1)-\(fileName(configuration)).jsonl"
    try data.write(to: URL(fileURLWithPath: path).appendingPathComponent(name))
  }

  /// A suite's ids may have any characters; a file's name may not.
  private func fileName(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ",") ? $0 : "_" })
  }
}
