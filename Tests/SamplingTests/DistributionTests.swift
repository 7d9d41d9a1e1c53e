import Foundation
import Testing

@testable import Sampling

@Suite struct DistributionTests {
  @Test("probabilities are found by token, in both forms")
  func lookup() {
    let dense = Distribution(weights: [1, 3])
    #expect(dense[0] == 0.25 && dense[1] == 0.75 && dense[2] == 0 && dense[-1] == 0)
    let sparse = Distribution(tokens: [5, 7, 9], weights: [1, 1, 2])
    #expect([4, 5, 6, 7, 9, 10].map { sparse[$0] } == [0, 0.25, 0, 0.25, 0.5, 0])
  }

  @Test("the residual is norm(max(p − q, 0)), and p itself when nothing is left")
  func residual() {
    let p = Distribution(weights: [0.5, 0.3, 0.2])
    let q = Distribution(tokens: [1, 2], weights: [0.1, 0.9])
    let left = p.residual(after: q)
    #expect(abs(left[0] - 0.5 / 0.7) < 1e-12 && abs(left[1] - 0.2 / 0.7) < 1e-12 && left[2] == 0)
    #expect(p.residual(after: p) == p)
    #expect(p.residual(after: Distribution(certain: 0))[1] == 0.6)
  }

  @Test("a draw without replacement leaves out what was drawn")
  func without() {
    let q = Distribution(tokens: [3, 4, 8], weights: [2, 1, 1])
    #expect(q.without([3])?.probabilities == [0, 0.5, 0.5])
    #expect(q.without([3, 4, 8]) == nil)
  }

  @Test("top-p reaches its share exactly when a sum does")
  func nucleusBoundary() {
    #expect(Selection.nucleus(0.5, of: [1, 0.5, 0.5]) == [0])
    #expect(Selection.nucleus(0.75, of: [0.5, 1, 0.5]) == [0, 1])
    #expect(Selection.nucleus(1, of: [0.25, 0, 1]) == [0, 2])
    #expect(Selection.nucleus(0.9, of: [Double](repeating: 1, count: 10)) == Array(0..<9))
  }
}

@Suite struct ExponentialTests {
  @Test("the exponential is that of the library to 2e-7, and 0 below -87")
  func accuracy() {
    for start in stride(from: Float(-88), through: 0, by: 0.001) {
      let x = SIMD16<Float>((0..<16).map { start + Float($0) * 3e-5 })
      let found = Exponential.exp(x)
      for lane in 0..<16 where x[lane] <= 0 {
        let expected = x[lane] >= -87 ? exp(Double(x[lane])) : 0
        #expect(abs(Double(found[lane]) - expected) <= 2e-7 * expected)
      }
    }
    let special = Exponential.exp(
      SIMD16([0, -.infinity, .nan, -0.0] + [Float](repeating: 0, count: 12)))
    #expect(special[0] == 1 && special[1] == 0 && special[2] == 0 && special[3] == 1)
  }
}

@Suite struct KeyedRandomTests {
  @Test("Philox gives the published test vectors")
  func philox() {
    // Random123's known-answer tests for philox4x32 with 10 rounds.
    #expect(
      KeyedRandom.philox(counter: SIMD4(repeating: 0), key: SIMD2(repeating: 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      KeyedRandom.philox(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      KeyedRandom.philox(
        counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
        key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test("a number depends on seed, position, stream and draw, and on nothing else")
  func keys() {
    let random = KeyedRandom(seed: 7)
    let number = random.uniform(position: 5, stream: .target)
    #expect(number == KeyedRandom(seed: 7).uniform(position: 5, stream: .target))
    var all: Set<Double> = []
    for seed in [7, 8, 7 << 32] as [UInt64] {
      for position in [0, 5, 6, 1 << 40] {
        for stream in [RandomStream.target, .drafter, .acceptance] {
          for draw in [0, 1] {
            all.insert(
              KeyedRandom(seed: seed).uniform(position: position, stream: stream, draw: draw))
          }
        }
      }
    }
    #expect(all.count == 3 * 4 * 3 * 2)
  }

  @Test("numbers are uniform, and neighbours in position or stream are uncorrelated")
  func uniformity() {
    let random = KeyedRandom(seed: 2026)
    let count = 100_000
    let a = (0..<count).map { random.uniform(position: $0, stream: .target) }
    let b = (0..<count).map { random.uniform(position: $0, stream: .drafter) }
    // Standard errors: 0.0009 of the mean, 0.0032 of a correlation. Six of them are allowed.
    func correlation(_ x: some Sequence<Double>, _ y: some Sequence<Double>) -> Double {
      zip(x, y).reduce(0) { $0 + ($1.0 - 0.5) * ($1.1 - 0.5) } * 12 / Double(count)
    }
    #expect(abs(a.reduce(0, +) / Double(count) - 0.5) < 0.0055)
    #expect(abs(correlation(a, a) - 1) < 0.02)
    #expect(abs(correlation(a, a.dropFirst())) < 0.02)
    #expect(abs(correlation(a, b)) < 0.02)
    #expect(a.allSatisfy { $0 >= 0 && $0 < 1 })
  }

  @Test("a probability of 0 is never accepted, one of 1 always")
  func acceptance() {
    let random = KeyedRandom(seed: 1)
    for position in 0..<1000 {
      #expect(!random.accepts(0, position: position, draw: 0))
      #expect(random.accepts(1, position: position, draw: 0))
    }
  }
}
