import Foundation
import ModelFiles

/// The hidden states of a folder, as `nunchi data hidden-states` writes them: shards mapped into
/// memory, with random access by document.
///
///     let set = try HiddenStateSet(folder: "states", layers: [2, 15, 27])
///     let batch = try set.batch(at: 0, seed: 1, rows: 512)
public final class HiddenStateSet: StateSource, Sendable {
  /// Where the states come from.
  public let metadata: HiddenStateMetadata
  public let hiddenSize: Int
  public let layers: [Int]
  public let documentCount: Int
  public let rowCount: Int

  private let files: [HiddenStateFile]
  private let documents: [Place]
  private let order: DocumentOrder

  private struct Place {
    var file: Int
    var rows: Range<Int>
  }

  /// Opens all shards of a folder.
  /// - Parameter layers: the layers that are wanted; nil takes those that all shards have.
  /// - Throws: `ModelFileError` or `TrainingError.field` when a shard is damaged, lacks a layer, or
  ///   comes from another target than the others; `TrainingError.file` when there is none.
  public convenience init(folder: String, layers: [Int]? = nil) throws {
    let files = try Self.shards(in: folder).map(HiddenStateFile.init(path:))
    guard let first = files.first else {
      throw TrainingError.file(
        path: folder, reason: "expected shards of hidden states (states-*.safetensors), found none")
    }
    for file in files {
      if let difference = first.metadata.difference(from: file.metadata) {
        throw TrainingError.field(
          path: file.path, field: difference.field,
          expected: "\(difference.expected), as in \(first.path)", found: difference.found)
      }
      guard file.hiddenSize == first.hiddenSize else {
        throw TrainingError.field(
          path: file.path, field: "hidden size", expected: "\(first.hiddenSize)",
          found: "\(file.hiddenSize)")
      }
      for layer in layers ?? [] where !file.layers.contains(layer) {
        throw TrainingError.field(
          path: file.path, field: "layers", expected: "layer \(layer)",
          found: file.layers.isEmpty ? "only final states" : "\(file.layers)")
      }
    }
    let common = first.layers.filter { layer in files.allSatisfy { $0.layers.contains(layer) } }
    self.init(
      files: files, layers: layers ?? common,
      documents: files.enumerated().flatMap { index, file in
        file.documents.map { Place(file: index, rows: $0) }
      })
  }

  private init(files: [HiddenStateFile], layers: [Int], documents: [Place]) {
    self.files = files
    self.layers = layers
    self.documents = documents
    metadata = files[0].metadata
    hiddenSize = files[0].hiddenSize
    documentCount = documents.count
    rowCount = documents.reduce(0) { $0 + $1.rows.count }
    order = DocumentOrder(lengths: documents.map(\.rows.count))
  }

  /// The shards' paths in order; none when there is no such folder.
  static func shards(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasPrefix("states-") && $0.hasSuffix(".safetensors") }
      .sorted { ($0.count, $0) < ($1.count, $1) }.map { "\(folder)/\($0)" }
  }

  /// The same documents in two parts, by what comes before each one's first answer: answers to the
  /// same prompt are never in both (`HeldOutDocuments`).
  /// - Parameter validation: the share of the second part, from 0 to 1.
  public func split(
    validation: Double, seed: UInt64 = 0
  ) throws -> (training: HiddenStateSet, validation: HiddenStateSet) {
    let isHeld = try HeldOutDocuments(share: validation, seed: seed).places(count: documentCount) {
      let (file, rows) = (files[documents[$0].file], documents[$0].rows)
      return (try file.tokens(rows), try file.answer(rows))
    }
    func part(_ held: Bool) -> HiddenStateSet {
      HiddenStateSet(
        files: files, layers: layers,
        documents: zip(documents, isHeld).filter { $1 == held }.map(\.0))
    }
    return (part(false), part(true))
  }

  public func batch(at index: Int, seed: UInt64, rows: Int) throws -> StateBatch {
    try batch(of: order.documents(at: index, seed: seed, rows: rows), rows: rows)
  }

  public func batch(inOrder index: Int, rows: Int) throws -> StateBatch? {
    try order.documents(inOrder: index, rows: rows).map { try batch(of: $0, rows: rows) }
  }

  /// A batch of one document.
  /// - Precondition: `index` is below `documentCount`.
  public func document(_ index: Int) throws -> StateBatch { try batch(of: [index], rows: .max) }

  private func batch(of documents: [Int], rows: Int) throws -> StateBatch {
    let parts = try documents.map { index in
      let place = self.documents[index]
      let file = files[place.file]
      let range = place.rows.prefix(rows)
      let states = MappedStates(
        file: file, firstRow: range.lowerBound,
        bases: try Dictionary(
          uniqueKeysWithValues: ([.final] + layers.map(StateKind.layer)).map {
            ($0, try file.states($0))
          }))
      return (
        tokens: try file.tokens(range), answer: try file.answer(range),
        states: states as any DocumentStates
      )
    }
    return StateBatch(parts, hiddenSize: hiddenSize)
  }
}

/// Rows of a mapped shard. Unchecked only because raw pointers are not Sendable; the mapping is
/// read-only and lives as long as the file object.
private struct MappedStates: DocumentStates, @unchecked Sendable {
  let file: HiddenStateFile
  let firstRow: Int
  let bases: [StateKind: UnsafeBufferPointer<UInt16>]

  func withBits(_ kind: StateKind, _ body: (UnsafePointer<UInt16>) -> Void) {
    guard let base = bases[kind]?.baseAddress else {
      preconditionFailure("\(kind.name) is not among the layers that were asked for")
    }
    withExtendedLifetime(file) { body(base + firstRow * file.hiddenSize) }
  }
}
