/// Measures seconds with the monotonic clock.
public struct Stopwatch: Sendable {
  private var last = ContinuousClock.now

  public init() {}

  /// Seconds since the stopwatch was made, or since the last lap.
  public mutating func lap() -> Double {
    let now = ContinuousClock.now
    defer { last = now }
    return (now - last) / .seconds(1)
  }
}
