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
  public init(
    _ configuration: AffineTreeConfiguration, alignment: AffineMap?,
    predictor: AcceptancePredictor?
  ) throws {
    try configuration.check()
    if predictor?.card.input == .aligned, alignment == nil { throw Self.noAlignment }
    self.configuration = configuration
    self.alignment = alignment
    self.predictor = predictor
  }

  private static let noAlignment = SpeculationError.invalidSetting(
    name: "alignment", expected: "the file that the predictor was trained with", found: "none")

  /// Reads a configuration file and what it names.
  /// - Throws: `ModelFileError`, `StoreError` or `LanguageModelError` naming file and field;
  ///   `SpeculationError.invalidSetting` for a value out of range.
  public init(path: String, draft: TransformerModel, target: TransformerModel) throws {
    try self.init(
      AffineTreeConfiguration(path: path), draft: draft, target: target)
  }

  /// Reads the files that a configuration names.
  public init(
    _ configuration: AffineTreeConfiguration, draft: TransformerModel, target: TransformerModel
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
    try self.init(configuration, alignment: alignment, predictor: predictor)
  }
}
