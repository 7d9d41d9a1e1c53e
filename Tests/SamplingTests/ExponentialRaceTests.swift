import Foundation
import Testing

@testable import Sampling

@Suite struct ExponentialRaceTests {
  private let random = KeyedRandom(seed: 2408)

  private func race(_ position: Int) -> ExponentialRace {
    random.race(position: position, stream: .target, draw: 0)!
  }

  @Test("tokens win as often as they are probable, and never without probability")
  func law() {
    let weights = [0.5, 0, 0.3, 0.15, 0.049, 0.001]
    for tokens in [nil, [3, 5, 900, 901, 70_000, 261_000]] as [[Int32]?] {
      let p = Distribution(tokens: tokens, weights: weights)
      var counts = [Int32: Double]()
      let draws = 100_000
      for position in 0..<draws {
        counts[random.token(from: p, position: position, stream: .target, draw: 0), default: 0] += 1
      }
      var square = 0.0
      for (place, weight) in weights.enumerated() {
        let count = counts[tokens?[place] ?? Int32(place)] ?? 0
        guard weight > 0 else {
          #expect(count == 0)
          continue
        }
        let expected = Double(draws) * weight
        square += (count - expected) * (count - expected) / expected
      }
      // Chi-square with 4 degrees of freedom: above 23.5 once in 10,000 times.
      #expect(square < 23.5, "\(counts)")
    }
  }

  @Test("the numbers are standard exponential, and neighbours in token, position and stream apart")
  func numbers() {
    let count = 100_000
    let tokens = (0..<count).map { race(0).number(of: Int32($0)) }
    let positions = (0..<count).map { race($0).number(of: 7) }
    let others = (0..<count).map {
      random.race(position: $0, stream: .drafter, draw: 0)!.number(of: 7)
    }
    func correlation(_ x: some Sequence<Double>, _ y: some Sequence<Double>) -> Double {
      var sum = 0.0
      for (a, b) in zip(x, y) { sum += (a - 1) * (b - 1) }
      return sum / Double(count)
    }
    // Standard errors: 0.0032 of a mean, 0.0032 of a correlation.
    for numbers in [tokens, positions, others] {
      #expect(numbers.allSatisfy { $0 > 0 && $0.isFinite })
      #expect(abs(numbers.reduce(0, +) / Double(count) - 1) < 0.02)
      #expect(abs(correlation(numbers, numbers) - 1) < 0.06)
      #expect(abs(correlation(numbers, numbers.dropFirst())) < 0.02)
      let late = numbers.count { $0 > 3 }
      #expect(abs(Double(late) / Double(count) - exp(-3)) < 0.005)
    }
    #expect(abs(correlation(positions, others)) < 0.02)
  }

  @Test("the first to arrive are those of a search of all, in order")
  func first() {
    for vocabulary in [5, 1000] {
      var weights: [Double] = []
      for token in 0..<vocabulary {
        let weight = 1 / Double(1 + token % 101)
        weights.append(token % 3 == 1 ? 0 : weight)
      }
      let p = Distribution(weights: weights)
      for position in 0..<50 {
        let race = race(position)
        var all: [(token: Int32, arrival: Double)] = []
        for token in 0..<Int32(vocabulary) where p[token] > 0 {
          all.append((token, race.number(of: token) / p[token]))
        }
        all.sort { $0.arrival < $1.arrival }
        for count in [0, 1, 4, 2000] {
          let found = race.first(count, of: p)
          #expect(found.map(\.token) == all.prefix(count).map(\.token))
          #expect(found.map(\.arrival) == all.prefix(count).map(\.arrival))
        }
        #expect(race.winner(of: p) == all[0].token)
      }
    }
  }

  @Test("a token drawn from logits is the one drawn from their distribution")
  func logits() throws {
    var logits = (0..<3000).map { Float(random.uniform(position: $0, stream: .drafter) * 12) }
    for temperature in [0.5, 1, 2] {
      let sampler = Sampler(try SamplingParameters(temperature: temperature))
      for position in 0..<200 {
        let context = [Int32](repeating: 0, count: position)
        let (token, p) = try logits.withUnsafeMutableBufferPointer {
          (
            try sampler.token(logits: $0, context: context, chance: random),
            try sampler.distribution(logits: $0, context: context)
          )
        }
        #expect(token == random.token(from: p, position: position, stream: .target, draw: 0))
      }
    }
  }

  @Test("distributions that are close let the same token win, wherever they differ")
  func agreement() {
    // The first token's probability moves all others' places, not their numbers.
    let p = Distribution(weights: [0.5] + [Double](repeating: 0.005, count: 100))
    let q = Distribution(weights: [0.4] + [Double](repeating: 0.006, count: 100))
    let draws = 20_000
    let agreed = (0..<draws).count { race($0).winner(of: p) == race($0).winner(of: q) }
    // Their distance is 0.1.
    #expect(Double(agreed) / Double(draws) > 0.9 / 1.1)
  }

  @Test("a token's number tells its chance, of which its probability is the mean")
  func chance() {
    for probability in [0.05, 0.4, 0.9] {
      let rest = [Double](repeating: (1 - probability) / 20, count: 20)
      let p = Distribution(weights: [probability] + rest)
      let draws = 40_000
      var sum = 0.0
      // Positions by their chance, a tenth each: how many, foreseen, won.
      var tenths: [(count: Double, foreseen: Double, won: Double)] = Array(
        repeating: (0, 0, 0), count: 10)
      for position in 0..<draws {
        let chance = race(position).chance(of: 0, probability: probability)
        let won = race(position).winner(of: p) == 0
        sum += chance
        let tenth = min(9, Int(chance * 10))
        tenths[tenth].count += 1
        tenths[tenth].foreseen += chance
        tenths[tenth].won += won ? 1 : 0
      }
      #expect(abs(sum / Double(draws) - probability) < 0.015)
      for tenth in tenths where tenth.count > 300 {
        let error = 5 * (0.25 / tenth.count).squareRoot()
        let found = abs(tenth.foreseen - tenth.won) / tenth.count
        #expect(found < error, "\(probability), \(tenth)")
      }
      #expect(tenths[9].count > 100)
    }
    #expect(race(0).chance(of: 1, probability: 0) == 0)
    #expect(race(0).chance(of: 1, probability: 1) == 1)
  }
}
