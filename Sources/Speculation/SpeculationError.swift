import Foundation

/// What can go wrong while generating speculatively.
public enum SpeculationError: Error, Equatable, Sendable {
  case emptyPrompt
  /// The prompt is longer than the context.
  case promptTooLong(tokens: Int, capacity: Int)
  case tokenOutsideVocabulary(token: Int32, source: String, vocabularySize: Int)
  case invalidSetting(name: String, expected: String, found: String)
  /// A rule that only knows greedy decoding, with a temperature.
  case ruleNeedsGreedy(rule: String, temperature: Double)
  /// A drafter recorded a distribution from which its token cannot have been drawn: the output
  /// would not follow the target's law.
  case proposalOutsideSupport(token: Int32, source: String)
  /// A drafter's model cannot draft for this target.
  case incompatibleModel(expected: String, found: String)
  case unknownDrafter(name: String, known: [String])
  case unknownRule(name: String, known: [String])
  case notBegun
}

extension SpeculationError: CustomStringConvertible, LocalizedError {
  public var description: String {
    switch self {
    case .emptyPrompt:
      "prompt: expected at least one token, found none"
    case .promptTooLong(let tokens, let capacity):
      "prompt: expected at most \(capacity) tokens (the context), found \(tokens)"
    case .tokenOutsideVocabulary(let token, let source, let size):
      "\(source): expected token ids from 0 to \(size - 1), found \(token)"
    case .invalidSetting(let name, let expected, let found):
      "\(name): expected \(expected), found \(found)"
    case .ruleNeedsGreedy(let rule, let temperature):
      "acceptance rule \(rule): expected temperature 0, found \(temperature)"
    case .proposalOutsideSupport(let token, let source):
      "drafter \(source): token \(token) has probability 0 in the distribution recorded for it"
    case .incompatibleModel(let expected, let found):
      "draft model: expected \(expected), found \(found)"
    case .unknownDrafter(let name, let known):
      "drafter: expected one of \(known.joined(separator: ", ")), found \(name)"
    case .unknownRule(let name, let known):
      "acceptance rule: expected one of \(known.joined(separator: ", ")), found \(name)"
    case .notBegun:
      "generator: next() was called before begin(prompt:)"
    }
  }

  public var errorDescription: String? { description }
}
