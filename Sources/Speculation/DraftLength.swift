/// How many tokens deep to draft.
public enum DraftLengthPolicy: Sendable, Equatable {
  case fixed(Int)
  /// Follows recent acceptance: longer by two after a draft accepted whole, else shorter by one.
  /// After `patience` drafts in a row without an accepted token it pauses, first for one step,
  /// then for twice as many each time, up to 32: hopeless drafting costs almost nothing.
  case adaptive(maximum: Int, patience: Int = 3)
}

/// The state of a policy over one generation. It follows accepted counts only, never time, so
/// that a run can be replayed.
struct DraftLength {
  private let policy: DraftLengthPolicy
  private var length: Int
  private var failures = 0
  private var pause = 0

  init(_ policy: DraftLengthPolicy) {
    self.policy = policy
    switch policy {
    case .fixed(let length): self.length = length
    case .adaptive(let maximum, _): length = min(maximum, 4)
    }
  }

  /// The depth for the next step. Call once a step.
  mutating func next() -> Int {
    guard pause == 0 else {
      pause -= 1
      return 0
    }
    return length
  }

  /// What came of a draft of `depth`.
  mutating func record(depth: Int, accepted: Int) {
    guard case .adaptive(let maximum, let patience) = policy, depth > 0 else { return }
    length = accepted >= depth ? min(maximum, length + 2) : max(1, length - 1)
    if accepted > 0 {
      failures = 0
    } else {
      failures += 1
      if failures >= patience { pause = 1 << min(failures - patience, 5) }
    }
  }
}
