import Drafters
import Foundation
import LanguageModels
import ModelFiles
import Nunchi
import Sampling
import Speculation

/// Counts n-gram language models, one for each language of some texts (as in 2605.30580), and writes
/// a drafter's folder with all of them. Minutes for millions of tokens; no states and no gradients.
public struct NGramTrainer {
  /// What came out for one language.
  public struct Figures: Sendable, Codable, Equatable {
    public var language: String
    public var documents: Int
    public var tokens: Int
    public var contexts: Int
    /// Of the held-out tokens.
    public var heldOutTokens: Int
    /// The share that some context listed first; and that stood in the list at all.
    public var first: Double
    public var listed: Double
  }

  public let model: Model
  public let configuration: NGramConfiguration
  private let version: String
  /// Whose the texts are and what their licence allows, for the model card.
  public var licence: String?

  /// - Parameter version: of the program.
  public init(model: Model, configuration: NGramConfiguration, version: String) {
    self.model = model
    self.configuration = configuration
    self.version = version
  }

  /// - Parameters:
  ///   - data: files of texts or conversations, JSON lines; of a conversation the answers count.
  ///   - languages: those wanted; none takes all.
  ///   - folder: gets the drafter.
  /// - Throws: `TrainingError` and `ModelFileError`, naming file and field.
  public func run(
    data: [String], languages: [String] = [], folder: String, report: (String) -> Void
  ) throws -> [Figures] {
    try configuration.check()
    report("reading texts")
    let inputs = try KeptInputs(data)
    defer { withExtendedLifetime(inputs) {} }
    let (texts, leftOut) = try LanguageDocuments.read(
      inputs.paths, languages: languages, model: model)
    if let note = try LeftOut.write(leftOut, of: folder) { report(note) }
    var export = DrafterExport(
      method: "ngram-lm",
      configuration: [
        "model_type": "nunchi-ngram-lm", "context": configuration.context,
        "languages": texts.keys.sorted(),
      ], weights: [], cut: VocabularyCut(vocabularySize: model.transformer.vocabularySize))
    var figures: [Figures] = []
    for (language, all) in texts.sorted(by: { $0.key < $1.key }) {
      report("counting \(language)")
      let (kept, held) = divided(all)
      let counts = NGramCounts(
        kept, vocabularySize: model.transformer.vocabularySize, configuration)
      export.tables += Self.tables(counts, language: language)
      let hits = counts.hits(in: held)
      figures.append(
        Figures(
          language: language, documents: kept.count, tokens: kept.reduce(0) { $0 + $1.count },
          contexts: counts.levels.reduce(0) { $0 + $1.keys.count },
          heldOutTokens: held.reduce(0) { $0 + $1.count },
          first: hits.first, listed: hits.listed))
    }
    try write(export, figures, data: inputs.paths, folder: folder)
    return figures
  }

  /// What is counted, and what is held out: the same whatever the most tokens are.
  private func divided(_ documents: [[Int32]]) -> (kept: [[Int32]], held: [[Int32]]) {
    var (kept, held): ([[Int32]], [[Int32]]) = ([], [])
    var left = configuration.tokens > 0 ? configuration.tokens : .max
    let heldOut = HeldOutDocuments(share: configuration.heldOut, seed: configuration.seed)
    for document in documents {
      if heldOut.contains(document) {
        held.append(document)
      } else if left > 0 {
        kept.append(Array(document.prefix(left)))
        left -= kept[kept.count - 1].count
      }
    }
    return (kept, held)
  }

  static func tables(
    _ counts: NGramCounts, language: String
  ) -> [(info: TensorInfo, values: [Int64])] {
    counts.levels.enumerated().flatMap { index, level in
      let layout = NGramLayout(language: language, length: index + 1)
      return [
        (layout.keys, TensorType.i64, level.keys.map { Int64(bitPattern: $0) }),
        (layout.starts, .i32, level.starts.map(Int64.init)),
        (layout.tokens, .i32, level.tokens.map(Int64.init)),
        (
          layout.probabilities, .u8,
          level.probabilities.map { Int64(NGramLayout.code(of: $0)) }
        ),
      ].map { (TensorInfo(name: $0.0, type: $0.1, shape: [$0.2.count]), $0.2) }
    }
  }

  private func write(
    _ export: DrafterExport, _ figures: [Figures], data: [String], folder: String
  ) throws {
    let metadata = try HiddenStateMetadata(of: model)
    let target = TrainingTarget(
      model: model.transformer,
      identity: Provenance.Target(
        name: metadata.target ?? model.name, sha256: metadata.sha256 ?? "",
        vocabularyFingerprint: metadata.vocabulary ?? ""))
    var provenance = Provenance(
      data: try data.flatMap(Provenance.DataFile.files(at:)),
      seeds: ["training": configuration.seed], versions: .current(nunchi: version),
      target: target.identity)
    provenance.method = export.method
    provenance.options = configuration.options
    provenance.options?[ModelCard.licenceOption] = licence
    provenance.figures = figures.flatMap {
      [
        TrainingFigure(name: "\($0.language): tokens", value: Double($0.tokens)),
        TrainingFigure(name: "\($0.language): contexts", value: Double($0.contexts)),
        TrainingFigure(name: "\($0.language): held-out tokens listed first", value: $0.first),
        TrainingFigure(name: "\($0.language): held-out tokens listed", value: $0.listed),
      ]
    }
    do {
      try createFolder(folder)
    } catch {
      throw TrainingError.file(path: folder, reason: "cannot be made a folder: \(error)")
    }
    try export.write(to: folder, target: target, provenance: provenance)
  }
}

extension NGramCounts {
  /// The share of a text's tokens that the longest known context lists first, and at all.
  func hits(in documents: [[Int32]]) -> (first: Double, listed: Double) {
    var (first, listed, all) = (0, 0, 0)
    for document in documents {
      for place in document.indices.dropFirst() {
        all += 1
        for length in stride(from: min(levels.count, place), through: 1, by: -1) {
          let level = levels[length - 1]
          guard let known = level.place(of: document[place - length..<place]) else { continue }
          let range = Int(level.starts[known])..<Int(level.starts[known + 1])
          if level.tokens[range.lowerBound] == document[place] { first += 1 }
          if level.tokens[range].contains(document[place]) { listed += 1 }
          break
        }
      }
    }
    let count = Double(max(1, all))
    return (Double(first) / count, Double(listed) / count)
  }
}

extension NGramCounts.Level {
  fileprivate func place(of context: ArraySlice<Int32>) -> Int? {
    let key = NGramLayout.key(of: context)
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low < keys.count && keys[low] == key ? low : nil
  }
}
