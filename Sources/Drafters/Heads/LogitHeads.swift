import LanguageModels

/// Where a drafter's heads get their logits from.
enum LogitHeads: Sendable {
  /// The target's own output matrix, whole or cut, shared by all heads.
  case target(OutputHead)
  /// One for each head, as public checkpoints have them.
  case own([PackedLinear], DraftVocabulary)

  /// Logits of one row.
  var count: Int {
    switch self {
    case .target(let head): head.count
    case .own(let heads, _): heads.first?.rows ?? 0
    }
  }

  var vocabulary: DraftVocabulary {
    switch self {
    case .target(let head): DraftVocabulary(tokens: head.tokens)
    case .own(_, let vocabulary): vocabulary
    }
  }

  /// The logits of one head after several states. (rows, hidden) to (rows, count)
  func logits(
    of states: UnsafePointer<Float>, rows: Int, head: Int,
    into logits: UnsafeMutablePointer<Float>
  ) {
    switch self {
    case .target(let output): output.logits(of: states, rows: rows, into: logits)
    case .own(let heads, _): heads[head].apply(states, rows: rows, into: logits)
    }
  }

  /// The logits of the first heads, each after a state of its own. (heads, hidden) to
  /// (heads, count)
  func logits(
    ofHeads heads: Int, states: UnsafePointer<Float>, into logits: UnsafeMutablePointer<Float>
  ) {
    switch self {
    case .target(let output): output.logits(of: states, rows: heads, into: logits)
    case .own(let own, _):
      for (index, head) in own.prefix(heads).enumerated() {
        head.apply(
          states + index * head.columns, rows: 1, into: logits + index * head.rows)
      }
    }
  }
}
