import Drafters
import Foundation
import ModelFiles
import Synchronization

extension Model {
  /// A drafter trained for this very model file that is at hand: on a shelf that the program added,
  /// such as that of `NunchiDrafters`, or else trained here into the cache; nil when there is none.
  /// Name its folder to draft with one trained here where another is shipped.
  /// - Parameter method: the registry name that it must have; nil takes the first.
  /// - Throws: `StoreError`, `LanguageModelError` or `ModelFileError` when its files are damaged.
  public func trainedDrafter(method: String? = nil) throws -> TrainedDrafter? {
    try trainedDrafter { method == nil || $0 == method }
  }

  /// What `auto` drafts with: one of the drafters at hand that compute, and one that looks up.
  func automaticDrafters() throws -> [TrainedDrafter] {
    let lookUp = "ngram-lm"
    return [try trainedDrafter { $0 != lookUp }, try trainedDrafter { $0 == lookUp }]
      .compactMap { $0 }
  }

  private func trainedDrafter(where isWanted: (String) -> Bool) throws -> TrainedDrafter? {
    for folder in TrainedDrafterShelf.folders {
      guard let card = try? DrafterCard(folder: folder), isWanted(card.method),
        try isTarget(of: card)
      else { continue }
      return try trainedDrafter(folder: folder)
    }
    return nil
  }

  /// The drafter of a folder, loaded once.
  /// - Throws: `StoreError`, `LanguageModelError` or `ModelFileError`, naming the file and field.
  public func trainedDrafter(folder: String) throws -> TrainedDrafter {
    let folder = URL(fileURLWithPath: folder, isDirectory: true).standardizedFileURL.path
    return try trained.withLock { known in
      if let drafter = known[folder] { return drafter }
      let drafter = try TrainedDrafter.load(
        folder: folder, target: transformer, vocabulary: vocabularyFingerprint)
      known[folder] = drafter
      return drafter
    }
  }

  /// Whether a drafter was trained for this model's file. What is quickly seen goes first: the
  /// checksum of a large file takes seconds.
  private func isTarget(of card: DrafterCard) throws -> Bool {
    let target = card.target
    guard let sha256 = target.sha256, target.hiddenSize == transformer.hiddenSize,
      target.vocabularySize == transformer.vocabularySize,
      target.vocabularyFingerprint.map({ $0 == String(vocabularyFingerprint, radix: 16) }) ?? true
    else { return false }
    return try fileChecksum() == sha256
  }

  /// The SHA-256 of the model's file, or of a folder's first weight file. Computed once; that of a
  /// fetched model is known from the catalogue, which it was checked against.
  /// - Throws: `ModelFileError`.
  public func fileChecksum() throws -> String {
    try checksum.withLock { known in
      if let known { return known }
      let found = try catalogueChecksum ?? sha256(ofFile: weightFile)
      known = found
      return found
    }
  }

  private var catalogueChecksum: String? {
    guard let catalogue = try? ModelCatalogue.standard() else { return nil }
    let entry = catalogue.entries.first { ModelCache.standard().path(of: $0) == file }
    let size = try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
    return entry.flatMap { $0.size == size ? $0.sha256 : nil }
  }

  private var weightFile: String {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: file)) ?? []
    return names.filter { $0.hasSuffix(".safetensors") }.min().map { "\(file)/\($0)" } ?? file
  }
}

/// Where trained drafters lie: shelves, which have a folder with a `nunchi.json` for each model and
/// method.
public enum TrainedDrafterShelf {
  /// Where drafters are put that were trained here. They do not take a shipped one's place.
  public static var own: String { "\(ModelCache.standard().folder)/drafters" }

  private static let added = Mutex<[String]>([])

  /// Adds a shelf, for all models of this process. May be called at any time, from any thread; a
  /// shelf that is there already stays where it is.
  public static func add(_ shelf: String) {
    added.withLock { if !$0.contains(shelf) { $0.append(shelf) } }
  }

  /// In the order in which drafters are looked for: shelves as they were added, then the own one.
  static var shelves: [String] { added.withLock { $0 } + [own] }

  /// The folders of all.
  static var folders: [String] { shelves.flatMap(drafters) }

  /// The drafters of a shelf: `MODEL/METHOD`.
  static func drafters(in shelf: String) -> [String] {
    names(in: shelf).flatMap { model in
      names(in: "\(shelf)/\(model)").map { "\(shelf)/\(model)/\($0)" }
    }.filter { FileManager.default.fileExists(atPath: "\($0)/\(DrafterCard.fileName)") }
  }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }
}
