import LanguageModels
import Speculation

/// The target's state that gave the last token of a sequence: what heads on the target draft from.
struct LastState {
  /// (hidden)
  private var values: [Float] = []
  /// The token that its logits gave.
  private var next: Int32?

  /// Takes the state of a pass's last row.
  mutating func update(_ tokens: [Int32], _ states: TargetStates) {
    guard let hidden = states.output.finalHidden, let row = states.rows.last else {
      next = nil
      return
    }
    values = Array(hidden[row])
    next = tokens.last
  }

  /// The state before the pending token; nil when none is known.
  func values(before tokens: [Int32]) -> [Float]? {
    next != nil && next == tokens.last ? values : nil
  }
}
