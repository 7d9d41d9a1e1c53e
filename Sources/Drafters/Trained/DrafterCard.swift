import Foundation
import LanguageModels

/// What Nunchi says of a trained drafter beside its public layout: the `nunchi.json` of its folder.
///
/// A folder without one loads too. Other keys, such as the provenance of the training, are left
/// alone.
public struct DrafterCard: Codable, Sendable, Equatable {
  /// The file's name in the folder.
  public static let fileName = "nunchi.json"

  /// The model that the drafter was trained for.
  public struct Target: Codable, Sendable, Equatable {
    public var name: String
    /// Of the model's file.
    public var sha256: String?
    public var hiddenSize: Int
    public var vocabularySize: Int
    /// Of the tokenizer, in hexadecimal digits.
    public var vocabularyFingerprint: String?

    public init(
      name: String, sha256: String? = nil, hiddenSize: Int, vocabularySize: Int,
      vocabularyFingerprint: UInt64? = nil
    ) {
      self.name = name
      self.sha256 = sha256
      self.hiddenSize = hiddenSize
      self.vocabularySize = vocabularySize
      self.vocabularyFingerprint = vocabularyFingerprint.map { String($0, radix: 16) }
    }
  }

  /// The name of its registry entry, such as `medusa`.
  public var method: String
  public var target: Target
  /// The file of the tokens that its output head is cut to (`FrequentTokens`).
  public var frequentTokens: String?
  /// Measured acceptance lengths τ, by data.
  public var acceptance: [String: Double]?

  public init(
    method: String, target: Target, frequentTokens: String? = nil,
    acceptance: [String: Double]? = nil
  ) {
    self.method = method
    self.target = target
    self.frequentTokens = frequentTokens
    self.acceptance = acceptance
  }

  /// Reads a folder's card; nil when there is none.
  /// - Throws: `StoreError`.
  public init?(folder: String) throws {
    let path = Self.path(in: folder)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    self = try readJSON(Self.self, path: path)
  }

  /// Writes the card.
  /// - Parameter provenance: what the training has to say of itself, under `provenance`.
  /// - Throws: `ModelFileError`.
  public func write(to folder: String, provenance: (some Encodable)? = String?.none) throws {
    try writeJSON(CardFile(card: self, provenance: provenance), path: Self.path(in: folder))
  }

  static func path(in folder: String) -> String {
    URL(fileURLWithPath: folder, isDirectory: true).appendingPathComponent(fileName).path
  }

  /// Refuses a target that the drafter was not trained for.
  /// - Parameter vocabulary: the target's vocabulary fingerprint, where it is known.
  func check(_ model: TransformerModel, vocabulary: UInt64?, folder: String) throws {
    for (field, expected, found) in [
      ("target.hiddenSize", model.hiddenSize, target.hiddenSize),
      ("target.vocabularySize", model.vocabularySize, target.vocabularySize),
    ] where expected != found {
      throw StoreError.malformed(
        path: Self.path(in: folder), field: field, expected: "\(expected), the model's",
        found: "\(found), that of \(target.name)")
    }
    if let vocabulary, let own = target.vocabularyFingerprint,
      own.lowercased() != String(vocabulary, radix: 16)
    {
      throw StoreError.otherVocabulary(path: Self.path(in: folder))
    }
  }
}

private struct CardFile<Provenance: Encodable>: Encodable {
  let card: DrafterCard
  let provenance: Provenance?

  private enum Key: CodingKey { case provenance }

  func encode(to encoder: any Encoder) throws {
    try card.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encodeIfPresent(provenance, forKey: .provenance)
  }
}
