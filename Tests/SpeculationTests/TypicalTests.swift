import Drafters
import Foundation
import LanguageModels
import Losslessness
import Sampling
import Speculation
import Testing

@Suite struct TypicalTests {
  @Test("tokens above min(ε, δ·exp(−H)) are accepted, along the longest path that has them all")
  func threshold() throws {
    let target = TableModel(vocabularySize: 12, seed: 2, sharpness: 2)
    let sampler = Sampler(try SamplingParameters(temperature: 1))
    let rule = TypicalAcceptance()
    #expect(rule.threshold == 0.09 && rule.entropyFactor == 0.3)
    let law = RuleLaw(target: target, rule: rule, sampling: sampler.parameters, drafters: { [] })
    func isTypical(_ token: Int32, after path: [Int32]) throws -> Bool {
      var logits = target.logits(after: RuleLaw.prompt + path)
      let p = try logits.withUnsafeMutableBufferPointer {
        try sampler.distribution(logits: $0, context: [])
      }
      let entropy = p.probabilities.reduce(0) { $0 - $1 * log($1) }
      return p[token] > min(0.09, 0.3 * exp(-entropy))
    }
    var lengths: Set<Int> = []
    for seed in 0..<60 as Range<UInt64> {
      let tree = try RandomDrafter(seed: seed, width: 3).draft(
        after: DraftContext(
          tokens: RuleLaw.prompt, vocabularySize: 12, sampler: sampler,
          chance: KeyedRandom(seed: seed), style: .matching),
        budget: DraftBudget(nodes: 30, depth: 4))
      var accepted: [Int: [Int]] = [DraftTree.root: []]
      for node in 0..<tree.count {
        guard let path = accepted[tree.parents[node]] else { continue }
        if try isTypical(tree.tokens[node], after: path.map { tree.tokens[$0] }) {
          accepted[node] = path + [node]
        }
      }
      let longest = accepted.values.map(\.count).max() ?? 0
      let chance = KeyedRandom(seed: seed)
      let verdict = try law.verdict(on: tree, sampler: sampler, chance: chance)
      #expect(verdict.path.count == longest)
      #expect(verdict.path == (verdict.path.last.map { accepted[$0] } ?? []))
      // The token after the path is the target's own.
      let text = RuleLaw.prompt + verdict.path.map { tree.tokens[$0] }
      var logits = target.logits(after: text)
      let expected = try logits.withUnsafeMutableBufferPointer {
        try sampler.token(logits: $0, context: text, chance: chance)
      }
      #expect(verdict.next == expected)
      lengths.insert(longest)
    }
    #expect(lengths.count >= 3)
  }

  @Test("typical acceptance changes the law, and says so")
  func lossy() throws {
    #expect(TypicalAcceptance().guarantee == .lossy && !TypicalAcceptance().isLossless)
    let law = RuleLaw(
      rule: TypicalAcceptance(), sampling: try SamplingParameters(temperature: 1)
    ) { [OracleDrafter(sequence: RuleLaw.prompt + [1, 1, 1, 1])] }
    #expect(try law.distance() > 0.1)
  }

  @Test("typical acceptance with temperature 0 is greedy")
  func cold() throws {
    let target = TableModel(vocabularySize: 8, order: 3)
    for seed in 0..<10 as Range<UInt64> {
      let setup = GenerationSetup(
        drafter: RandomDrafter(seed: seed), rule: TypicalAcceptance(),
        limits: GenerationLimits(maxTokens: 40))
      #expect(try difference(target: target, prompt: RuleLaw.prompt, setup: setup) == nil)
    }
  }

  @Test("settings out of range are refused")
  func settings() throws {
    for (threshold, factor) in [(0, 0.3), (1.5, 0.3), (0.1, -1), (.nan, 0.3)] {
      #expect(throws: SpeculationError.self) {
        try TypicalAcceptance(threshold: threshold, entropyFactor: factor)
      }
    }
    #expect(try TypicalAcceptance(threshold: 1, entropyFactor: 1).threshold == 1)
  }

  @Test("rules are found by name; the default comes first, and what is lossy says so")
  func registry() throws {
    let entries = AcceptanceRules.entries
    #expect(entries.first?.name == SampleAndMatch().name)
    #expect(Set(entries.map(\.name)).count == entries.count)
    for entry in entries {
      #expect(try AcceptanceRules.named(entry.name).name == entry.name)
      #expect(entry.rule.isLossless || entry.summary.contains("LOSSY"))
      #expect(entry.rule.isLossless || entry.name.contains("lossy"))
    }
    #expect(
      throws: SpeculationError.unknownRule(name: "hope", known: entries.map(\.name))
    ) { try AcceptanceRules.named("hope") }
  }
}
