import Drafters
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

private let prompt: [Int32] = [3, 1, 4]
private let target = TableModel(vocabularySize: 12)

private func plain(_ count: Int, after prompt: [Int32] = prompt) throws -> [Int32] {
  let generator = try SpeculativeGenerator(target: target, capacity: 512)
  let setup = GenerationSetup(limits: GenerationLimits(maxTokens: count))
  return try generate(generator, prompt: prompt, setup: setup).output
}

private func oracle(_ count: Int, draftLength: Int = 5, _ limits: GenerationLimits) throws
  -> GenerationSetup
{
  GenerationSetup(
    drafter: OracleDrafter(sequence: prompt + (try plain(count))),
    draftLength: .fixed(draftLength), limits: limits)
}

@Suite struct GeneratorTests {
  @Test("nothing after a stop token counts, wherever in an accepted path it stands")
  func stopTokens() throws {
    let text = try plain(40)
    for stop in Set(text) {
      let end = try #require(text.firstIndex(of: stop))
      for length in 0...9 {
        let generator = try SpeculativeGenerator(target: target, capacity: 512)
        let setup = try oracle(
          40, draftLength: length, GenerationLimits(maxTokens: 40, stopTokens: [stop]))
        let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
        #expect(output == Array(text[...end]))
        #expect(faults == [])
        #expect(generator.finishReason == .stop)
        #expect(try generator.next() == nil)
        #expect(SpeculationStatistics(generator.traces).tokens == end + 1)
      }
    }
  }

  @Test("a caller can end the output within a step, and the rest never counted")
  func stopWithinStep() throws {
    let text = try plain(40)
    for dropped in 0...5 {
      let generator = try SpeculativeGenerator(target: target, capacity: 512)
      try generator.begin(
        prompt: prompt, setup: try oracle(40, GenerationLimits(maxTokens: 40)))
      #expect(try generator.next() == [text[0]])
      #expect(try generator.next() == Array(text[1...6]))
      generator.stop(dropping: dropped)
      #expect(try generator.next() == nil && generator.finishReason == .stop)
      #expect(Array(generator.output) == Array(text.prefix(7 - dropped)))
      #expect(generator.cache.tokens == Array(generator.tokens.dropLast()))
      let statistics = SpeculationStatistics(generator.traces)
      #expect(statistics.tokens == 7 - dropped && statistics.accepted == 5 - dropped)
    }
  }

  @Test("exactly the tokens asked for are generated, and none is drafted beyond them")
  func maxTokens() throws {
    let text = try plain(40)
    for count in 0...20 {
      for length in [0, 1, 4, 30] {
        let generator = try SpeculativeGenerator(target: target, capacity: 512)
        let setup = try oracle(
          40, draftLength: length, GenerationLimits(maxTokens: count))
        let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
        #expect(output == Array(text.prefix(count)))
        #expect(faults == [])
        #expect(generator.finishReason == .maxTokens)
        let statistics = SpeculationStatistics(generator.traces)
        #expect(statistics.drafted == statistics.accepted)
      }
    }
  }

  @Test("a full context ends the output where plain decoding ends")
  func contextFull() throws {
    for capacity in [3, 4, 9, 16] {
      let text = try plain(capacity - prompt.count + 1)
      for length in [0, 3, 30] {
        let generator = try SpeculativeGenerator(target: target, capacity: capacity)
        let setup = try oracle(40, draftLength: length, GenerationLimits())
        let (output, faults) = try generate(generator, prompt: prompt, setup: setup)
        #expect(output == text)
        #expect(faults == [])
        #expect(generator.finishReason == .contextFull)
      }
    }
  }

  @Test("a draft model with a shorter context stops drafting, not the output")
  func shortDraftContext() throws {
    let setup = GenerationSetup(
      drafter: try DraftModelDrafter(
        model: target.noisy(0.1, contextLength: 10), capacity: 512),
      limits: GenerationLimits(maxTokens: 30))
    #expect(try difference(target: target, prompt: prompt, setup: setup) == nil)
    let late = GenerationSetup(
      drafter: try DraftModelDrafter(model: target.noisy(0.1, contextLength: 2), capacity: 512),
      limits: GenerationLimits(maxTokens: 5))
    #expect(try difference(target: target, prompt: prompt, setup: late) == nil)
  }

  @Test("a prompt is computed only from where it differs from the cached sequence")
  func prefixReuse() throws {
    let generator = try SpeculativeGenerator(target: target, capacity: 512)
    let drafter = try DraftModelDrafter(model: target.noisy(0.5), capacity: 512)
    let setup = GenerationSetup(drafter: drafter, limits: GenerationLimits(maxTokens: 10))
    let first = try generate(generator, prompt: prompt, setup: setup)
    let longer = prompt + first.output + [7, 8]
    for (next, cached) in [
      (longer, longer.count - 3), (longer, longer.count - 1), (Array(longer.prefix(5)), 4),
      (Array(longer.prefix(4)) + [11, 11, 11], 4), ([9], 0), (prompt, 0),
    ] {
      let (output, faults) = try generate(generator, prompt: next, setup: setup)
      #expect(output == (try plain(10, after: next)))
      #expect(faults == [])
      let statistics = SpeculationStatistics(generator.traces)
      #expect(statistics.cachedPromptTokens == cached)
      #expect(statistics.promptTokens == next.count)
    }
  }

  @Test("long prompts are computed in parts, with the same result")
  func longPrompt() throws {
    let long = (0..<1300).map { Int32($0 * 7 % 12) }
    let generator = try SpeculativeGenerator(target: target, capacity: 2000)
    var told: [(Int, Int)] = []
    generator.promptProgress = { told.append(($0, $1)) }
    let setup = GenerationSetup(limits: GenerationLimits(maxTokens: 1))
    #expect(try generate(generator, prompt: long, setup: setup).faults == [])
    #expect(told.count > 1 && generator.cache.passes == told.count)
    #expect(told.first?.0 == 0 && zip(told, told.dropFirst()).allSatisfy { $0.0 < $1.0 })
    #expect(told.allSatisfy { $0.0 < long.count && $0.1 == long.count })
    let logits = target.logits(after: long)
    #expect(generator.tokens.last == Int32(try #require(logits.firstIndex(of: logits.max()!))))
    // What is in the cache is not computed again; a short prompt tells nothing.
    told = []
    _ = try generate(generator, prompt: long + [1, 2], setup: setup)
    #expect(told.isEmpty)
  }

  @Test("a cancelled generation throws, and the generator can begin again")
  func cancellation() throws {
    let generator = try SpeculativeGenerator(target: target, capacity: 512)
    let setup = GenerationSetup(limits: GenerationLimits(maxTokens: 10))
    generator.isCancelled = { true }
    #expect(throws: CancellationError.self) { try generator.begin(prompt: prompt, setup: setup) }
    #expect(throws: SpeculationError.notBegun) { try generator.next() }
    generator.isCancelled = { false }
    try generator.begin(prompt: prompt, setup: setup)
    _ = try generator.next()
    generator.isCancelled = { true }
    #expect(throws: CancellationError.self) { try generator.next() }
    generator.isCancelled = { false }
    // A long prompt that is cancelled halfway tells what was computed of it.
    var asked = 0
    generator.isCancelled = {
      asked += 1
      return asked > 1
    }
    let long = (0..<400).map { Int32($0 * 7 % 12) }
    #expect(throws: CancellationError.self) { try generator.begin(prompt: long, setup: setup) }
    let statistics = SpeculationStatistics(generator.traces)
    #expect((1..<long.count).contains(statistics.promptTokens))
    #expect(statistics.tokens == 0 && statistics.promptSeconds > 0)
    generator.isCancelled = { false }
    let again = try generate(generator, prompt: prompt, setup: setup)
    #expect(again.output == (try plain(10)))
    #expect(again.faults == [])
  }

  @Test("bad input is refused with what was expected and found")
  func badInput() throws {
    let generator = try SpeculativeGenerator(target: target, capacity: 8)
    let setup = GenerationSetup()
    func refuse(_ error: SpeculationError, _ prompt: [Int32], _ setup: GenerationSetup) {
      #expect(throws: error) { try generator.begin(prompt: prompt, setup: setup) }
      #expect(!"\(error)".isEmpty)
    }
    refuse(.emptyPrompt, [], setup)
    refuse(.promptTooLong(tokens: 9, capacity: 8), [Int32](repeating: 1, count: 9), setup)
    for token: Int32 in [-1, 12] {
      refuse(
        .tokenOutsideVocabulary(token: token, source: "prompt", vocabularySize: 12),
        [1, token], setup)
    }
    refuse(
      .ruleNeedsGreedy(rule: "greedy", temperature: 1), [1],
      GenerationSetup(rule: GreedyRule(), sampling: try SamplingParameters(temperature: 1)))
    refuse(
      .invalidSetting(name: "max tokens", expected: "0 or more", found: "-1"), [1],
      GenerationSetup(limits: GenerationLimits(maxTokens: -1)))
    #expect(throws: SpeculationError.notBegun) { try generator.next() }
  }

  @Test("a draft outside the vocabulary is an error that names the drafter")
  func badDraft() throws {
    let generator = try SpeculativeGenerator(target: target, capacity: 64)
    let drafter = OracleDrafter(sequence: prompt + [0, 1, 99])
    try generator.begin(prompt: prompt, setup: GenerationSetup(drafter: drafter))
    _ = try generator.next()
    #expect(
      throws: SpeculationError.tokenOutsideVocabulary(
        token: 99, source: "drafter oracle", vocabularySize: 12)
    ) { try generator.next() }
  }

  @Test("figures follow from the traces")
  func statistics() throws {
    let generator = try SpeculativeGenerator(target: target, capacity: 512)
    let limits = GenerationLimits(maxTokens: 31)
    _ = try generate(generator, prompt: prompt, setup: try oracle(31, draftLength: 4, limits))
    let all = SpeculationStatistics(generator.traces)
    // One token with the prompt, then six rounds of 4 accepted and a bonus token.
    #expect(all.tokens == 31 && all.rounds == 6 && all.drafted == 24 && all.accepted == 24)
    #expect(all.acceptanceLength == 5 && all.draftAcceptanceRate == 1 && all.wastedRows == 0)
    #expect(all.perPositionRates == [1, 1, 1, 1])

    let wrong = AlwaysWrongDrafter(sequence: prompt + (try plain(31)))
    let setup = GenerationSetup(drafter: wrong, draftLength: .fixed(3), limits: limits)
    _ = try generate(generator, prompt: prompt, setup: setup)
    let none = SpeculationStatistics(generator.traces)
    #expect(none.tokens == 31 && none.rounds == 30 && none.accepted == 0)
    #expect(none.acceptanceLength == 1 && none.draftAcceptanceRate == 0)
    #expect(none.drafted == 27 * 3 + 2 + 1)
    #expect(none.wastedRows == 1 - 30.0 / Double(none.drafted + 30))

    _ = try generate(generator, prompt: prompt, setup: GenerationSetup(limits: limits))
    let plain = SpeculationStatistics(generator.traces)
    #expect(plain.acceptanceLength == 1 && plain.drafted == 0 && plain.rounds == 30)
  }
}
