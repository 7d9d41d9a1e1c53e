import ModelFiles
import Nunchi

/// What shards of hidden states say of their origin.
public struct HiddenStateMetadata: Sendable, Equatable {
  /// The target's name.
  public var target: String?
  /// Checksum of the target's file.
  public var sha256: String?
  /// `Tokenizer.vocabularyFingerprint` in hexadecimal digits.
  public var vocabulary: String?

  static let format = "nunchi-hidden-states"

  public init(target: String? = nil, sha256: String? = nil, vocabulary: String? = nil) {
    self.target = target
    self.sha256 = sha256
    self.vocabulary = vocabulary
  }

  /// That of states which a model makes now. Reads its whole file.
  /// - Throws: `ModelFileError`.
  public init(of model: Model) throws {
    let file =
      switch try ModelLocation.resolve(model.name) {
      case .gguf(let path): path
      case .huggingFace(let folder): try SafetensorsFile(path: folder).path
      }
    self.init(
      target: model.name, sha256: try ModelFiles.sha256(ofFile: file),
      vocabulary: String(model.vocabularyFingerprint, radix: 16))
  }

  init(fields: [String: String]) {
    self.init(
      target: fields["target"], sha256: fields["sha256"], vocabulary: fields["vocabulary"])
  }

  var fields: [String: String] {
    var fields = ["format": Self.format]
    fields["target"] = target
    fields["sha256"] = sha256
    fields["vocabulary"] = vocabulary
    return fields
  }

  /// The first thing in which states of another origin differ: field, expected and found.
  public func difference(
    from other: HiddenStateMetadata
  ) -> (field: String, expected: String, found: String)? {
    // A model may be called by its name or its path: names tell only where no checksum does.
    let hasChecksums = sha256 != nil && other.sha256 != nil
    for (field, mine, others) in [
      ("sha256", sha256, other.sha256), ("vocabulary", vocabulary, other.vocabulary),
      ("target", hasChecksums ? nil : target, hasChecksums ? nil : other.target),
    ] {
      if let mine, let others, mine != others { return (field, mine, others) }
    }
    return nil
  }
}
