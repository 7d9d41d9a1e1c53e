import Foundation
import LanguageModels
import Testing

@testable import DrafterTraining

@Suite struct OptimizerTests {
  private let pool: ComputePool

  init() throws {
    pool = try ComputePool(threads: 2)
  }

  private struct Golden: Decodable {
    var steps, warmup: Int
    var peak, minimumShare, decay, clip: Double
    var matrix, norm: [Float]
    var records: [Record]

    struct Record: Decodable {
      var matrixGradient, normGradient, matrix, norm: [Float]
      var length, rate: Double
    }
  }

  @Test("AdamW, its schedule and its clipping do what PyTorch's do")
  func golden() throws {
    let url = Bundle.module.bundleURL.appendingPathComponent("Goldens/optimizer.json")
    let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    let matrix = Parameter(
      name: "matrix", value: Tensor(shape: [3, 5], golden.matrix), decays: true)
    let norm = Parameter(name: "norm", value: Tensor(shape: [5], golden.norm), decays: false)
    let options = AdamW.Options(weightDecay: golden.decay)
    let optimizer = AdamW([matrix, norm], options: options)
    let schedule = LearningRateSchedule(
      peak: golden.peak, minimumShare: golden.minimumShare, warmupSteps: golden.warmup,
      steps: golden.steps)
    for (step, record) in golden.records.enumerated() {
      set(matrix.gradient, to: record.matrixGradient)
      set(norm.gradient, to: record.normGradient)
      let length = GradientNorm(ofGradients: [matrix, norm], pool: pool)
      #expect(isNear(length.total, record.length, within: 1e-6))
      #expect(isNear(schedule.rate(at: step), record.rate, within: 1e-15))
      optimizer.step(
        rate: schedule.rate(at: step), gradientScale: length.clippingScale(limit: golden.clip),
        pool: pool)
      expect(matrix.value, near: record.matrix)
      expect(norm.value, near: record.norm)
    }
    #expect(matrix.gradient.values == [Float](repeating: 0, count: 15))
  }

  private func set(_ tensor: Tensor, to values: [Float]) {
    for (index, value) in values.enumerated() { tensor.data[index] = value }
  }

  private func isNear(_ value: Double, _ expected: Double, within error: Double) -> Bool {
    abs(value - expected) <= error * max(1, abs(expected))
  }

  private func expect(
    _ tensor: Tensor, near expected: [Float],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let largest = zip(tensor.values, expected).map { abs($0 - $1) }.max() ?? 0
    #expect(largest < 1e-6, sourceLocation: sourceLocation)
  }

  @Test("The first step moves every weight by the rate, against its gradient, after the decay")
  func firstStep() {
    // The bias corrections make both means the gradient itself and its square.
    let parameter = Parameter(name: "w", value: Tensor(shape: [1, 2], [1, -2]), decays: true)
    set(parameter.gradient, to: [3, -0.5])
    let optimizer = AdamW([parameter], options: AdamW.Options(weightDecay: 0.5))
    optimizer.step(rate: 0.1, pool: pool)
    let moved: [Float] = [0.95 - 0.1, -1.9 + 0.1]
    expect(parameter.value, near: moved)
  }

  @Test("Frozen parameters stay, and have no moments")
  func frozen() throws {
    let parameter = Parameter(
      name: "w", value: Tensor(shape: [2], [1, 2]), decays: true, isFrozen: true)
    set(parameter.gradient, to: [1, 1])
    let optimizer = AdamW([parameter])
    optimizer.step(rate: 1, pool: pool)
    #expect(parameter.value.values == [1, 2])
    #expect(optimizer.moments[0] == nil)
    #expect(AdamW.momentBytes(of: [parameter]) == 0)
    #expect(GradientNorm(ofGradients: [parameter], pool: pool).total == 0)
  }

  @Test("The number of threads changes no bit")
  func threads() throws {
    func train(threads: Int) throws -> ([Float], Double) {
      let pool = try ComputePool(threads: threads)
      let count = 3 * ComputePool.blockSize + 77
      let value = Tensor(shape: [count], (0..<count).map { sin(Float($0)) })
      let parameters = [
        Parameter(name: "a", value: value, decays: true),
        Parameter(name: "b", value: Tensor(shape: [5]), decays: false),
      ]
      let optimizer = AdamW(parameters)
      var norm = 0.0
      for step in 1...3 {
        for index in 0..<count { parameters[0].gradient.data[index] = cos(Float(index * step)) }
        norm = GradientNorm(ofGradients: parameters, pool: pool).total
        optimizer.step(rate: 0.01, pool: pool)
      }
      return (value.values, norm)
    }
    let one = try train(threads: 1)
    for threads in [2, 5] {
      let many = try train(threads: threads)
      #expect(one.0 == many.0)
      #expect(one.1 == many.1)
    }
  }

  @Test("The norm names the first parameter that is not finite")
  func notFinite() {
    let names = ["a", "b", "c"]
    let parameters = names.map {
      Parameter(name: $0, value: Tensor(shape: [20_000]), decays: true)
    }
    for parameter in parameters { parameter.gradient.data[7] = 2 }
    let fine = GradientNorm(ofGradients: parameters, pool: pool)
    #expect(isNear(fine.total, 12.0.squareRoot(), within: 1e-12))
    #expect(fine.notFinite == nil)
    parameters[2].gradient.data[19_999] = .nan
    parameters[1].gradient.data[19_999] = -.infinity
    let bad = GradientNorm(ofGradients: parameters, pool: pool)
    #expect(bad.notFinite == "b")
    #expect(!bad.total.isFinite)
  }

  @Test("Gradients within the limit are not clipped, longer ones are cut to it")
  func clipping() {
    let parameter = Parameter(name: "w", value: Tensor(shape: [2]), decays: true)
    set(parameter.gradient, to: [3, 4])
    let norm = GradientNorm(ofGradients: [parameter], pool: pool)
    #expect(norm.total == 5)
    #expect(norm.clippingScale(limit: 10) == 1)
    #expect(isNear(norm.clippingScale(limit: 1), 0.2, within: 1e-6))
  }

  @Test("The rate rises evenly, has its peak after the warm-up and ends at its minimum")
  func schedule() {
    let schedule = LearningRateSchedule(peak: 4, minimumShare: 0.25, warmupSteps: 3, steps: 11)
    let rates = (0..<12).map(schedule.rate(at:))
    #expect(rates.prefix(4) == [1, 2, 3, 4])
    #expect(zip(rates[3...], rates[4...]).allSatisfy { $0 > $1 })
    let (middle, end) = (2.5, 1.0)
    #expect(isNear(rates[7], middle, within: 1e-12))
    #expect(isNear(rates[11], end, within: 1e-12))
    let constant = LearningRateSchedule(peak: 2, minimumShare: 1, warmupSteps: 0, steps: 5)
    #expect((0..<5).map(constant.rate(at:)) == [2, 2, 2, 2, 2])
  }
}
