import Foundation
import ModelFiles

/// The README of a drafter's folder: what it is for, how it was made and how good it is.
struct ModelCard {
  let export: DrafterExport
  let target: TrainingTarget
  let provenance: Provenance

  var text: String {
    """
    # \(Self.titles[export.method] ?? export.method) for \(target.identity.name)

    A drafter for speculative decoding with \(target.identity.name) as the target: it proposes \
    tokens, the target verifies them, and the output stays the target's own. \
    \(parameters)\(vocabulary) It is of no use with another model.

        nunchi generate \(target.identity.name) --trained FOLDER "…"

    ## Data

    \(data)

    ## Training

        \(provenance.command.joined(separator: " "))

    \(table(options, head: ("setting", "value")))
    ## Figures

    \(table(figures, head: ("figure", "value")))
    ## Files

    `config.json` and `model.safetensors`\(export.parameterCount > 0 ? " (bf16)" : "") have the public \
    layout of the method; \
    `nunchi.json` holds the provenance with all checksums, seeds and versions\
    \(export.cut.isWhole ? "" : ", `\("frequent_tokens.json")` the proposed tokens").

    ## Licence

    \(licence)

    """
  }

  private static let titles = [
    "eagle": "EAGLE drafter", "eagle3": "EAGLE-3 drafter", "medusa": "Medusa heads",
    "hydra": "Hydra heads", "tiny-lm": "Tiny language model",
    "ngram-lm": "n-gram language models",
  ]

  private var parameters: String {
    export.parameterCount > 0 ? "\(millions(export.parameterCount)) parameters; " : "By counts, "
  }

  private var vocabulary: String {
    export.cut.isWhole
      ? "it proposes from the whole vocabulary."
      : "it proposes from the \(export.cut.tokens.count) most frequent tokens, which make up "
        + "\(decimal(100 * export.cut.coverage, 1)) % of the training text."
  }

  private var data: String {
    let files = provenance.data
    guard !files.isEmpty else { return "Answers of the target itself." }
    let bytes = files.reduce(0) { $0 + $1.bytes }
    let kind =
      export.method == "ngram-lm"
      ? "Texts" : "Answers of the target itself and its states on them"
    let start = provenance.start.map {
      " It started from a drafter whose weights have the SHA-256 `\($0.sha256)`."
    }
    return
      "\(kind): \(files.count) \(files.count == 1 ? "file" : "files"), \(decimal(Double(bytes) / 1e6, 1)) MB, whose checksums "
      + "`nunchi.json` has.\(start ?? "")"
  }

  private var options: [(String, String)] {
    (provenance.options ?? [:]).sorted { $0.key < $1.key }
      + (provenance.configuration.map {
        [
          ("steps", "\($0.steps)"), ("tokens a step", "\($0.batchTokens * $0.accumulation)"),
          ("learning rate", "\($0.learningRate)"), ("seed", "\($0.seed)"),
        ]
      } ?? [])
  }

  private var figures: [(String, String)] {
    provenance.figures.map {
      ($0.name, $0.value == $0.value.rounded() ? "\(Int($0.value))" : decimal($0.value, 3))
    }
  }

  /// The option that says whose the texts are.
  static let licenceOption = "licence of the texts"

  private var licence: String {
    if let texts = provenance.options?[Self.licenceOption] { return "Of the texts: \(texts)." }
    let own = (try? ModelCatalogue.standard())?.entries
      .first { $0.sha256 == target.identity.sha256 }?.licence
    return own.map { "\($0), as the target." }
      ?? "The licence of the target applies to what its answers were trained into."
  }

  private func table(_ rows: [(String, String)], head: (String, String)) -> String {
    ([head, ("---", "---")] + rows).map { "| \($0.0) | \($0.1) |\n" }.joined()
  }

  private func millions(_ count: Int) -> String { "\(decimal(Double(count) / 1e6, 2)) M" }

  private func decimal(_ value: Double, _ places: Int) -> String {
    String(format: "%.\(places)f", value)
  }
}
