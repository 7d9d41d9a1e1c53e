import LanguageModels
import Sampling
import Speculation

/// Generates to the end, and checks after each step that the cache holds what was emitted and that
/// the traces tell it. A `TableModel`'s cache is compared token by token, any other by its count.
/// - Returns: the output, and what was found wrong on the way.
public func generate<Target: LanguageModel>(
  _ generator: SpeculativeGenerator<Target>, prompt: [Int32], setup: GenerationSetup,
  chance: (any Chance)? = nil
) throws -> (output: [Int32], faults: [String]) {
  var output: [Int32] = []
  var faults: [String] = []
  let table = generator.cache as? TableCache
  try generator.begin(prompt: prompt, setup: setup, chance: chance)
  while let new = try generator.next() {
    output += new
    if new.isEmpty { faults.append("an empty step") }
    let sequence = prompt + output
    if generator.tokens != sequence { faults.append("the sequence is not what was emitted") }
    if generator.cache.count != sequence.count - 1 {
      faults.append("the cache holds \(generator.cache.count) of \(sequence.count) tokens")
    }
    if let table, table.tokens != sequence.dropLast() {
      faults.append("the cache holds \(table.tokens) of \(sequence)")
    }
  }
  faults += table?.misuses ?? []
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
public func difference<Target: LanguageModel>(
  target: Target, prompt: [Int32], setup: GenerationSetup, capacity: Int = 512
) throws -> String? {
  var plain = setup
  plain.drafters = []
  plain.rule = SampleAndMatch()
  let expected = try generate(
    SpeculativeGenerator(target: target, capacity: capacity), prompt: prompt, setup: plain)
  let found = try generate(
    SpeculativeGenerator(target: target, capacity: capacity), prompt: prompt, setup: setup)
  return (expected.faults + found.faults).first
    ?? OutputComparison(expected: expected.output, found: found.output).fault
}

extension OutputComparison {
  /// The difference in words; nil when there is none.
  public var fault: String? {
    switch self {
    case .identical: return nil
    case .differs(let place, let expected, let found):
      func name(_ token: Int32?) -> String { token.map { "\($0)" } ?? "the end" }
      return "token \(place): expected \(name(expected)), found \(name(found))"
    }
  }
}
