import Sampling

/// Explores every outcome of every random choice, with its probability.
public final class Enumerator: Chance {
  private struct Choice {
    var options: [(value: Int32, probability: Double)]
    var taken = 0
  }
  private struct Key: Hashable {
    var position: Int
    var stream: RandomStream
    var draw: Int
  }

  private var choices: [Choice] = []
  private var place = 0
  private var used: Set<Key> = []
  /// The probability of this run's choices.
  public private(set) var probability = 1.0
  /// A number was used for two choices, which are then not independent.
  public private(set) var reused = false

  /// The law of what `run` returns.
  public static func law<Outcome: Hashable>(
    _ run: (Enumerator) throws -> Outcome
  ) throws -> (law: [Outcome: Double], reused: Bool) {
    let enumerator = Enumerator()
    var law: [Outcome: Double] = [:]
    repeat {
      enumerator.place = 0
      enumerator.probability = 1
      enumerator.used = []
      let outcome = try run(enumerator)
      law[outcome, default: 0] += enumerator.probability
    } while enumerator.advance()
    return (law, enumerator.reused)
  }

  private func advance() -> Bool {
    while var last = choices.popLast() {
      last.taken += 1
      if last.taken < last.options.count {
        choices.append(last)
        return true
      }
    }
    return false
  }

  private func choose(_ options: [(value: Int32, probability: Double)], _ key: Key) -> Int32 {
    if !used.insert(key).inserted { reused = true }
    if place == choices.count {
      choices.append(Choice(options: options.filter { $0.probability > 0 }))
    }
    let option = choices[place].options[choices[place].taken]
    place += 1
    probability *= option.probability
    return option.value
  }

  public func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32 {
    let options = distribution.probabilities.indices.map {
      (distribution.tokens?[$0] ?? Int32($0), distribution.probabilities[$0])
    }
    return choose(options, Key(position: position, stream: stream, draw: draw))
  }

  public func accepts(_ probability: Double, position: Int, draw: Int) -> Bool {
    let yes = min(1, max(0, probability))
    return choose(
      [(1, yes), (0, 1 - yes)], Key(position: position, stream: .acceptance, draw: draw))
      == 1
  }
}
