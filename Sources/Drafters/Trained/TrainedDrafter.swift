import Foundation
import LanguageModels
import ModelFiles
import Speculation

/// What a trained drafter has in memory: weights, shared by the drafters of all sequences.
public protocol TrainedWeights: Sendable {
  /// Parameters of its own: those of the target that it uses are not counted.
  var parameterCount: Int { get }
  /// A drafter for one sequence.
  func makeDrafter(_ settings: DrafterSettings) throws -> any Drafter
}

/// A trained drafter: a folder with `config.json` and `model.safetensors` in the public layout of
/// its method, and perhaps `nunchi.json` (`DrafterCard`). Immutable; its weights are shared.
///
///     let trained = try TrainedDrafter.load(folder: "drafters/SmolLM2-135M", target: model)
///     settings.trained = [trained]
///     let drafter = try DrafterRegistry.make(trained.method, settings)
public final class TrainedDrafter: Sendable {
  public let folder: String
  /// The name of its registry entry: `medusa`, `hydra`, `tiny-lm`, `ngram-lm`, `eagle` or `eagle3`.
  public let method: String
  /// nil for a folder that was not made here.
  public let card: DrafterCard?
  public let weights: any TrainedWeights
  /// The tokens of the texts that it was trained on; nil where the folder does not have them.
  public let frequent: FrequentTokens?

  init(
    folder: String, method: String, card: DrafterCard?, weights: any TrainedWeights,
    frequent: FrequentTokens? = nil
  ) {
    self.folder = folder
    self.method = method
    self.card = card
    self.weights = weights
    self.frequent = frequent
  }

  /// What tells it from others of its kind: the name of its folder.
  var label: String { URL(fileURLWithPath: folder).lastPathComponent }

  /// Loads a drafter for a target.
  /// - Parameters:
  ///   - vocabulary: the fingerprint of the target's vocabulary, to be compared with the card's.
  /// - Throws: `StoreError`, `LanguageModelError` or `ModelFileError`, naming the file and the
  ///   field or tensor.
  public static func load(
    folder: String, target: TransformerModel, vocabulary: UInt64? = nil
  ) throws -> TrainedDrafter {
    let card = try DrafterCard(folder: folder)
    try card?.check(target, vocabulary: vocabulary, folder: folder)
    let parts = DrafterFiles(
      folder: folder, fields: try ConfigurationFields(folder: folder),
      tensors: try SafetensorsFile(path: folder), card: card, target: target)
    let method = try parts.method()
    return TrainedDrafter(
      folder: folder, method: method, card: card, weights: try parts.weights(method),
      frequent: try parts.frequentTokens())
  }
}

/// A trained drafter's files, opened, and the target that it is to draft for.
struct DrafterFiles {
  let folder: String
  /// Of `config.json`.
  let fields: ConfigurationFields
  let tensors: any TensorFile
  let card: DrafterCard?
  let target: TransformerModel

  /// The card's method, or the one whose public layout this is.
  func method() throws -> String {
    if let card { return card.method }
    let type = try fields.string("model_type") ?? ""
    if type == "medusa" || fields.has("medusa_num_heads") { return "medusa" }
    if fields.has("hydra_num_heads") { return "hydra" }
    // EAGLE's configurations say that they are Llama.
    return EagleLayout.version(of: tensors.tensors.keys)?.rawValue ?? "tiny-lm"
  }

  /// A new method is one more case.
  func weights(_ method: String) throws -> any TrainedWeights {
    switch method {
    case "medusa": return try MedusaHeads(self)
    case "hydra": return try HydraHeads(self)
    case "tiny-lm": return try TinyLM(self)
    case "ngram-lm": return try NGramModels(tensors: tensors)
    case "eagle", "eagle3": return try EagleWeights(self)
    default:
      throw StoreError.malformed(
        path: DrafterCard.path(in: folder), field: "method",
        expected: DrafterRegistry.trained.joined(separator: ", "), found: method)
    }
  }

  /// The tokens that the output head is cut to; nil when it is whole.
  func headTokens() throws -> [Int32]? { try frequentTokens()?.tokens.sorted() }

  func frequentTokens() throws -> FrequentTokens? {
    guard let name = card?.frequentTokens else { return nil }
    guard !name.contains("/"), !name.hasPrefix(".") else {
      throw StoreError.malformed(
        path: DrafterCard.path(in: folder), field: "frequentTokens",
        expected: "the plain name of a file beside it", found: name)
    }
    let path = URL(fileURLWithPath: folder, isDirectory: true).appendingPathComponent(name).path
    return try FrequentTokens(path: path, vocabularySize: target.vocabularySize)
  }

  /// Refuses a field that is not the target's, if it is there.
  func check(_ field: String, isTargets value: Int) throws {
    guard try fields.int(field, in: 1...Int(Int32.max), default: value) == value else {
      throw fields.invalid(field, expected: "\(value), the target's")
    }
  }
}
