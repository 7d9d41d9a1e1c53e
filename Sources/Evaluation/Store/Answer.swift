import Foundation
import Nunchi

/// Which answer of a run: one turn of a question, by one configuration.
public struct AnswerKey: Sendable, Hashable {
  public var question: String
  /// From 0.
  public var turn: Int
  /// From 0; a run may ask everything several times.
  public var repetition: Int
  /// The configuration's name.
  public var configuration: String

  public init(question: String, turn: Int, repetition: Int, configuration: String) {
    self.question = question
    self.turn = turn
    self.repetition = repetition
    self.configuration = configuration
  }
}

/// One answer of one configuration, with all that was measured.
public struct Answer: Sendable, Equatable {
  public var key: AnswerKey
  /// Its place in the order of the turn's configurations. The first computes the prompt.
  public var place: Int
  public var prompt: [Int32]
  public var tokens: [Int32]
  public var text: String
  /// Why it ended; nil where nobody tells.
  public var finish: String?
  /// Seconds of the target's pass over the prompt. Only the first configuration of the turn
  /// computes it, and the others find it in the cache; it counts for all alike.
  public var sharedPromptSeconds: Double
  /// Seconds of what the configuration itself does with the prompt.
  public var ownPromptSeconds: Double
  /// Energy that the processor took meanwhile, in joules; nil where the machine does not tell.
  public var joules: Double?
  public var statistics: SpeculationStatistics
  /// Empty where the steps are not known, or were not asked for.
  public var steps: [StepTrace]
}

extension Answer {
  /// - Parameter sharedPromptSeconds: those of the configuration that came first.
  public init(
    _ key: AnswerKey, place: Int, prompt: [Int32], result: GenerationResult,
    sharedPromptSeconds: Double, joules: Double? = nil
  ) {
    self.init(
      key: key, place: place, prompt: prompt, tokens: result.tokens, text: result.text,
      finish: result.finishReason.map { "\($0)" }, sharedPromptSeconds: sharedPromptSeconds,
      ownPromptSeconds: result.traces.lazy.filter { $0.phase == .prompt }
        .reduce(0) { $0 + $1.seconds - $1.verifySeconds },
      joules: joules, statistics: result.statistics, steps: result.traces)
  }
}
