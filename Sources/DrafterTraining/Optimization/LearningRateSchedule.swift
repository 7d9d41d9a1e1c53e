import Foundation

/// A learning rate that rises evenly from 0 to its peak, then falls along half a cosine
/// (Loshchilov & Hutter, arXiv 1608.03983) to a share of the peak.
public struct LearningRateSchedule: Sendable, Equatable {
  public var peak: Double
  /// The last rate as a share of the peak, 0 to 1.
  public var minimumShare: Double
  /// Steps before the peak.
  public var warmupSteps: Int
  /// Steps of the whole run.
  public var steps: Int

  public init(peak: Double, minimumShare: Double, warmupSteps: Int, steps: Int) {
    self.peak = peak
    self.minimumShare = minimumShare
    self.warmupSteps = warmupSteps
    self.steps = steps
  }

  /// The rate of a step, counted from 0. Step `warmupSteps` has the peak, and step `steps`,
  /// the one after the last, would have the minimum.
  public func rate(at step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps + 1) }
    let share = Double(step - warmupSteps) / Double(max(1, steps - warmupSteps))
    let height = (1 + cos(.pi * min(1, share))) / 2
    return peak * (minimumShare + (1 - minimumShare) * height)
  }
}
