import Foundation
import LanguageModels
import ModelFiles
import Sampling

/// What a draft model would have proposed along documents, and what the target thought of it: the
/// examples that the acceptance predictor learns from.
///
/// A row is a place where the target wrote the next token. Its candidates are the draft model's
/// most probable tokens; a candidate's labels are whether the target's most probable token is it,
/// and the target's p of it at temperature 1.
struct CandidateExamples {
  /// Candidates of a row.
  let candidates: Int
  let draftSize: Int
  /// The draft model's states, in bfloat16. (rows, draftSize)
  private(set) var states: [UInt16] = []
  /// ln q of each candidate. (rows, candidates)
  private(set) var logProbabilities: [Float] = []
  /// Of q, in nats. (rows)
  private(set) var entropies: [Float] = []
  /// (rows, candidates)
  private(set) var greedy: [Float] = []
  private(set) var sampled: [Float] = []
  /// How many rows in a run before this one had the next token among their candidates: a tree that
  /// was begun so far back could be here. (rows)
  private(set) var reach: [Int32] = []

  var rows: Int { entropies.count }

  /// Goes over documents.
  /// - Parameters:
  ///   - source: the target's states.
  ///   - limit: the most rows.
  ///   - candidates: tokens of a row.
  ///   - width: children of a node, for the reach.
  static func collect(
    _ source: any StateSource, draft model: TransformerModel, target: TrainingTarget,
    batchRows: Int, seed: UInt64, limit: Int, candidates: Int, width: Int,
    report: (Int) -> Void = { _ in }
  ) throws -> CandidateExamples {
    let pairs = try PairedStates(draft: model, target: target, contextLength: batchRows)
    var examples = CandidateExamples(candidates: candidates, draftSize: model.hiddenSize)
    let (draftHead, targetHead) = (try model.ownOutputHead(), try target.model.outputHead())
    try source.forEachBatch(seed: seed, rows: batchRows) { batch in
      examples.lastRow = -2
      let chosen = batch.answerRows
      guard !chosen.isEmpty else { return true }
      let draft = try pairs.states(of: batch).gathered(chosen)
      let final = batch.states(.final).gathered(chosen)
      for first in stride(from: 0, to: chosen.count, by: 64) {
        let part = Array(chosen[first..<min(first + 64, chosen.count)])
        try examples.add(
          part, of: batch, draft: draft.data + first * draft.columns, draftHead,
          final: final.data + first * final.columns, targetHead, width: width)
      }
      report(examples.rows)
      return examples.rows < limit
    }
    return examples
  }

  init(candidates: Int, draftSize: Int) {
    self.candidates = candidates
    self.draftSize = draftSize
  }

  private mutating func add(
    _ chosen: [Int], of batch: StateBatch, draft: UnsafePointer<Float>, _ draftHead: OutputHead,
    final: UnsafePointer<Float>, _ targetHead: OutputHead, width: Int
  ) throws {
    let q = Tensor(shape: [chosen.count, draftHead.count])
    let p = Tensor(shape: [chosen.count, targetHead.count])
    draftHead.logits(of: draft, rows: chosen.count, into: q.data)
    targetHead.logits(of: final, rows: chosen.count, into: p.data)
    for (place, row) in chosen.enumerated() {
      let (ours, theirs) = (q.row(place), p.row(place))
      let best = AlignmentQuality.best(candidates, ours)
      let (qSum, entropy) = try Sampler.entropy(logits: ours)
      let (pSum, _) = try Sampler.entropy(logits: theirs)
      let first = AlignmentQuality.best(1, theirs)[0]
      entropies.append(Float(entropy))
      let tokens = best.map { Int(draftHead.tokens?[$0] ?? Int32($0)) }
      for (place, token) in zip(best, tokens) {
        logProbabilities.append(Float(Double(ours[place]) - qSum))
        greedy.append(token == first ? 1 : 0)
        sampled.append(Float(exp(Double(theirs[token]) - pSum)))
      }
      let before = lastRow == row - 1 ? lastReach : 0
      reach.append(Int32(before))
      let holds = tokens.prefix(width).contains(Int(batch.tokens[row + 1]))
      lastReach = holds ? before + 1 : 0
      lastRow = row
    }
    BFloat16.append(
      UnsafeMutableBufferPointer(
        start: UnsafeMutablePointer(mutating: draft), count: chosen.count * draftSize),
      to: &states)
  }

  /// Of the row before, in the same batch.
  private var lastReach = 0
  private var lastRow = -2
}

extension CandidateExamples {
  private static let format = "nunchi-candidate-examples"

  /// Writes them, whole or not at all.
  /// - Parameter origin: what they depend on.
  func write(to path: String, origin: String) throws {
    let tensors: [(String, [Float])] = [
      ("log_probabilities", logProbabilities), ("entropies", entropies), ("greedy", greedy),
      ("sampled", sampled),
    ]
    let writer = try SafetensorsWriter(
      path: path,
      tensors: tensors.map { TensorInfo(name: $0.0, type: .f32, shape: [$0.1.count]) }
        + [
          TensorInfo(name: "states", type: .bf16, shape: [rows, draftSize]),
          TensorInfo(name: "reach", type: .i32, shape: [rows]),
        ],
      metadata: ["format": Self.format, "origin": origin, "candidates": "\(candidates)"])
    for (name, values) in tensors { try writer.append(values, to: name) }
    try states.withUnsafeBytes { try writer.append(bytes: $0, to: "states") }
    try writer.append(reach, to: "reach")
    try writer.finish()
  }

  /// Reads what was written; nil when there is none.
  /// - Throws: `TrainingError.field` for examples of another origin, `ModelFileError` or
  ///   `LanguageModelError` for a damaged file.
  init?(path: String, origin: String, candidates: Int, draftSize: Int) throws {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try SafetensorsFile(path: path)
    let found = file.metadata["format"] == Self.format ? file.metadata["origin"] : nil
    guard found == origin else {
      throw TrainingError.field(
        path: path, field: "origin", expected: origin, found: found ?? "another kind of file")
    }
    self.init(candidates: candidates, draftSize: draftSize)
    let rows = file.tensors["states"]?.shape.first ?? 0
    logProbabilities = try file.floats(of: "log_probabilities", shape: [rows * candidates])
    entropies = try file.floats(of: "entropies", shape: [rows])
    greedy = try file.floats(of: "greedy", shape: [rows * candidates])
    sampled = try file.floats(of: "sampled", shape: [rows * candidates])
    reach = try file.integers(of: "reach").map { Int32(truncatingIfNeeded: $0) }
    let floats = try file.floats(of: "states", shape: [rows, draftSize])
    floats.withUnsafeBufferPointer { values in
      BFloat16.append(UnsafeMutableBufferPointer(mutating: values), to: &states)
    }
    guard reach.count == rows else {
      throw TrainingError.field(
        path: path, field: "reach", expected: "\(rows) numbers", found: "\(reach.count)")
    }
  }
}
