import Foundation

/// What a training run tells while it goes on. `description` is a line for people.
public enum TrainingEvent: Sendable {
  /// The run goes on from a checkpoint.
  case resumed(step: Int)
  case step(TrainingProgress)
  /// Figures of a validation, and whether its weights are the best so far.
  case validation(step: Int, figures: [TrainingFigure], isBest: Bool)
  case checkpoint(step: Int)
  /// Something to know that does not stop the run.
  case notice(String)
}

/// Where a run is after a step.
public struct TrainingProgress: Sendable {
  /// Updates that are done, and how many there will be.
  public var step: Int
  public var steps: Int
  /// Tokens that were trained on since the run began.
  public var tokens: Int
  /// The step's loss and what it is made of: means over its micro-batches.
  public var loss: Double
  public var terms: [TrainingFigure]
  public var rate: Double
  /// Before clipping.
  public var gradientNorm: Double
  /// Tokens trained on per second, since this process began the run or took it up.
  public var tokensPerSecond: Double
  public var secondsLeft: Double
}

extension TrainingEvent: CustomStringConvertible {
  public var description: String {
    switch self {
    case .resumed(let step): "resumed after step \(step)"
    case .step(let progress): progress.description
    case .validation(let step, let figures, let isBest):
      "validation after step \(step): \(Self.list(figures))" + (isBest ? " (best)" : "")
    case .checkpoint(let step): "checkpoint after step \(step)"
    case .notice(let text): text
    }
  }

  fileprivate static func list(_ figures: [TrainingFigure]) -> String {
    figures.map { "\($0.name) \(String(format: "%.4g", $0.value))" }.joined(separator: ", ")
  }
}

extension TrainingProgress: CustomStringConvertible {
  public var description: String {
    let loss = String(format: "%.4f", loss)
    let terms = terms.isEmpty ? "" : " (\(TrainingEvent.list(terms)))"
    let rate = String(format: "%.2e", rate)
    let norm = String(format: "%.3g", gradientNorm)
    return "step \(step)/\(steps)  loss \(loss)\(terms)  rate \(rate)  gradient \(norm)  "
      + "\(Int(tokensPerSecond.rounded())) tokens/s  \(Self.duration(secondsLeft)) left"
  }

  /// `45 s`, `12 min`, `3 h 05 min`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "unknown time" }
    let seconds = Int(seconds.rounded(.up))
    if seconds < 100 { return "\(seconds) s" }
    let minutes = (seconds + 59) / 60
    if minutes < 100 { return "\(minutes) min" }
    return "\(minutes / 60) h \(minutes % 60 < 10 ? "0" : "")\(minutes % 60) min"
  }
}

/// Shows a run's events: on a terminal the steps share one line that is written over; elsewhere
/// there is a line for a step now and then.
public final class TrainingReporter {
  private let isTerminal: Bool
  private let write: (String) -> Void
  private let secondsBetweenSteps: Double
  private var lastStep: ContinuousClock.Instant?
  private var lineIsOpen = false

  /// - Parameter write: writes text to standard error.
  public init(
    isTerminal: Bool, secondsBetweenSteps: Double? = nil, write: @escaping (String) -> Void
  ) {
    self.isTerminal = isTerminal
    self.secondsBetweenSteps = secondsBetweenSteps ?? (isTerminal ? 0.1 : 30)
    self.write = write
  }

  public func report(_ event: TrainingEvent) {
    guard case .step(let progress) = event else {
      closeLine()
      write("\(event)\n")
      return
    }
    let now = ContinuousClock.now
    let isLast = progress.step == progress.steps
    let wait = Duration.seconds(secondsBetweenSteps)
    guard isLast || lastStep.map({ now - $0 >= wait }) ?? true else { return }
    lastStep = now
    if isTerminal {
      write("\r\u{1B}[K\(progress)")
      lineIsOpen = true
    } else {
      write("\(progress)\n")
    }
  }

  /// Ends a line that was to be written over.
  public func closeLine() {
    if lineIsOpen { write("\n") }
    lineIsOpen = false
  }
}
