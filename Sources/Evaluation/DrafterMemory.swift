/// What drafters know when a question is asked: recycled successors, past outputs, corrections, and
/// what the controller has learned of each of them.
///
/// No repetition knows of an earlier one: its drafters would have seen the answers that they are
/// about to be measured on. Neither does anybody learn from warming up.
public enum DrafterMemory: String, Sendable, Codable {
  /// Drafters begin anew in each repetition; what they learn from one question serves the next.
  case repetition
  /// Drafters begin anew at each question.
  case question

  /// - Parameter isFresh: what `--fresh` says.
  public init(isFresh: Bool) { self = isFresh ? .question : .repetition }
}

/// A question in one repetition of a run.
public struct AskedQuestion: Sendable, Hashable, Codable {
  public var question: String
  /// From 0.
  public var repetition: Int

  public init(question: String, repetition: Int) {
    self.question = question
    self.repetition = repetition
  }
}

extension StoredRun {
  /// What the drafters knew, and the order of the questions, in words; nil where nobody drafts.
  public var drafterMemory: String? {
    guard !conditions.drafters.isEmpty else { return nil }
    switch conditions.drafterMemory {
    case nil:
      return "not recorded: in a later repetition drafters may have known the answers"
    case .question:
      return "drafters begin anew at each question; questions in the suite's order"
    case .repetition:
      // Each repetition begins once; more often where it was taken up again, or has parts.
      var seen: Set<Int> = []
      let more = starts.filter { !seen.insert($0.repetition).inserted }.map {
        "\($0.question)" + ($0.repetition > 0 ? " (repetition \($0.repetition + 1))" : "")
      }
      return "drafters begin anew in each repetition and learn from question to question, in the "
        + "suite's order"
        + (more.isEmpty
          ? ""
          : "; also anew, where the run was taken up again or a part begins, at question "
            + more.joined(separator: ", "))
    }
  }
}
