import LanguageModels
import Sampling
import Speculation

/// A drafter that can keep what it observes, without computing on it, while another one drafts.
public protocol WaitingDrafter: Drafter {
  var isWaiting: Bool { get set }
}

/// Drafts with that one of several drafters which suits the language being written: by the tokens
/// that each was trained to propose, and by what the target accepts of it. Nothing says the language;
/// where the text changes, the choice does.
///
/// Only the chosen one works. The others go on with any sequence when their turn comes, as
/// `DraftModelDrafter` can, or keep what they have observed until then (`WaitingDrafter`).
public final class LanguageChoiceDrafter: Drafter {
  public struct Member {
    /// A language, or what else tells it from the others.
    public var label: String
    public var drafter: any Drafter
    /// The tokens of the texts that it was trained on, counted.
    public var tokens: FrequentTokens

    public init(label: String, drafter: any Drafter, tokens: FrequentTokens) {
      self.label = label
      self.drafter = drafter
      self.tokens = tokens
    }
  }

  public let name: String
  public let observing: Observation
  private let members: [Member]
  private let shares: LanguageShares
  /// What became of each one's first guesses, older ones counting less.
  private var records: [Record]
  /// Each one's share of the text.
  private var weights: [Float]
  private var chosen = 0
  /// The length of the text when its language was last looked at; nil for a new text.
  private var lookedAt: Int?
  /// The first guesses of the last draft.
  private var guesses: [Int32] = []

  private struct Record {
    var held: Float = 2
    var tried: Float = 4

    var rate: Float { held / tried }

    mutating func add(_ isRight: Bool) {
      held = held * LanguageChoiceDrafter.remembrance + (isRight ? 1 : 0)
      tried = tried * LanguageChoiceDrafter.remembrance + 1
    }
  }

  /// How much of a guess counts one guess later.
  private static let remembrance: Float = 0.97
  /// Tokens after which the language is looked at again.
  private static let interval = 8
  /// What a drafter of another language is given, so that one that is right more often can win.
  private static let leastShare: Float = 0.05

  /// - Parameter members: at least one; all observe the same.
  /// - Throws: `SpeculationError.invalidSetting` for none, and for members that observe different states.
  public init(name: String, members: [Member]) throws {
    guard !members.isEmpty else {
      throw SpeculationError.invalidSetting(
        name: "drafters to choose from", expected: "at least one", found: "none")
    }
    let observing = members[0].drafter.observing
    for member in members where member.drafter.observing != observing {
      throw SpeculationError.invalidSetting(
        name: "drafters to choose from", expected: "that all observe the same states",
        found: "\(members[0].label) and \(member.label)")
    }
    self.name = name
    self.members = members
    self.observing = observing
    shares = LanguageShares(members.map { ($0.label, $0.tokens) })
    records = members.map { _ in Record() }
    weights = members.map { _ in 1 / Float(members.count) }
  }

  /// Each one's share of the text, and 1 for the one that drafts.
  public var figures: [String: Double] {
    var figures = Dictionary(
      zip(members.map(\.label), weights.map(Double.init)), uniquingKeysWith: max)
    figures["chosen: \(members[chosen].label)"] = 1
    return figures
  }

  public func begin(prompt: [Int32]) throws {
    lookedAt = nil
    guesses = []
    choose(for: prompt)
    for drafter in following { try drafter.begin(prompt: prompt) }
  }

  public func observePrompt(_ states: TargetStates, from position: Int) throws {
    for drafter in following { try drafter.observePrompt(states, from: position) }
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    choose(for: context.tokens)
    let tree = try members[chosen].drafter.draft(after: context, budget: budget)
    guesses = tree.tokens.indices.filter { tree.parents[$0] == DraftTree.root }
      .map { tree.tokens[$0] }
    return tree
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    if let first = tokens.first, !guesses.isEmpty {
      records[chosen].add(guesses.contains(first))
      guesses = []
    }
    for drafter in following { try drafter.commit(tokens, states: states) }
  }

  /// Those that must be told all that happens.
  private var following: [any Drafter] {
    observing == .nothing ? [members[chosen].drafter] : members.map(\.drafter)
  }

  private func choose(for text: [Int32]) {
    if let lookedAt, abs(text.count - lookedAt) < Self.interval { return }
    lookedAt = text.count
    weights = shares.shares(of: text)
    let values = members.indices.map { max(weights[$0], Self.leastShare) * records[$0].rate }
    // A near tie changes nothing: who begins has the text to read.
    for index in values.indices where values[index] > values[chosen] * 1.1 { chosen = index }
    for index in members.indices {
      (members[index].drafter as? any WaitingDrafter)?.isWaiting = index != chosen
    }
  }
}
