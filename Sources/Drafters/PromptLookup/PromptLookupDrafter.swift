import LanguageModels
import Sampling
import Speculation

/// Prompt lookup decoding (Saxena, 2023): continues the last place in the context where the
/// current n-gram stood. Needs no model; pays where output repeats input, such as editing and
/// summarising.
public final class PromptLookupDrafter: Drafter {
  public struct Configuration: Sendable, Equatable {
    /// The longest n-gram to look for; shorter ones are tried after it, down to one token.
    public var maximumNGram: Int
    /// The most tokens of a draft.
    public var length: Int
    /// Among the places of the longest n-gram, take the one with the longest match before it
    /// instead of the last. Looks at 32 places at most.
    public var prefersLongestMatch: Bool

    public init(maximumNGram: Int = 3, length: Int = 10, prefersLongestMatch: Bool = false) {
      self.maximumNGram = maximumNGram
      self.length = length
      self.prefersLongestMatch = prefersLongestMatch
    }
  }

  public let name = "prompt-lookup"
  public let configuration: Configuration
  private var index: NGramIndex

  /// How often the target takes the next token of a place that matched so many tokens (from one),
  /// drafted ones included: measured on Spec-Bench with SmolLM2-135M and Qwen2.5-Coder-1.5B.
  private static let rates = [0.23, 0.48, 0.66, 0.68, 0.70, 0.75, 0.78, 0.93]

  /// - Throws: `SpeculationError.invalidSetting` for lengths below one.
  public init(_ configuration: Configuration = Configuration()) throws {
    for (name, value) in [
      ("prompt lookup n-gram", configuration.maximumNGram),
      ("prompt lookup length", configuration.length),
    ] where value < 1 {
      throw SpeculationError.invalidSetting(name: name, expected: "1 or more", found: "\(value)")
    }
    self.configuration = configuration
    index = NGramIndex(maximum: configuration.maximumNGram)
  }

  public func begin(prompt: [Int32]) throws {
    if !prompt.starts(with: index.tokens) {
      index = NGramIndex(maximum: configuration.maximumNGram)
    }
    for token in prompt[index.tokens.count...] { index.append(token) }
  }

  public func commit(_ tokens: [Int32], states: TargetStates) throws {
    for token in tokens { index.append(token) }
  }

  public func draft(after context: DraftContext, budget: DraftBudget) throws -> DraftTree {
    guard let place = place() else { return DraftTree() }
    let known = index.tokens
    let matched = index.matchLength(at: place, limit: Self.rates.count)
    var tree = DraftTree()
    var parent = DraftTree.root
    for step in 0..<min(configuration.length, budget.depth, budget.nodes) {
      // A place near the end goes on into the draft itself: a loop is continued as a loop.
      let next = place + step
      let token = next < known.count ? known[next] : tree.tokens[next - known.count]
      let rate = Self.rates[min(matched + step, Self.rates.count) - 1]
      parent = tree.add(token, under: parent, score: rate, source: name)
    }
    return tree
  }

  /// The index of the token with which to begin the draft.
  private func place() -> Int? {
    for n in (1...configuration.maximumNGram).reversed() {
      guard let last = index.continuation(n: n) else { continue }
      guard configuration.prefersLongestMatch && n == configuration.maximumNGram else {
        return last
      }
      var best = (place: last, length: index.matchLength(at: last, limit: .max))
      var place = last
      for _ in 1..<32 {
        guard let earlier = index.earlier(than: place) else { break }
        place = earlier
        let length = index.matchLength(at: place, limit: .max)
        if length > best.length { best = (place, length) }
      }
      return best.place
    }
    return nil
  }
}
