import Foundation
import Sampling
import Testing

/// Calls `body` with a mutable row of logits.
private func withRow<Result>(
  _ logits: [Float], _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
) rethrows -> Result {
  var logits = logits
  return try logits.withUnsafeMutableBufferPointer { try body($0) }
}

private func distribution(
  _ logits: [Float], _ parameters: SamplingParameters, context: [Int32] = []
) throws -> Distribution {
  try withRow(logits) { try Sampler(parameters).distribution(logits: $0, context: context) }
}

/// The same steps by full sorting, in double precision.
private func reference(_ logits: [Float], _ parameters: SamplingParameters) -> [Int32: Double] {
  let order = logits.indices.sorted {
    logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1)
  }
  var kept = order.prefix(parameters.topK > 0 ? parameters.topK : .max).map {
    (token: Int32($0), weight: exp(Double(logits[$0] - logits[order[0]]) / parameters.temperature))
  }
  let total = kept.reduce(0) { $0 + $1.weight }
  var sum = 0.0
  var count = 0
  while count == 0 || (count < kept.count && sum < parameters.topP * total - 1e-9) {
    sum += kept[count].weight
    count += 1
  }
  if parameters.topP < 1 { kept = Array(kept.prefix(count)) }
  kept = kept.filter { $0.weight >= parameters.minP }
  let mass = kept.reduce(0) { $0 + $1.weight }
  return Dictionary(uniqueKeysWithValues: kept.map { ($0.token, $0.weight / mass) })
}

private func randomLogits(_ count: Int, seed: UInt64, rounded: Bool = false) -> [Float] {
  let random = KeyedRandom(seed: seed)
  return (0..<count).map {
    let value = Float(random.uniform(position: $0, stream: .target) * 12 - 6)
    return rounded ? value.rounded() : value
  }
}

@Suite struct SamplerTests {
  @Test("the entropy of a row is that of its distribution", arguments: [1, 5, 16, 100, 2049])
  func entropy(size: Int) throws {
    for scale in [0.1, 1, 20] as [Float] {
      let logits = randomLogits(size, seed: 3).map { $0 * scale }
      let (logSum, entropy) = try logits.withUnsafeBufferPointer {
        try Sampler.entropy(logits: $0)
      }
      let exact = try distribution(logits, SamplingParameters(temperature: 1))
      #expect(abs(entropy - exact.entropy) < 1e-4)
      let most = Double(logits.max() ?? 0)
      let sum = most + log(logits.reduce(0) { $0 + exp(Double($1) - most) })
      #expect(abs(logSum - sum) < 1e-4)
    }
  }

  @Test(
    "filters keep the tokens and probabilities that a full sort gives",
    arguments: [5, 16, 100, 1003], [1, 2, 3] as [UInt64])
  func filtersAgreeWithSorting(size: Int, seed: UInt64) throws {
    let settings = [
      try SamplingParameters(temperature: 0.7),
      try SamplingParameters(temperature: 1.3, topK: 1),
      try SamplingParameters(temperature: 1, topK: 17),
      try SamplingParameters(temperature: 1, topK: 5000),
      try SamplingParameters(temperature: 1, topP: 0.9),
      try SamplingParameters(temperature: 2, topP: 0.31),
      try SamplingParameters(temperature: 1, topP: 1e-9),
      try SamplingParameters(temperature: 1, minP: 0.05),
      try SamplingParameters(temperature: 0.8, topK: 40, topP: 0.8, minP: 0.1),
    ]
    for rounded in [false, true] {
      let logits = randomLogits(size, seed: seed, rounded: rounded)
      for parameters in settings {
        let found = try distribution(logits, parameters)
        let expected = reference(logits, parameters)
        let support = (0..<Int32(size)).filter { found[$0] > 0 }
        #expect(Set(support) == Set(expected.keys), "\(parameters)")
        for (token, probability) in expected {
          #expect(abs(found[token] - probability) < 1e-5, "\(parameters), token \(token)")
        }
        #expect(abs(found.probabilities.reduce(0, +) - 1) < 1e-9)
      }
    }
  }

  @Test("greedy takes the lowest of equal largest logits, wherever they stand")
  func ties() throws {
    for size in [1, 7, 16, 33, 100] {
      for place in 0..<size {
        var logits = [Float](repeating: -1, count: size)
        logits[place] = 2
        logits[size - 1] = 2
        let token = try withRow(logits) {
          try Sampler(.greedy).mostProbableToken(logits: $0, context: [])
        }
        #expect(token == Int32(place))
      }
    }
    let top = try distribution(
      [1, 3, 3, 3], SamplingParameters(temperature: 1, topK: 2))
    #expect(top.tokens == [1, 2])
  }

  @Test("the greedy distribution is certain of the greedy token")
  func greedyDistribution() throws {
    #expect(try distribution([0, 2, 1], .greedy) == Distribution(certain: 1))
  }

  @Test("the repetition penalty divides positive and multiplies negative logits in its window")
  func repetitionPenalty() throws {
    let parameters = try SamplingParameters(
      temperature: 1, repetitionPenalty: 2, repetitionWindow: 2)
    let penalised = try distribution([4, -1, 2, 3], parameters, context: [3, 0, 1])
    let expected = try distribution([2, -2, 2, 3], SamplingParameters(temperature: 1))
    #expect(penalised == expected)
    // Tokens outside the vocabulary, and an empty context, change nothing.
    #expect(
      try distribution([4, -1], parameters, context: [9, -3])
        == distribution([4, -1], SamplingParameters(temperature: 1)))
  }

  @Test("a row is left as it was, so that it may be processed twice")
  func rowIsUnchanged() throws {
    let sampler = Sampler(
      try SamplingParameters(temperature: 0.5, topK: 2, repetitionPenalty: 1.7))
    let logits: [Float] = [1.1, -0.3, 2.7, 0.1]
    try withRow(logits) { row in
      let first = try sampler.distribution(logits: row, context: [0, 1, 2])
      #expect(Array(row) == logits)
      #expect(try sampler.distribution(logits: row, context: [0, 1, 2]) == first)
    }
  }

  @Test("a tiny temperature is greedy, not a division by zero")
  func tinyTemperature() throws {
    let cold = try distribution([1, 5, 4.999], SamplingParameters(temperature: 1e-300))
    #expect(cold[1] == 1)
    var logits: [Float] = [1, 5, 4.999]
    let token = try logits.withUnsafeMutableBufferPointer {
      try Sampler(SamplingParameters(temperature: 1e-300))
        .token(logits: $0, context: [], chance: KeyedRandom(seed: 1))
    }
    #expect(token == 1)
  }

  @Test("logits that are not numbers are passed over, and a row without numbers is an error")
  func notANumber() throws {
    let warm = try SamplingParameters(temperature: 1)
    let some = try distribution([.nan, 1, -.infinity, 0], warm)
    #expect(some[0] == 0 && some[2] == 0 && some[1] > some[3])
    for row: [Float] in [[.nan, .nan], [-.infinity], [1, .infinity], []] {
      #expect(throws: SamplingError.logitsNotFinite(vocabularySize: row.count)) {
        try distribution(row, warm)
      }
      #expect(throws: SamplingError.logitsNotFinite(vocabularySize: row.count)) {
        try distribution(row, .greedy)
      }
    }
  }

  @Test("parameters out of range are refused by name")
  func parameters() {
    func refused(_ name: String, _ make: () throws -> SamplingParameters) {
      #expect {
        try make()
      } throws: { error in
        guard case SamplingError.invalidParameter(name, _, _) = error else { return false }
        return "\(error)".contains(name)
      }
    }
    refused("temperature") { try SamplingParameters(temperature: -0.1) }
    refused("temperature") { try SamplingParameters(temperature: .nan) }
    refused("temperature") { try SamplingParameters(temperature: .infinity) }
    refused("top-k") { try SamplingParameters(topK: -1) }
    refused("top-p") { try SamplingParameters(topP: 0) }
    refused("top-p") { try SamplingParameters(topP: 1.01) }
    refused("min-p") { try SamplingParameters(minP: -1) }
    refused("repetition penalty") { try SamplingParameters(repetitionPenalty: 0) }
    refused("repetition window") { try SamplingParameters(repetitionWindow: -1) }
  }
}
