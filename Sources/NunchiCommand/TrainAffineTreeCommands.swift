import ArgumentParser
import Drafters
import DrafterTraining
import Foundation
import ModelFiles
import Nunchi

/// `nunchi train alignment`.
struct TrainAlignmentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alignment",
    abstract: "The affine map from a draft model's states to the target's.",
    discussion: """
      Least squares in one pass over the text; with --steps it goes on by gradient, towards the \
      logits that the target's head makes of the states, until held-out text gets no better.

      Example:
        nunchi train alignment --target Qwen2.5-Coder-1.5B --draft-model Qwen2.5-Coder-0.5B \
      --data states --out affine
      """)

  @OptionGroup var arguments: TrainArguments

  @Option(help: "The model that drafts, of the same vocabulary, or the folder of a tiny-lm.")
  var draftModel: String

  @Option(help: "Rows that the least squares are fitted to, at most.")
  var rows: Int?

  @Flag(help: "Fit a map without a bias.")
  var noBias = false

  @Flag(help: "Normalise the draft model's states first.")
  var layerNorm = false

  func run() async throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    let draft = try TrainingDraft(draftModel, for: model)
    try arguments.train(
      "alignment", on: model, .alignment,
      adjust: { configuration in
        if let rows { configuration.drafter.rows = rows }
        if noBias { configuration.drafter.bias = false }
        if layerNorm { configuration.drafter.layerNorm = true }
      },
      makeTrainer: {
        try AlignmentTrainer($1, setup: $0, draft: draft)
      })
  }
}

/// `nunchi train acceptance-predictor`.
struct TrainPredictorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "acceptance-predictor",
    abstract: "The network that predicts which drafted tokens the target accepts.",
    discussion: """
      It learns from what a draft model would propose along the target's own text, and what the \
      target thinks of it. The folder gets predictor.safetensors and a reliability diagram.

      Example:
        nunchi train acceptance-predictor --target Qwen2.5-Coder-1.5B \
      --draft-model Qwen2.5-Coder-0.5B --alignment affine/alignment.safetensors --data states \
      --out affine-predictor
      """)

  @OptionGroup var arguments: TrainArguments

  @Option(help: "The model that drafts, of the same vocabulary, or the folder of a tiny-lm.")
  var draftModel: String

  @Option(help: "The file of the alignment, for the input 'aligned'.")
  var alignment: String?

  @Option(
    help: """
      Which state it sees: \(AcceptancePredictor.Input.allCases.map(\.rawValue)
        .joined(separator: ", ")). aligned with --alignment, otherwise draft.
      """)
  var input: AcceptancePredictor.Input?

  @Option(help: "Rows of text that it learns from, at most.")
  var rows: Int?

  @Option(
    help: "A folder where what is gone over is kept, so that other predictors need not do it again."
  )
  var examples: String?

  @Option(
    help: """
      Features that it is not told, to see what they bring: \(CandidateFeatures.Group.allCases
        .map(\.rawValue).joined(separator: ", ")). May be given several times.
      """)
  var without: [String] = []

  func run() async throws {
    let model = try loadModel(arguments.target, threads: arguments.threads)
    let draft = try TrainingDraft(draftModel, for: model)
    let map = try alignment.map {
      try AffineMap(
        path: $0, draft: draft.model.hiddenSize, target: model.transformer.hiddenSize,
        pool: model.transformer.pool)
    }
    let bar = WorkProgress(label: "drafting along the text")
    try arguments.train(
      "acceptance-predictor", on: model, .predictor,
      adjust: { configuration in
        if let rows { configuration.drafter.rows = rows }
        if !without.isEmpty { configuration.drafter.without = without }
        if let input {
          configuration.drafter.input = input
        } else if map == nil, configuration.drafter.input == .aligned {
          configuration.drafter.input = .draft
        }
      },
      makeTrainer: { setup, configuration in
        defer { bar.clear() }
        return try PredictorTrainer(
          configuration, setup: setup, draft: draft, alignment: map, examples: examples
        ) { rows in
          bar.update(
            share: Double(rows) / Double(configuration.rows), "\(formatCount(rows)) rows")
        }
      })
  }
}

extension TrainingDraft {
  /// A model of the target's vocabulary, or the folder of a tiny-lm.
  fileprivate init(_ name: String, for target: Model) throws {
    let shown = URL(fileURLWithPath: name).lastPathComponent
    if try DrafterCard(folder: name)?.method == "tiny-lm" {
      var settings = DrafterSettings()
      settings.trained = [try target.trainedDrafter(folder: name)]
      if let tiny = settings.tinyLM {
        self.init(
          model: tiny, name: shown,
          sha256: try ModelFiles.sha256(ofFile: "\(name)/model.safetensors"))
        return
      }
    }
    let draft = try loadModel(name, sharing: target)
    if let mismatch = target.vocabularyMismatch(with: draft) {
      throw ValidationError("--draft-model \(name): \(mismatch)")
    }
    self.init(model: draft.transformer, name: shown, sha256: try draft.fileChecksum())
  }
}

extension AcceptancePredictor.Input: ExpressibleByArgument {}
