import Foundation
import LanguageModels
import ModelFiles
import Speculation
import Testing

@testable import Drafters

/// What `Scripts/make_heads_goldens.py` makes: drafters for a tiny target, and their logits.
enum TinyDrafter: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case medusa
  case medusaOriginal = "medusa-original"
  case hydra
  case tinyLM = "tiny-lm"

  struct Golden: Decodable {
    var prompt: [Int32]
    /// The pending token and those drafted, for heads that see them.
    var path: [Int32]
    var logits: [[Float]]
  }

  private static let goldens = Bundle.module.bundleURL.appendingPathComponent("Goldens")

  var testDescription: String { rawValue }
  var folder: String { Self.goldens.appendingPathComponent(rawValue).path }

  static var targetFolder: String { goldens.appendingPathComponent("eagle-target").path }

  static func target(threads: Int = 2) throws -> TransformerModel {
    try TransformerModel(folder: targetFolder, pool: ComputePool(threads: threads))
  }

  func load(_ target: TransformerModel) throws -> TrainedDrafter {
    try TrainedDrafter.load(folder: folder, target: target)
  }

  func golden() throws -> Golden {
    let url = URL(fileURLWithPath: folder).appendingPathComponent("golden.json")
    return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
  }
}

/// The last state of a target after a prompt.
func lastState(_ target: TransformerModel, _ prompt: [Int32]) throws -> [Float] {
  let cache = try target.makeCache(capacity: 64)
  let output = try target.forward(
    chain: prompt, cache: cache, logits: .none, observing: Observation(finalHidden: true))
  return try withExtendedLifetime(cache) {
    Array(try #require(output.finalHidden)[prompt.count - 1])
  }
}

/// The root mean square of a difference, as a share of what is expected.
func error(of found: some Sequence<Float>, from expected: [Float]) -> Float {
  let difference = zip(found, expected).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
  return (difference / expected.map { $0 * $0 }.reduce(0, +)).squareRoot()
}

/// A copy of a drafter's folder that a test may change.
final class FolderCopy {
  let path: String

  init(of folder: String) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.copyItem(at: URL(fileURLWithPath: folder), to: url)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Replaces text in a file.
  func edit(_ name: String, _ text: String, to new: String) throws {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    let old = try String(contentsOf: url, encoding: .utf8)
    #expect(old.contains(text))
    try Data(old.replacing(text, with: new).utf8).write(to: url)
  }
}
