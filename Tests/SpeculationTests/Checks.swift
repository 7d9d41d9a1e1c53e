import LanguageModels
import Sampling
import Speculation
import Testing

/// Generates to the end, and checks after each step that the cache holds what was emitted.
/// - Returns: the output, and what was found wrong on the way.
func generate(
  _ generator: SpeculativeGenerator<TableModel>, prompt: [Int32], setup: GenerationSetup,
  chance: (any Chance)? = nil
) throws -> (output: [Int32], faults: [String]) {
  var output: [Int32] = []
  var faults: [String] = []
  try generator.begin(prompt: prompt, setup: setup, chance: chance)
  while let new = try generator.next() {
    output += new
    if new.isEmpty { faults.append("an empty step") }
    let sequence = prompt + output
    if generator.tokens != sequence { faults.append("the sequence is not what was emitted") }
    if generator.cache.tokens != sequence.dropLast() {
      faults.append("the cache holds \(generator.cache.tokens) of \(sequence)")
    }
  }
  faults += generator.cache.misuses
  if Array(generator.output) != output { faults.append("output differs from what was emitted") }
  if generator.traces.flatMap(\.tokens) != output { faults.append("the traces lack tokens") }
  for trace in generator.traces where trace.phase == .round {
    if trace.tokens.count != trace.accepted.count + 1 { faults.append("\(trace)") }
    if trace.accepted.map({ trace.drafted[$0] }) != trace.tokens.dropLast() {
      faults.append("accepted tokens are not those drafted: \(trace)")
    }
    if trace.drafted.count > trace.budget.nodes { faults.append("over budget: \(trace)") }
  }
  return (output, faults)
}

/// What is wrong with a speculative generation beside the plain one; nil when they are the same.
func difference(
  target: TableModel, prompt: [Int32], setup: GenerationSetup, capacity: Int = 512
) throws -> String? {
  var plain = setup
  plain.drafter = nil
  plain.rule = SampleAndMatch()
  let expected = try generate(
    SpeculativeGenerator(target: target, capacity: capacity), prompt: prompt, setup: plain)
  let found = try generate(
    SpeculativeGenerator(target: target, capacity: capacity), prompt: prompt, setup: setup)
  if let fault = (expected.faults + found.faults).first { return fault }
  switch OutputComparison(expected: expected.output, found: found.output) {
  case .identical: return nil
  case .differs(let place, let a, let b):
    return "token \(place): expected \(String(describing: a)), found \(String(describing: b))"
  }
}

/// Explores every outcome of every random choice, with its probability.
final class Enumerator: Chance {
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
  private(set) var probability = 1.0
  /// A number was used for two choices, which are then not independent.
  private(set) var reused = false

  /// The law of what `run` returns.
  static func law<Outcome: Hashable>(
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

  func token(
    from distribution: Distribution, position: Int, stream: RandomStream, draw: Int
  ) -> Int32 {
    let options = distribution.probabilities.indices.map {
      (distribution.tokens?[$0] ?? Int32($0), distribution.probabilities[$0])
    }
    return choose(options, Key(position: position, stream: stream, draw: draw))
  }

  func accepts(_ probability: Double, position: Int, draw: Int) -> Bool {
    let yes = min(1, max(0, probability))
    return choose(
      [(1, yes), (0, 1 - yes)], Key(position: position, stream: .acceptance, draw: draw))
      == 1
  }
}

/// Half the sum of absolute differences of two laws.
func totalVariation<Outcome: Hashable>(
  _ a: [Outcome: Double], _ b: [Outcome: Double]
) -> Double {
  Set(a.keys).union(b.keys).reduce(0) { $0 + abs(a[$1, default: 0] - b[$1, default: 0]) } / 2
}

/// The law of plain decoding, multiplied out from the model itself.
func plainLaw(_ model: TableModel, prompt: [Int32], length: Int, sampler: Sampler) throws
  -> [[Int32]: Double]
{
  var law: [[Int32]: Double] = [[]: 1]
  for _ in 0..<length {
    var longer: [[Int32]: Double] = [:]
    for (text, probability) in law {
      var logits = model.logits(after: prompt + text)
      let p = try logits.withUnsafeMutableBufferPointer {
        try sampler.distribution(logits: $0, context: prompt + text)
      }
      for token in 0..<Int32(model.vocabularySize) where p[token] > 0 {
        longer[text + [token]] = probability * p[token]
      }
    }
    law = longer
  }
  return law
}
