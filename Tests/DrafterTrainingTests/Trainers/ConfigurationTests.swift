import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

@Suite struct TrainingConfigurationTests {
  private func read(_ yaml: String) throws -> TrainingConfiguration<HeadsConfiguration> {
    var configuration = TrainingConfiguration<HeadsConfiguration>.heads
    try configuration.read(yaml: yaml, path: "a.yaml")
    return configuration
  }

  @Test("A file changes what it names and nothing else")
  func partial() throws {
    let defaults = TrainingConfiguration<HeadsConfiguration>.heads
    var expected = defaults
    expected.drafter.heads = 3
    expected.run.learningRate = 0.002
    expected.data.temperatures = [0, 1]
    let found = try read(
      "drafter:\n  heads: 3\nrun:\n  learningRate: 2e-3\ndata:\n  temperatures: [0, 1]\n")
    #expect(found == expected)
    #expect(try read("") == defaults)
  }

  @Test(
    "What a file says wrong is named",
    arguments: [
      ("drafter:\n  headz: 3\n", "headz"), ("speed: 1\n", "speed"), ("coverage: 2\n", "coverage"),
      ("drafter:\n  heads: many\n", "heads"), ("drafter: 3\n", "drafter"),
      ("drafter:\n  heads: 99\n", "drafter.heads"), ("run:\n  clip: -1\n", "clip"),
      ("a: [\n", "a.yaml"),
    ])
  func mistakes(_ yaml: String, _ name: String) throws {
    let error = #expect(throws: (any Error).self) { try read(yaml) }
    #expect(error.map { "\($0)".contains(name) } == true)
  }
}

@Suite struct VocabularyCutTests {
  @Test("The cut has the most frequent tokens, and those that are always wanted")
  func cut() {
    var counts = [Int](repeating: 0, count: 200)
    for token in 0..<100 { counts[token] = 100 - token }
    let cut = VocabularyCut(counts: counts, coverage: 0.3, always: [150])
    #expect(cut.tokens.count == 32)
    #expect(cut.tokens.contains(150) && cut.tokens.contains(0) && !cut.tokens.contains(99))
    #expect(cut.tokens == cut.tokens.sorted())
    #expect(cut.coverage >= 0.3 && cut.coverage < 0.7)
    #expect(cut.places[150] == 31 && cut.places[99] == -1)
  }

  @Test("Covering everything is the whole vocabulary")
  func whole() {
    let cut = VocabularyCut(counts: [3, 2, 1], coverage: 1)
    #expect(cut.isWhole && cut.tokens == [0, 1, 2])
  }
}

@Suite struct LinearFitTests {
  @Test("A linear map is found from its inputs and outputs")
  func map() throws {
    var random = SeededRandom(seed: 2)
    func numbers(_ rows: Int, _ columns: Int) -> Tensor {
      Tensor(shape: [rows, columns], (0..<rows * columns).map { _ in random.signed() })
    }
    let map = numbers(5, 12)
    let pool = try ComputePool(threads: 2)
    let fit = LinearFit(inputs: 12, outputs: 5, pool: pool)
    for _ in 0..<3 {
      let x = numbers(100, 12)
      let graph = Graph(pool: pool)
      fit.add(x, graph.linear(graph.constant(x), graph.constant(map)).value)
    }
    let worst = zip(fit.solution().values, map.values).map { abs($0 - $1) }.max() ?? .infinity
    let tolerance: Float = 0.01
    #expect(worst < tolerance)
  }
}
