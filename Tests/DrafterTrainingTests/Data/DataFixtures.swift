import Foundation
import LanguageModels
import ModelFiles
import Nunchi

/// A folder for one test's files, removed after it.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("nunchi-data-tests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder.path)
}

func write(_ text: String, to path: String) throws {
  try text.write(toFile: path, atomically: false, encoding: .utf8)
}

func lines(of path: String) throws -> [String] {
  try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
}

/// Models that the tests of training data share.
enum DataModels {
  /// A random model of the `LanguageModels` tests, with an 8-bit vocabulary and no tokenizer.
  static func tiny() throws -> TransformerModel {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try TransformerModel(
      folder: tests.appendingPathComponent("LanguageModelsTests/Goldens/llama").path,
      pool: ComputePool(threads: 2))
  }

  static let name = "SmolLM2-135M"

  static var isCached: Bool { (try? ModelLocation.resolve(name)) != nil }

  static let smol = Task.detached { try Model(name, threads: 2) }
}
