import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let target = TableModel(vocabularySize: 16, seed: 5, order: 3)
private typealias Generator = SpeculativeGenerator<TableModel>

/// A sequence of a batch: each differs from the others in all that it can.
private struct Member {
  let prompt: [Int32]
  let drafter: String
  let sampling: SamplingParameters
  let limits: GenerationLimits
  let capacity: Int
  let plain: [Int32]

  init(_ number: Int) throws {
    let drafters = ["oracle", "none", "random-tree", "suffix", "draft-model", "recycling"]
    prompt = (0...number + 2).map { Int32(($0 * 5 + number * 3) % 16) }
    drafter = drafters[number % drafters.count]
    sampling =
      number % 2 == 0
      ? .greedy : try SamplingParameters(temperature: 0.8, topK: 6, seed: UInt64(number))
    limits = GenerationLimits(
      maxTokens: [30, 1, 12, 50, 7][number % 5], stopTokens: number % 3 == 2 ? [7, 11] : [])
    // One of them ends with its context.
    capacity = number == 3 ? 24 : 128
    let alone = try generate(
      Generator(target: target, capacity: capacity), prompt: prompt,
      setup: GenerationSetup(sampling: sampling, limits: limits))
    #expect(alone.faults == [])
    plain = alone.output
  }

  func begin(_ policy: DraftLengthPolicy) throws -> Generator {
    var settings = DrafterSettings(length: 8, capacity: 128, draftModel: target.noisy(0.8))
    settings.sequence = prompt + plain
    let generator = try Generator(target: target, capacity: capacity)
    try generator.begin(
      prompt: prompt,
      setup: GenerationSetup(
        drafters: try DrafterRegistry.make(names: [drafter], settings), draftLength: policy,
        draftNodes: 12, sampling: sampling, limits: limits))
    return generator
  }
}

private func controller() throws -> SpeedController {
  SpeedController(
    costs: try VerificationCosts(points: [
      .init(rows: 1, seconds: 1e6), .init(rows: 16, seconds: 2e6),
    ]))
}

/// Decodes all to the end. Returns the number of steps and, for each, its outputs.
private func decode(_ generators: [Generator]) throws -> [[[Int32]]] {
  var outputs = generators.map { _ in [[Int32]]() }
  while true {
    let new = try Generator.next(generators)
    #expect(new.count == generators.count)
    guard new.contains(where: { $0 != nil }) else { return outputs }
    for (index, tokens) in new.enumerated() {
      if let tokens { outputs[index].append(tokens) }
    }
  }
}

@Suite struct BatchTests {
  @Test(
    "sequences decoded together give what each gives alone", arguments: [1, 2, 3, 8],
    [false, true])
  func identity(count: Int, isControlled: Bool) throws {
    let members = try (0..<count).map(Member.init)
    let policy: DraftLengthPolicy = isControlled ? .controlled(try controller()) : .fixed(4)
    let generators = try members.map { try $0.begin(policy) }
    let outputs = try decode(generators)
    for (index, member) in members.enumerated() {
      let generator = generators[index]
      #expect(outputs[index].flatMap { $0 } == member.plain, "\(member.drafter)")
      #expect(Array(generator.output) == member.plain)
      #expect(generator.cache.tokens == Array(generator.tokens.dropLast()))
      #expect(generator.cache.misuses == [])
      #expect(generator.finishReason != nil)
      #expect(generator.traces.flatMap(\.tokens) == member.plain)
    }
    #expect(generators[0].traces.contains { !$0.accepted.isEmpty }, "nothing was accepted")
  }

  @Test("a sequence that ends leaves the pass, and what a pass took is shared out by rows")
  func shares() throws {
    let members = try (0..<8).map(Member.init)
    let generators = try members.map { try $0.begin(.fixed(3)) }
    _ = try decode(generators)
    // Round n of each sequence was in pass n, since all began together.
    let rounds = generators.map { $0.traces.filter { $0.phase == .round } }
    let passes = rounds.map(\.count).max() ?? 0
    #expect(passes > 5)
    var sizes: [Int] = []
    for pass in 0..<passes {
      let traces = rounds.compactMap { pass < $0.count ? $0[pass] : nil }
      let rows = traces.reduce(0) { $0 + $1.drafted.count + 1 }
      let seconds = traces.reduce(0) { $0 + $1.verifySeconds }
      sizes.append(traces.count)
      #expect(traces.allSatisfy { $0.sequences == traces.count && $0.rows == rows })
      for trace in traces {
        let share = seconds * Double(trace.drafted.count + 1) / Double(rows)
        #expect(abs(trace.verifySeconds - share) <= 1e-9)
      }
    }
    #expect(sizes == sizes.sorted(by: >))
    #expect(sizes[0] > 1 && sizes[passes - 1] < sizes[0])
    for (index, generator) in generators.enumerated() {
      // The prompt's pass, and those of its rounds.
      #expect(generator.cache.passes == 1 + rounds[index].count)
    }
  }

  @Test("a sequence may join others that are under way")
  func joining() throws {
    let members = try [0, 3].map(Member.init)
    let first = try members[0].begin(.fixed(2))
    for _ in 0..<4 { _ = try first.next() }
    let second = try members[1].begin(.fixed(2))
    _ = try decode([first, second])
    #expect(Array(first.output) == members[0].plain)
    #expect(Array(second.output) == members[1].plain)
  }

  @Test("one that has not begun is an error, and none at all are none")
  func notBegun() throws {
    #expect(try Generator.next([]).isEmpty)
    let generator = try Generator(target: target, capacity: 8)
    #expect(throws: SpeculationError.notBegun) { try Generator.next([generator]) }
  }
}
