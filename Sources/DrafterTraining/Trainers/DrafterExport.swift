import Drafters
import Foundation
import LanguageModels
import ModelFiles

/// A drafter on its way into a folder: weights and configuration in the public layout of its
/// method, and what Nunchi says of it.
struct DrafterExport {
  /// The name of the drafter's registry entry.
  var method: String
  /// What `config.json` says.
  var configuration: [String: any Sendable]
  /// Written as bf16.
  var weights: [(name: String, value: Tensor)]
  /// Matrices of the target that other programs look for in the file. Written as bf16.
  var copies: [(name: String, value: Tensor)] = []
  /// Written as whole numbers: i64, or bool.
  var tables: [(info: TensorInfo, values: [Int64])] = []
  /// The tokens that the output matrix is cut to.
  var cut: VocabularyCut

  /// Writes all files.
  /// - Parameter provenance: nil while the drafter is only measured.
  func write(to folder: String, target: TrainingTarget, provenance: Provenance?) throws {
    let url = URL(fileURLWithPath: folder, isDirectory: true)
    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
    try writeModel(to: folder)
    try cut.frequent?.write(to: path(FrequentTokens.fileName))

    let figures = provenance?.figures ?? []
    let card = DrafterCard(
      method: method,
      target: DrafterCard.Target(
        name: target.identity.name, sha256: target.identity.sha256,
        hiddenSize: target.hiddenSize, vocabularySize: target.model.vocabularySize,
        vocabularyFingerprint: UInt64(target.identity.vocabularyFingerprint, radix: 16)),
      frequentTokens: cut.isWhole ? nil : FrequentTokens.fileName,
      acceptance: figures.first { $0.name == acceptanceLengthFigure }
        .map { ["validation": $0.value] })
    try card.write(to: folder, provenance: provenance)
    if let provenance {
      let text = ModelCard(export: self, target: target, provenance: provenance).text
      try AtomicFile.write(Data(text.utf8), to: path("README.md"))
    }
  }

  /// Writes what the public layout has.
  func writeModel(to folder: String) throws {
    let url = URL(fileURLWithPath: folder, isDirectory: true)
    try AtomicFile.write(
      try JSONSerialization.data(
        withJSONObject: configuration,
        options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]),
      to: url.appendingPathComponent("config.json").path)
    try writeWeights(to: url.appendingPathComponent("model.safetensors").path)
  }

  /// Parameters of its own.
  var parameterCount: Int { weights.reduce(0) { $0 + $1.value.count } }

  private func writeWeights(to path: String) throws {
    let matrices = weights + copies
    let writer = try SafetensorsWriter(
      path: path,
      tensors: matrices.map { TensorInfo(name: $0.name, type: .bf16, shape: $0.value.shape) }
        + tables.map(\.info),
      // transformers refuses files without it.
      metadata: ["format": "pt"])
    for (name, value) in matrices {
      try writer.append(UnsafeBufferPointer(start: value.data, count: value.count), to: name)
    }
    for (info, values) in tables { try writer.append(values, to: info.name) }
    try writer.finish()
  }
}

/// What validations call the acceptance length τ.
let acceptanceLengthFigure = "acceptance length"
