import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import DrafterTraining
@testable import Drafters

/// A drafter of tiny texts, written and read again.
private struct TinyNGrams {
  let folder: TemporaryFolder
  let vocabularySize = 32

  init() throws { folder = try TemporaryFolder() }

  func models(
    _ texts: [String: [[Int32]]], _ configuration: NGramConfiguration = NGramConfiguration()
  ) throws -> NGramModels {
    var export = DrafterExport(
      method: "ngram-lm", configuration: [:], weights: [],
      cut: VocabularyCut(vocabularySize: vocabularySize))
    for (language, documents) in texts {
      export.tables += NGramTrainer.tables(
        NGramCounts(documents, vocabularySize: vocabularySize, configuration),
        language: language)
    }
    try export.writeModel(to: folder.path)
    return try NGramModels(tensors: SafetensorsFile(path: folder.path))
  }
}

private func context(_ tokens: [Int32]) -> DraftContext {
  DraftContext(
    tokens: tokens, vocabularySize: 32, sampler: Sampler(.greedy),
    chance: KeyedRandom(seed: 0), style: .matching)
}

@Suite struct NGramTests {
  /// 1 2 3, 1 2 4, 1 2 3: bigram 1→2 thrice, trigrams 12→3 twice, 12→4 once.
  private let texts: [[Int32]] = [[1, 2, 3], [1, 2, 4], [1, 2, 3]]

  @Test("probabilities are those of interpolated Kneser-Ney, reckoned by hand")
  func byHand() throws {
    var configuration = NGramConfiguration()
    configuration.context = 2
    configuration.minimumCount = 1
    configuration.minimumProbability = 0
    let counts = NGramCounts(texts, vocabularySize: 32, configuration)
    // Too few n-grams for estimates: the discounts are 0.6, 0.9 and 1.2.
    // Words, by how many different tokens stand before them: 1 begins thrice, 2 stands after 1, 3 and
    // 4 after 2; 6 in all. 1.2 and 3·0.6 are spared of them, for 32 tokens alike.
    let word: Float = 0.4 / 6 + 3.0 / 6 / 32
    // Two words, by what stands before them: 1 2 begins thrice; 2 3 after 1; 2 4 after 1.
    let twoAfterOne: Float = 1.8 / 3 + 1.2 / 3 * word
    let threeAfterTwo: Float = 0.4 / 2 + 1.2 / 2 * word
    // The longest, by how often they stand there: 1 2 3 twice, 1 2 4 once.
    let three: Float = (2 - 0.9) / 3 + 1.5 / 3 * threeAfterTwo
    let four: Float = (1 - 0.6) / 3 + 1.5 / 3 * threeAfterTwo
    func successors(_ context: [Int32]) throws -> [Int32: Float] {
      let level = counts.levels[context.count - 1]
      let place = try #require(level.keys.firstIndex(of: NGramLayout.key(of: context)))
      let range = Int(level.starts[place])..<Int(level.starts[place + 1])
      return Dictionary(
        uniqueKeysWithValues: zip(level.tokens[range], level.probabilities[range]))
    }
    for (context, token, expected) in [
      ([1], 2, twoAfterOne), ([2], 3, threeAfterTwo), ([2], 4, threeAfterTwo),
      ([1, 2], 3, three), ([1, 2], 4, four),
    ] as [([Int32], Int32, Float)] {
      let found = try #require(try successors(context)[token])
      #expect(abs(found - expected) < 1e-6, "\(context) \(token)")
    }
  }

  @Test("what a rare context has not seen comes from the shorter one, with what was spared")
  func backingOff() throws {
    var configuration = NGramConfiguration()
    configuration.context = 2
    configuration.minimumCount = 1
    // After 2 comes 3, but after 5 2 only 4 was seen.
    let documents: [[Int32]] = [[1, 2, 3], [6, 2, 3], [7, 2, 3], [5, 2, 4]]
    let models = try TinyNGrams().models(["en": documents], configuration)
    let table = models.tables[0]
    let seen = try #require(table.probability(of: 4, after: TokenContext([5, 2])))
    let other = try #require(table.probability(of: 3, after: TokenContext([5, 2])))
    let shorter = try #require(table.probability(of: 3, after: TokenContext([9, 2])))
    #expect(seen > 0.4)
    #expect(other > 0.1)
    #expect(other < shorter)
  }

  @Test("nothing is counted across the ends of documents")
  func documentEnds() throws {
    let documents: [[Int32]] = [[1, 2], [3, 4], [1, 2], [3, 4]]
    let table = try TinyNGrams().models(["en": documents]).tables[0]
    #expect(table.probability(of: 3, after: TokenContext([2])) == nil)
    #expect(table.probability(of: 4, after: TokenContext([3])) != nil)
  }

  @Test("all keys of a large table are found, and none that is not there")
  func lookUp() throws {
    var random = SeededRandom(seed: 1)
    let document = (0..<20_000).map { _ in Int32.random(in: 0..<32, using: &random) }
    var configuration = NGramConfiguration()
    configuration.minimumCount = 1
    configuration.minimumProbability = 0
    configuration.context = 3
    let counts = NGramCounts([document], vocabularySize: 32, configuration)
    let table = try TinyNGrams().models(["en": [document]], configuration).tables[0]
    #expect(counts.levels[2].keys.count > 10_000)
    for start in stride(from: 0, to: document.count - 4, by: 7) {
      let length = table.forEachSuccessor(
        of: TokenContext(document[start..<start + 3])
      ) { _, _ in }
      #expect(length == 3)
    }
    // Beside the last level's, the vocabulary has no other tokens.
    #expect(table.forEachSuccessor(of: TokenContext([40, 41, 42])) { _, _ in } == 0)
  }

  @Test("drafts the likeliest continuation, with what it is thought of as scores")
  func drafting() throws {
    let documents: [[Int32]] = Array(repeating: [1, 2, 3, 4, 5, 6], count: 20) + [[1, 2, 9, 9]]
    let drafter = try NGramDrafter(try TinyNGrams().models(["en": documents]))
    try drafter.begin(prompt: [1, 2])
    let tree = try drafter.draft(
      after: context([1, 2]), budget: DraftBudget(nodes: 4, depth: 4))
    #expect(tree.tokens == [3, 4, 5, 6])
    #expect(tree.parents == [-1, 0, 1, 2])
    #expect(tree.scores.allSatisfy { $0 > 0.8 && $0 <= 1 })
    #expect(
      try drafter.draft(after: context([1, 2]), budget: DraftBudget(nodes: 1, depth: 4)).count
        == 1)
    #expect(
      try drafter.draft(after: context([30]), budget: DraftBudget(nodes: 4, depth: 4)).isEmpty)
  }

  @Test("the text tells the language, and again where it changes")
  func languages() throws {
    // The same tokens, in other orders.
    let one: [Int32] = [1, 2, 3, 4, 5, 6, 7, 8]
    let other: [Int32] = [1, 3, 5, 7, 2, 4, 6, 8]
    let models = try TinyNGrams().models([
      "ko": Array(repeating: one, count: 8), "en": Array(repeating: other, count: 8),
    ])
    let drafter = try NGramDrafter(models)
    func next(_ tokens: [Int32]) throws -> Int32? {
      try drafter.begin(prompt: tokens)
      return try drafter.draft(
        after: context(tokens), budget: DraftBudget(nodes: 1, depth: 1)
      ).tokens.first
    }
    #expect(try next(one + [1]) == 2)
    let weight = try #require(drafter.figures["ko"])
    #expect(weight > 0.9)
    #expect(try next(other + [1]) == 3)
    #expect(try next(one + one + other + [1]) == 3)
    let english = try #require(drafter.figures["en"])
    #expect(english > 0.9)
  }

  @Test("a damaged file is told by its tensor, and numbers out of range do no harm")
  func damage() throws {
    let tiny = try TinyNGrams()
    _ = try tiny.models(["en": texts])
    func rewrite(_ change: (inout [TensorInfo], inout [String: [Int64]]) -> Void) throws
      -> NGramModels
    {
      var tensors: [TensorInfo] = []
      var values: [String: [Int64]] = [:]
      for (info, numbers) in NGramTrainer.tables(
        NGramCounts(texts, vocabularySize: 32, NGramConfiguration()), language: "en")
      {
        tensors.append(info)
        values[info.name] = numbers
      }
      change(&tensors, &values)
      let writer = try SafetensorsWriter(
        path: tiny.folder.file("model.safetensors"), tensors: tensors)
      for tensor in tensors { try writer.append(values[tensor.name] ?? [], to: tensor.name) }
      try writer.finish()
      return try NGramModels(tensors: SafetensorsFile(path: tiny.folder.path))
    }
    let starts = NGramLayout(language: "en", length: 1).starts
    let error = #expect(throws: StoreError.self) {
      _ = try rewrite { tensors, values in
        values[starts]?.removeLast()
        for place in tensors.indices where tensors[place].name == starts {
          tensors[place].shape[0] -= 1
        }
      }
    }
    #expect(error.map { "\($0)" }?.contains(starts) == true)
    let wild = try rewrite { _, values in
      values[starts] = values[starts]?.map { _ in 1_000_000 }
      for level in 1...2 {
        let name = NGramLayout(language: "en", length: level).tokens
        values[name] = values[name]?.enumerated().map { $0.offset % 2 == 0 ? -7 : 1_000_000 }
      }
    }
    let drafter = try NGramDrafter(wild)
    try drafter.begin(prompt: [1, 2])
    let tree = try drafter.draft(
      after: context([1, 2]), budget: DraftBudget(nodes: 8, depth: 4))
    #expect(tree.tokens.allSatisfy { 0 <= $0 && $0 < 32 })
    #expect(throws: ModelFileError.self) {
      _ = try rewrite { tensors, _ in tensors.removeAll() }
    }
  }
}
