import Foundation

/// What one suite of checks found.
public struct SuiteResult: Sendable, Equatable, Codable {
  /// What a suite is about.
  public enum Group: String, Sendable, Codable {
    /// Speculative output against plain output.
    case identity
    /// A row of a forward pass against the same row alone.
    case rows
    /// The law of the output, by enumeration.
    case law
    /// Known bugs, which the other suites must notice.
    case control
  }

  /// How it came out.
  public enum Outcome: String, Sendable, Codable {
    case passed
    case failed
    /// A known bug was noticed.
    case caught
    /// A known bug was not noticed: the suites prove nothing against it.
    case missed
    /// A rule that declares itself lossy was seen to be.
    case lossy
    case skipped
  }

  /// One case that went wrong.
  public struct Failure: Sendable, Equatable, Codable {
    /// Which case.
    public var place: String
    /// Expected against found.
    public var details: String
  }

  public var group: Group
  public var name: String
  /// What was checked, in a line.
  public var checked: String
  public var outcome: Outcome
  public var cases = 0
  public var failureCount = 0
  /// The first few failures. Of a control: how it was noticed.
  public var failures: [Failure] = []
  /// What else is worth knowing: how much was accepted, that time was up, why it was skipped.
  public var note: String?
  public var seconds = 0.0

  /// Whether all is as it should be.
  public var isGood: Bool { outcome != .failed && outcome != .missed }

  static let mostFailures = 5

  public init(group: Group, name: String, checked: String) {
    self.group = group
    self.name = name
    self.checked = checked
    outcome = group == .control ? .missed : .passed
  }

  /// A suite that could not run.
  public static func skipped(
    group: Group, name: String, checked: String, reason: String
  ) -> SuiteResult {
    var result = SuiteResult(group: group, name: name, checked: checked)
    result.outcome = .skipped
    result.note = reason
    return result
  }

  /// Counts a case, and its fault if it has one.
  mutating func record(_ fault: String?, at place: @autoclosure () -> String) {
    cases += 1
    guard let fault else { return }
    failureCount += 1
    outcome = group == .control ? .caught : .failed
    if failures.count < Self.mostFailures {
      failures.append(Failure(place: place(), details: fault))
    }
  }

  /// Runs `body` and adds its time. What it throws is a failure at `place`.
  mutating func timed(
    at place: @autoclosure () -> String, _ body: (inout SuiteResult) throws -> Void
  ) {
    let start = ContinuousClock.now
    do {
      try body(&self)
    } catch {
      record("threw: \(error)", at: place())
    }
    seconds += (ContinuousClock.now - start) / .seconds(1)
  }
}

/// Told what is being checked, and the share that is done, from 0 to 1.
public typealias SuiteProgress = (_ what: String, _ share: Double) -> Void

/// When a suite is to come to its end.
struct Deadline {
  private let start = ContinuousClock.now
  private let seconds: Double?

  /// - Parameter seconds: nil for no end.
  init(seconds: Double?) {
    self.seconds = seconds
  }

  /// The share of the time that has gone by; 0 without an end.
  var share: Double {
    guard let seconds else { return 0 }
    return (ContinuousClock.now - start) / .seconds(1) / max(seconds, 1e-9)
  }

  var isOver: Bool { share >= 1 }
}
