import Drafters
import LanguageModels
import Sampling
import Speculation

/// Speculative output against plain output, token for token: drafters, prompts, draft lengths and
/// ways of sampling, over any target.
public struct IdentitySuite<Target: LanguageModel> {
  /// A text to continue.
  public struct Prompt: Sendable {
    public var name: String
    public var tokens: [Int32]

    public init(name: String, tokens: [Int32]) {
      self.name = name
      self.tokens = tokens
    }
  }

  /// A drafter under test.
  public struct Candidate {
    public var name: String
    /// Made anew for each prompt, since it is told the output in advance.
    public var isReference: Bool
    /// Whether a drafter that cannot be made is left out, instead of being a failure.
    public var isOptional: Bool
    public var make: (DrafterSettings) throws -> [any Drafter]

    public init(
      name: String, isReference: Bool = false, isOptional: Bool = false,
      make: @escaping (DrafterSettings) throws -> [any Drafter]
    ) {
      self.name = name
      self.isReference = isReference
      self.isOptional = isOptional
      self.make = make
    }

    /// A drafter of the registry.
    public init(_ entry: DrafterRegistry.Entry, isOptional: Bool = false) {
      self.init(
        name: entry.name, isReference: entry.isReference, isOptional: isOptional,
        make: { [try entry.make($0)] })
    }
  }

  public let target: Target
  public var prompts: [Prompt]
  public var candidates: [Candidate]
  public var samplings = identitySamplings
  /// How long drafts are, in turn; nil leaves it to a controller.
  public var lengths: [Int?] = [4, 1, nil, 2, 8, 16]
  /// What the controller takes passes to cost; without it, 4 stands for nil in `lengths`.
  public var costs: VerificationCosts?
  public var rules: [any AcceptanceRule] = TestedRules.identical
  public var draftNodes = 16
  /// Tokens of each output.
  public var maxTokens = 32
  public var stopTokens: Set<Int32> = []
  public var draftModel: (any LanguageModel)?
  /// The most passes over the prompts; each takes other samplings and lengths.
  public var passes: Int
  /// When to stop; every candidate has seen one prompt at least.
  public var secondsLimit: Double?
  /// What is wrong with the text streamed from an output's steps.
  public var textFault: ((_ steps: [[Int32]]) -> String?)?

  /// A suite over all samplings and lengths.
  public init(target: Target, prompts: [Prompt], candidates: [Candidate]) {
    self.target = target
    self.prompts = prompts
    self.candidates = candidates
    passes = identitySamplings.count
  }

  /// One result for each candidate.
  /// - Throws: what goes wrong with plain decoding.
  public func run(progress: SuiteProgress = { _, _ in }) throws -> [SuiteResult] {
    let capacity = (prompts.map(\.tokens.count).max() ?? 0) + maxTokens
    let plain = try SpeculativeGenerator(target: target, capacity: capacity)
    let speculative = try SpeculativeGenerator(target: target, capacity: capacity)
    var runs = candidates.map { Run($0) }
    let deadline = Deadline(seconds: secondsLimit)
    let rounds = passes * prompts.count
    for round in 0..<rounds {
      let share = max(Double(round) / Double(rounds), deadline.share)
      if round > 0 && deadline.isOver { break }
      let pass = round / prompts.count
      let prompt = prompts[round % prompts.count]
      let sampling = samplings[(round + pass) % samplings.count]
      var setup = GenerationSetup(
        draftNodes: draftNodes, sampling: sampling,
        limits: GenerationLimits(maxTokens: maxTokens, stopTokens: stopTokens))
      let expected = try generate(plain, prompt: prompt.tokens, setup: setup)
      let rules = rules.filter { sampling.isGreedy || !($0 is GreedyRule) }
      for (place, candidate) in candidates.enumerated() {
        progress("\(candidate.name), \(prompt.name)", share)
        let length = lengths[(round + pass + place) % lengths.count]
        setup.draftLength = policy(length)
        setup.rule = rules[(round + place) % rules.count]
        var settings = DrafterSettings(length: 16, capacity: capacity, draftModel: draftModel)
        settings.sequence = prompt.tokens + expected.output
        settings.seed = UInt64(round)
        let details =
          "\(prompt.name); \(sampling.summary); "
          + (length.map { "drafts of \($0)" } ?? "drafts as the controller says")
          + "; \(setup.rule.name)"
        runs[place].check(
          candidate, speculative, prompt, expected, setup, settings, details, textFault)
      }
    }
    return runs.map(\.finished)
  }

  private func policy(_ length: Int?) -> DraftLengthPolicy {
    if length == nil, let costs { return .controlled(SpeedController(costs: costs)) }
    return .fixed(length ?? 4)
  }

  /// One candidate's part of the run.
  private struct Run {
    var result: SuiteResult
    var drafters: [any Drafter] = []
    var statistics = (drafted: 0, accepted: 0)

    init(_ candidate: Candidate) {
      result = SuiteResult(
        group: .identity, name: candidate.name,
        checked: "the output, token for token, and its streamed text")
    }

    mutating func check(
      _ candidate: Candidate, _ generator: SpeculativeGenerator<Target>, _ prompt: Prompt,
      _ expected: (output: [Int32], faults: [String]), _ setup: GenerationSetup,
      _ settings: DrafterSettings, _ place: String, _ textFault: (([[Int32]]) -> String?)?
    ) {
      guard result.outcome != .skipped else { return }
      if drafters.isEmpty || candidate.isReference {
        do {
          drafters = try candidate.make(settings)
        } catch  where candidate.isOptional {
          result.outcome = .skipped
          result.note = "\(error)"
          return
        } catch {
          return result.record("cannot be made: \(error)", at: prompt.name)
        }
      }
      var setup = setup
      setup.drafters = drafters
      result.timed(at: place) { result in
        let found = try generate(generator, prompt: prompt.tokens, setup: setup)
        let seen = SpeculationStatistics(generator.traces)
        statistics.drafted += seen.drafted
        statistics.accepted += seen.accepted
        let faults =
          expected.faults + found.faults
          + [
            OutputComparison(expected: expected.output, found: found.output).fault,
            Self.acceptanceFault(candidate.name, seen, generator.finishReason),
            textFault?(generator.traces.map(\.tokens)),
          ].compactMap { $0 }
        result.record(faults.first, at: place)
      }
    }

    /// The oracle must have all accepted and its opposite nothing: otherwise the walk through the
    /// drafts is broken, however right the output.
    private static func acceptanceFault(
      _ name: String, _ statistics: SpeculationStatistics, _ reason: FinishReason?
    ) -> String? {
      let (drafted, accepted) = (statistics.drafted, statistics.accepted)
      switch name {
      // A drafted stop token takes the bonus token's place.
      case "oracle" where accepted < drafted - (reason == .stop ? 1 : 0):
        return "expected all of \(drafted) drafted tokens accepted, found \(accepted)"
      case "always-wrong" where accepted > 0:
        return "expected none of \(drafted) drafted tokens accepted, found \(accepted)"
      default: return nil
      }
    }

    var finished: SuiteResult {
      var result = result
      if result.outcome != .skipped {
        result.note = "\(statistics.accepted) of \(statistics.drafted) drafted tokens accepted"
      }
      return result
    }
  }
}

/// Ways of sampling that together use every filter: greedy and with seeds.
public let identitySamplings: [SamplingParameters] = {
  let sampled = try? [
    SamplingParameters(temperature: 0.7, seed: 11),
    SamplingParameters(
      temperature: 1, topK: 40, topP: 0.95, minP: 0.02, repetitionPenalty: 1.1, seed: 12),
    SamplingParameters(repetitionPenalty: 1.3),
    SamplingParameters(temperature: 1.3, topP: 0.9, seed: 13),
  ]
  return [.greedy] + (sampled ?? [])
}()

extension SamplingParameters {
  /// The settings that differ from greedy sampling, in words.
  var summary: String {
    var parts = [isGreedy ? "greedy" : "temperature \(temperature)"]
    if topK != 0 { parts.append("top-k \(topK)") }
    if topP != 1 { parts.append("top-p \(topP)") }
    if minP != 0 { parts.append("min-p \(minP)") }
    if repetitionPenalty != 1 { parts.append("repetition penalty \(repetitionPenalty)") }
    if let seed { parts.append("seed \(seed)") }
    return parts.joined(separator: ", ")
  }
}
