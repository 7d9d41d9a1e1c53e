import Foundation
import LanguageModels
import Speculation

/// What the affine-aligned draft trees of all sequences share: the configuration, the alignment and
/// the predictor. Immutable.
///
///     let tree = try AffineTree(path: "affine-tree.yaml", draft: small, target: large)
///     settings.affineTree = tree
public struct AffineTree: Sendable {
  public var configuration: AffineTreeConfiguration
  public let alignment: AffineMap?
  public let predictor: AcceptancePredictor?

  /// Trees by the draft model's own probabilities.
  public init(configuration: AffineTreeConfiguration = AffineTreeConfiguration()) throws {
    try self.init(configuration, alignment: nil, predictor: nil)
  }

  /// Of parts that are there already. A predictor of aligned states needs the alignment that it was
  /// trained with.
  /// - Throws: `SpeculationError.invalidSetting` where there is none, or one of other models.
  public init(
    _ configuration: AffineTreeConfiguration, alignment: AffineMap?,
    predictor: AcceptancePredictor?
  ) throws {
    try configuration.check()
    if let predictor, predictor.card.input == .aligned {
      let card = predictor.card
      guard let origin = alignment?.origin,
        (origin.draft, origin.target) == (card.draft, card.target)
      else {
        throw SpeculationError.invalidSetting(
          name: "alignment",
          expected: "that of \(predictor.path), from \(card.draft) to \(card.target)",
          found: alignment.map { "\($0.path), from \($0.origin.draft) to \($0.origin.target)" }
            ?? "none")
      }
    }
    self.configuration = configuration
    self.alignment = alignment
    self.predictor = predictor
  }

  /// Bytes of the weights of alignment and predictor.
  public var byteCount: Int { (alignment?.byteCount ?? 0) + (predictor?.byteCount ?? 0) }

  /// Reads a configuration file and what it names.
  /// - Parameter vocabulary: the models' vocabulary fingerprint, where it is known.
  /// - Throws: `ModelFileError`, `StoreError` or `LanguageModelError` naming file and field;
  ///   `SpeculationError.invalidSetting` for a value out of range.
  public init(
    path: String, draft: TransformerModel, target: TransformerModel, vocabulary: UInt64? = nil
  ) throws {
    try self.init(
      AffineTreeConfiguration(path: path), draft: draft, target: target, vocabulary: vocabulary)
  }

  /// Reads the files that a configuration names.
  public init(
    _ configuration: AffineTreeConfiguration, draft: TransformerModel, target: TransformerModel,
    vocabulary: UInt64? = nil
  ) throws {
    let alignment =
      configuration.alignment.isEmpty
      ? nil
      : try AffineMap(
        path: configuration.alignment, draft: draft.hiddenSize, target: target.hiddenSize,
        pool: target.pool)
    let predictor =
      configuration.predictor.isEmpty
      ? nil
      : try AcceptancePredictor(
        path: configuration.predictor,
        stateSize: { $0 == .draft ? draft.hiddenSize : target.hiddenSize }, pool: target.pool)
    for (path, own) in [
      (configuration.alignment, alignment?.origin.vocabulary),
      (configuration.predictor, predictor?.card.vocabulary),
    ] {
      if let own, let vocabulary, own.lowercased() != String(vocabulary, radix: 16) {
        throw StoreError.otherVocabulary(path: path)
      }
    }
    try self.init(configuration, alignment: alignment, predictor: predictor)
  }
}
