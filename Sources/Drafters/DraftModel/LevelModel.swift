import LanguageModels

/// What computes the nodes of a draft tree, level by level: a draft model, or a head on the
/// target's states.
protocol LevelModel {
  /// Computes nodes in one pass and notes their rows (`TreeGrowth.Node.row`). Their parents are
  /// computed already, or the root.
  /// - Returns: the logits of the nodes' children, a row for each node.
  func compute(_ nodes: [Int], of growth: inout TreeGrowth) throws -> DraftLogits
}

/// Rows of logits over a vocabulary, or over some of its tokens.
struct DraftLogits {
  /// Valid until the model's next pass; may be overwritten.
  var rows: FloatRows
  /// The tokens of the columns.
  var vocabulary = DraftVocabulary(tokens: nil)
  /// The states that gave the rows, where somebody judges by them. (rows, hidden)
  var states: FloatRows?
  /// Whether there is one row for all nodes, whatever the tokens before them.
  var isShared = false
}
