import Foundation
import LanguageModels
import ModelFiles
import Testing

/// The real models against transformers in float32 and llama.cpp, on the token ids and figures
/// that `Scripts/make_reference_goldens.py` wrote.
///
/// SmolLM2-135M is fetched where it is missing; the larger models are tested where they are cached.
@Suite("References", .serialized)
struct ReferenceTests {
  static let models = ["SmolLM2-135M", "Gemma-3-270M", "Qwen2.5-Coder-0.5B", "Qwen2.5-Coder-1.5B"]
    .filter { $0 == "SmolLM2-135M" || isCached($0) }

  @Test(
    "the top ten's log-probabilities are nearer to the float32 reference than llama.cpp's",
    arguments: models)
  func logProbabilities(model: String) async throws {
    let (golden, run) = try await measured(model)
    var ours = Errors()
    var theirs = Errors()
    for (prompt, rows) in zip(golden.prompts, run.logProbabilities) {
      for (position, row) in zip(prompt.positions, rows) {
        for index in position.ids.indices {
          ours.add(row[index] - position.reference[index])
          theirs.add(position.llamaCpp[index] - position.reference[index])
        }
      }
    }
    #expect(ours.mean < theirs.mean, "mean error, ours against llama.cpp's")
    #expect(abs(theirs.mean - golden.summary.llamaCppMeanError) < 1e-4, "the file's own summary")
  }

  @Test("greedy choices differ only where the reference was nearly undecided", arguments: models)
  func greedyChoices(model: String) async throws {
    let (golden, run) = try await measured(model)
    for (prompt, choices) in zip(golden.prompts, run.choices) {
      for step in prompt.greedy.tokens.indices where prompt.greedy.margins[step] > 1 {
        #expect(
          choices[step] == prompt.greedy.tokens[step],
          "step \(step) of \(prompt.text.debugDescription)")
      }
    }
  }

  @Test("perplexity is within 1 % of llama.cpp's, or nearer to the reference", arguments: models)
  func perplexity(model: String) async throws {
    let (golden, run) = try await measured(model)
    for (text, ours) in zip(golden.texts, run.perplexities) {
      let distance = abs(log(ours / text.referencePerplexity))
      let theirs = abs(log(text.llamaCppPerplexity / text.referencePerplexity))
      #expect(
        abs(ours / text.llamaCppPerplexity - 1) < 0.01 || distance < theirs,
        """
        \(text.name): \(ours), llama.cpp \(text.llamaCppPerplexity), \
        reference \(text.referencePerplexity)
        """)
    }
  }

  private func measured(_ model: String) async throws -> (Golden, Measurement) {
    let golden = try Golden.named(model)
    return (golden, try await Measurements.shared.of(model, golden))
  }

  private static func isCached(_ model: String) -> Bool {
    guard let entry = try? ModelCatalogue.builtIn.entry(named: model) else { return false }
    return ModelFetcher().status(of: entry) == .present
  }
}

/// Mean of absolute differences.
private struct Errors {
  private var sum = 0.0
  private var count = 0.0
  var mean: Double { sum / count }

  mutating func add(_ difference: Double) {
    sum += abs(difference)
    count += 1
  }
}

/// One file of references; `Scripts/make_reference_goldens.py` describes the fields.
private struct Golden: Decodable {
  struct Summary: Decodable {
    var llamaCppMeanError: Double
  }
  struct Position: Decodable {
    var position: Int
    var ids: [Int]
    var reference: [Double]
    var llamaCpp: [Double]
  }
  struct Greedy: Decodable {
    var tokens: [Int32]
    var margins: [Double]
  }
  struct Prompt: Decodable {
    var text: String
    var tokens: [Int32]
    var positions: [Position]
    var greedy: Greedy
  }
  struct Text: Decodable {
    var name: String
    var tokens: [Int32]
    var referencePerplexity: Double
    var llamaCppPerplexity: Double
  }
  var summary: Summary
  var prompts: [Prompt]
  var texts: [Text]

  static func named(_ model: String) throws -> Golden {
    let url = try #require(
      Bundle.module.url(
        forResource: "reference-\(model)", withExtension: "json", subdirectory: "Goldens"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Golden.self, from: Data(contentsOf: url))
  }
}

/// What the engine says about a golden's tokens.
private struct Measurement: Sendable {
  /// For each prompt and position, of the golden's ten ids.
  var logProbabilities: [[[Double]]] = []
  /// For each prompt, the most probable token at each greedy step, after the reference's tokens.
  var choices: [[Int32]] = []
  /// For each text.
  var perplexities: [Double] = []
}

/// Runs each model once for all tests.
private actor Measurements {
  static let shared = Measurements()
  private var done: [String: Measurement] = [:]

  func of(_ name: String, _ golden: Golden) throws -> Measurement {
    if let measurement = done[name] { return measurement }
    let path = try ModelFetcher().fetch(ModelCatalogue.builtIn.entry(named: name))
    let pool = try ComputePool(threads: ProcessInfo.processInfo.activeProcessorCount)
    let model = try TransformerModel.load(path: path, pool: pool)
    var measurement = Measurement()
    for prompt in golden.prompts {
      var rows: [[Double]] = []
      var choices: [Int32] = []
      let asked = Dictionary(grouping: prompt.positions, by: \.position)
      try forEachRow(of: model, prompt.tokens + prompt.greedy.tokens) { position, logits in
        for entry in asked[position] ?? [] {
          let normaliser = logSumExp(logits)
          rows.append(entry.ids.map { Double(logits[$0]) - normaliser })
        }
        if position >= prompt.tokens.count - 1 { choices.append(argmax(logits)) }
      }
      measurement.logProbabilities.append(rows)
      measurement.choices.append(choices)
    }
    for text in golden.texts {
      var loss = 0.0
      try forEachRow(of: model, text.tokens) { position, logits in
        guard position + 1 < text.tokens.count else { return }
        loss += logSumExp(logits) - Double(logits[Int(text.tokens[position + 1])])
      }
      measurement.perplexities.append(exp(loss / Double(text.tokens.count - 1)))
    }
    done[name] = measurement
    return measurement
  }

  /// Gives each token's logits in order, a few rows a pass so that they take little memory.
  private func forEachRow(
    of model: TransformerModel, _ tokens: [Int32],
    _ body: (Int, UnsafeMutableBufferPointer<Float>) -> Void
  ) throws {
    let cache = try model.makeCache(capacity: tokens.count)
    for start in stride(from: 0, to: tokens.count, by: 64) {
      let chain = Array(tokens[start..<min(start + 64, tokens.count)])
      let output = try model.forward(chain: chain, cache: cache)
      for row in chain.indices { body(start + row, output.logits[row]) }
      cache.commit(path: Array(chain.indices))
    }
  }
}

private func logSumExp(_ logits: UnsafeMutableBufferPointer<Float>) -> Double {
  var largest = -Float.infinity
  for logit in logits { largest = max(largest, logit) }
  var sum = 0.0
  for logit in logits { sum += Double(exp(logit - largest)) }
  return Double(largest) + log(sum)
}

private func argmax(_ logits: UnsafeMutableBufferPointer<Float>) -> Int32 {
  var best = 0
  for index in logits.indices where logits[index] > logits[best] { best = index }
  return Int32(best)
}
