import Synchronization

/// Shows how much of a long prompt is computed, until the first text comes.
final class PromptBar: Sendable {
  private let bar = Mutex<ProgressBar?>(nil)

  /// For `GenerationOptions.promptProgress`.
  func update(_ computed: Int, of total: Int) {
    bar.withLock { bar in
      let shown = bar ?? ProgressBar(label: "reading the prompt")
      shown.update(
        share: Double(computed) / Double(total), saying: "of \(formatCount(total)) tokens")
      bar = shown
    }
  }

  /// To be called before anything else is written.
  func clear() {
    bar.withLock { bar in
      bar?.clear()
      bar = nil
    }
  }
}
