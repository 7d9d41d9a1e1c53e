import Foundation
import ModelFiles

/// What comes with Nunchi for measuring: suites, experiments, the page of reports, judges' prompts.
enum ShippedFiles {
  /// nil where a program was put somewhere without its resources.
  static let folder = ResourceFolder.url(of: "Evaluation")
  static let name = ResourceFolder.name(of: "Evaluation")

  /// - Throws: `EvaluationError.file` where it is not there.
  static func path(of file: String) throws -> String {
    guard let path = folder?.appendingPathComponent(file).path,
      FileManager.default.fileExists(atPath: path)
    else {
      throw EvaluationError.file(
        path: "\(name)/\(file)",
        reason: "expected beside the program, found none")
    }
    return path
  }
}
