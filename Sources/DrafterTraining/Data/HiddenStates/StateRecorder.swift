import LanguageModels
import Speculation

/// Records the target's hidden states while it generates: a drafter that drafts nothing.
final class StateRecorder: Drafter {
  let name = "state-recorder"
  let observing: Observation
  /// For each kind, the states of the sequence's tokens but the last, in bfloat16.
  private(set) var states: [[UInt16]]

  private let hiddenSize: Int
  /// The state that gave a generation's first token was a part of the prompt's.
  private var awaitsFirst = false

  init(layers: [Int], hiddenSize: Int) {
    observing = Observation(finalHidden: true, layers: layers)
    states = Array(repeating: [], count: 1 + layers.count)
    self.hiddenSize = hiddenSize
  }

  var rowCount: Int { states[0].count / hiddenSize }

  func begin(prompt: [Int32]) throws { awaitsFirst = true }

  /// The rows before `position` stand: the target has them cached, and so have we.
  func observePrompt(_ states: TargetStates, from position: Int) throws {
    for index in self.states.indices {
      self.states[index].removeSubrange((position * hiddenSize)...)
    }
    append(states.output, rows: states.rows)
  }

  func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree { DraftTree() }

  func commit(_ tokens: [Int32], states: TargetStates) throws {
    if awaitsFirst {
      awaitsFirst = false
    } else {
      append(states.output, rows: states.rows)
    }
  }

  /// - Parameter output: of a pass that observed what `observing` says.
  func append(_ output: ForwardOutput, rows: [Int]) {
    guard let final = output.finalHidden else { return }
    for (index, kind) in ([final] + output.layers).enumerated() {
      for row in rows { BFloat16.append(kind[row], to: &states[index]) }
    }
  }
}
