import Drafters
import LanguageModels
import Sampling
import Speculation

/// Negative controls: rules, drafters and models with known bugs, each of which the other suites
/// must notice. A check that cannot fail proves nothing.
public struct ControlSuite {
  public init() {}

  /// One result for each bug.
  public func run(progress: SuiteProgress = { _, _ in }) -> [SuiteResult] {
    let controls =
      BrokenRejection.Bug.allCases.map { bug in { rejection(bug) } }
      + BrokenMatching.Bug.allCases.map { bug in { matching(bug) } }
      + SamplingTreeDrafter.Bug.allCases.map { bug in { drafter(bug) } }
      + TableModel.Bug.allCases.map { bug in { model(bug) } }
    return controls.enumerated().map { place, control in
      progress("known bugs", Double(place) / Double(controls.count))
      return control()
    }
  }

  /// Rejection sampling with a bug, against the law suite.
  public func rejection(_ bug: BrokenRejection.Bug) -> SuiteResult {
    law(
      name: "rejection: \(bug.rawValue)", checked: "a rule with a known bug changes the law",
      rule: BrokenRejection(bug: bug),
      drafter: SamplingTreeDrafter(model: LawExploration.draftModel, width: 2))
  }

  /// A drafter that misreports how it drew, against the law suite.
  public func drafter(_ bug: SamplingTreeDrafter.Bug) -> SuiteResult {
    law(
      name: "drafter: \(bug.rawValue)", checked: "a drafter that misreports changes the law",
      rule: RejectionSampling(),
      drafter: SamplingTreeDrafter(model: LawExploration.draftModel, width: 2, bug: bug))
  }

  private func law(
    name: String, checked: String, rule: any AcceptanceRule, drafter: any Drafter
  ) -> SuiteResult {
    var control = SuiteResult(group: .control, name: name, checked: checked)
    control.timed(at: "exploration") { control in
      let distance = try LawExploration(
        rule: rule, sampling: SamplingParameters(temperature: 1, seed: 1), drafter: { drafter }
      ).distance()
      control.record(
        distance > LawSuite.lossyDistance ? LawSuite.fault(distance) : nil, at: "trees of width 2")
    }
    return control
  }

  /// Matching with a bug, against the identity suite.
  public func matching(_ bug: BrokenMatching.Bug) -> SuiteResult {
    Self.matching(bug, target: TableModel(vocabularySize: 6), prompts: Self.prompts)
  }

  /// Matching with a bug on any target, against the identity suite.
  public static func matching<Target: LanguageModel>(
    _ bug: BrokenMatching.Bug, target: Target, prompts: [IdentitySuite<Target>.Prompt],
    on model: String? = nil
  ) -> SuiteResult {
    let place = model.map { " on \($0)" } ?? ""
    return control(
      name: "matching: \(bug.rawValue)\(place)", checked: "a rule with a known bug changes tokens"
    ) {
      var suite = identity(target, prompts)
      suite.rules = [BrokenMatching(bug: bug)]
      suite.lengths = [4]
      return try suite.run()
    }
  }

  /// A model with a bug, against the suites of rows and identity.
  public func model(_ bug: TableModel.Bug) -> SuiteResult {
    Self.control(
      name: "model: \(bug.rawValue)", checked: "a model with a known bug gives other rows or tokens"
    ) {
      let target = TableModel(vocabularySize: 6, bug: bug)
      return RowInvarianceSuite(model: target, text: [3, 1, 4, 1, 5]).run()
        + (try Self.identity(target, Self.prompts).run())
    }
  }

  /// Random trees with the right tokens hidden in them.
  private static func identity<Target: LanguageModel>(
    _ target: Target, _ prompts: [IdentitySuite<Target>.Prompt]
  ) -> IdentitySuite<Target> {
    var suite = IdentitySuite(
      target: target, prompts: prompts,
      candidates: DrafterRegistry.entries.filter { $0.name == "random-tree" }
        .map { IdentitySuite<Target>.Candidate($0) })
    suite.passes = 2
    return suite
  }

  private static let prompts = [[3, 1, 4, 1, 5, 0, 2, 5], [2, 2, 0], [1], [5, 4, 3, 2]].map {
    IdentitySuite<TableModel>.Prompt(name: "\($0)", tokens: $0)
  }

  /// What a control comes to, given what the suites say.
  private static func control(
    name: String, checked: String, _ suites: () throws -> [SuiteResult]
  ) -> SuiteResult {
    var control = SuiteResult(group: .control, name: name, checked: checked)
    control.timed(at: "the suites") { control in
      for result in try suites() {
        control.cases += result.cases
        guard result.outcome == .failed, let failure = result.failures.first else { continue }
        control.outcome = .caught
        control.failureCount += result.failureCount
        control.failures.append(
          SuiteResult.Failure(
            place: "\(result.group.rawValue), \(result.name): \(failure.place)",
            details: failure.details))
      }
    }
    return control
  }
}
