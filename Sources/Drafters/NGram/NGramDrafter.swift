import Foundation
import LanguageModels
import Sampling
import Speculation

/// Drafts what follows the last tokens in texts of the language. Nobody says which language that is:
/// each language's model weighs as much as it foresaw of the last tokens, so that the text itself
/// chooses, and again where it changes.
public final class NGramDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The longest path.
    public var length: Int
    /// Ends paths that are less probable than this.
    public var minimumPathProbability: Double
    /// How much of what was foreseen of a token counts one token later, 0 to 1: 0.9 remembers
    /// about ten.
    public var remembrance: Float

    public init(
      length: Int = 8, minimumPathProbability: Double = 0.05, remembrance: Float = 0.9
    ) {
      self.length = length
      self.minimumPathProbability = minimumPathProbability
      self.remembrance = remembrance
    }
  }

  public let name = "ngram-lm"
  public let configuration: Configuration
  private var forest: SuccessorForest<NGramMixture>
  /// The sequence as far as it was seen.
  private var sequence: [Int32] = []

  /// How many of a prompt's last tokens tell its language.
  private static let promptTokens = 128

  /// - Throws: `SpeculationError.invalidSetting` for numbers out of range.
  public init(_ models: NGramModels, _ configuration: Configuration = Configuration()) throws {
    guard configuration.length >= 1 else {
      throw SpeculationError.invalidSetting(
        name: "n-gram length", expected: "1 or more", found: "\(configuration.length)")
    }
    guard (0...1).contains(configuration.remembrance) else {
      throw SpeculationError.invalidSetting(
        name: "n-gram remembrance", expected: "0 to 1", found: "\(configuration.remembrance)")
    }
    self.configuration = configuration
    forest = SuccessorForest(
      NGramMixture(tables: models.tables, remembrance: configuration.remembrance))
  }

  /// The weights of the languages, for the trace.
  public var figures: [String: Double] {
    let mixture = forest.successors
    return Dictionary(
      uniqueKeysWithValues: zip(mixture.tables, mixture.weights).map { ($0.language, Double($1)) })
  }

  public func begin(prompt: [Int32]) throws {
    let known = zip(sequence, prompt).prefix { $0 == $1 }.count
    sequence = prompt
    if known == 0 { forest.successors.reset() }
    learn(from: max(known, prompt.count - Self.promptTokens))
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    let start = sequence.count
    sequence += tokens
    learn(from: start)
  }

  private func learn(from start: Int) {
    var context = TokenContext(sequence[..<start])
    for token in sequence[start...] {
      forest.successors.learn(token, after: context)
      context.append(token)
    }
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    forest.tree(
      after: TokenContext(context.tokens),
      budget: DraftBudget(nodes: budget.nodes, depth: min(budget.depth, configuration.length)),
      minimum: max(configuration.minimumPathProbability, context.minimumPathProbability),
      vocabularySize: context.vocabularySize, source: name)
  }
}

/// Language models of several languages, weighed by what they foresaw.
struct NGramMixture: SuccessorSource {
  let tables: [NGramTable]
  private(set) var weights: [Float]
  private let remembrance: Float
  /// Of each language the logarithm of what it gave the last tokens, older ones counting less.
  private var evidence: [Float]

  /// What a token counts that a language's model does not list.
  private static let unlisted: Float = 0.003
  /// Languages of less weight are not asked.
  private static let leastWeight: Float = 0.03

  init(tables: [NGramTable], remembrance: Float) {
    self.tables = tables
    self.remembrance = remembrance
    evidence = tables.map { _ in 0 }
    weights = tables.map { _ in 1 / Float(tables.count) }
  }

  mutating func reset() { self = NGramMixture(tables: tables, remembrance: remembrance) }

  mutating func learn(_ token: Int32, after context: TokenContext) {
    guard tables.count > 1 else { return }
    for (place, table) in tables.enumerated() {
      let probability = table.probability(of: token, after: context) ?? 0
      evidence[place] =
        evidence[place] * remembrance + log(max(probability, Self.unlisted))
    }
    let most = evidence.max() ?? 0
    weights = evidence.map { exp($0 - most) }
    let sum = weights.reduce(0, +)
    for place in weights.indices { weights[place] /= sum }
  }

  func collect(after context: TokenContext, into successors: inout [Successor]) {
    let start = successors.count
    for (table, weight) in zip(tables, weights) where weight >= Self.leastWeight {
      table.forEachSuccessor(of: context) { token, probability in
        successors.add(token, weight * probability, from: start)
      }
    }
  }
}
