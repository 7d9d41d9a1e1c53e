import LanguageModels

/// What turns an EAGLE drafter's states into logits.
enum EagleHead: Sendable {
  /// The target's head, whole or cut to some tokens.
  case target(OutputHead)
  /// The checkpoint's own, over some tokens (ascending) or all.
  case own(PackedLinear, tokens: [Int32]?)

  var vocabulary: DraftVocabulary {
    switch self {
    case .target(let head): DraftVocabulary(tokens: head.tokens)
    case .own(_, let tokens): DraftVocabulary(tokens: tokens)
    }
  }

  /// Logits of one row.
  var count: Int {
    switch self {
    case .target(let head): head.count
    case .own(let matrix, _): matrix.rows
    }
  }

  /// Parameters that are not the target's.
  var parameterCount: Int {
    switch self {
    case .target: 0
    case .own(let matrix, _): matrix.rows * matrix.columns
    }
  }

  /// - Parameters:
  ///   - states: (rows, hiddenSize)
  ///   - logits: (rows, count)
  func logits(
    of states: UnsafePointer<Float>, rows: Int, into logits: UnsafeMutablePointer<Float>
  ) {
    switch self {
    case .target(let head): head.logits(of: states, rows: rows, into: logits)
    case .own(let matrix, _): matrix.apply(states, rows: rows, into: logits)
    }
  }
}
