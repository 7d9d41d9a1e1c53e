import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

@Suite struct AdaptationTests {
  private func generate(
    _ target: TransformerModel, _ trained: TrainedDrafter, _ adaptation: HeadAdaptation?,
    sampling: SamplingParameters = .greedy, texts: Int = 6
  ) throws -> (output: [[Int32]], accepted: [Int]) {
    var settings = DrafterSettings(length: 3, capacity: 128)
    settings.trained = [trained]
    settings.trainedShape = .chain
    settings.adaptation = adaptation
    let drafter = try DrafterRegistry.make("tiny-lm", settings)
    let generator = try SpeculativeGenerator(target: target, capacity: 128)
    var outputs: [[Int32]] = []
    var accepted: [Int] = []
    for text in 0..<texts {
      let setup = GenerationSetup(
        drafter: drafter, draftLength: .fixed(3), sampling: sampling,
        limits: GenerationLimits(maxTokens: 60, stopTokens: []))
      // The domain: much the same, every time.
      try generator.begin(prompt: [3, 1, 4, 1, Int32(5 + text % 2)], setup: setup)
      while try generator.next() != nil {}
      outputs.append(Array(generator.output))
      accepted.append(SpeculationStatistics(generator.traces).accepted)
    }
    return (outputs, accepted)
  }

  @Test("it learns what the target writes, and changes no word of it")
  func learning() throws {
    let target = try TinyDrafter.target(threads: 1)
    let trained = try TinyDrafter.tinyLM.load(target)
    for sampling in [.greedy, try SamplingParameters(temperature: 0.5, seed: 2)] {
      let still = try generate(target, trained, nil, sampling: sampling)
      let adaptation = try HeadAdaptation()
      let learned = try generate(target, trained, adaptation, sampling: sampling)
      #expect(learned.output == still.output)
      #expect(adaptation.updates > 50)
      guard sampling.isGreedy else { continue }
      // A random drafter of a random target: what is accepted, it has learned.
      let (before, after) = (still.accepted[4...], learned.accepted[4...])
      let gain = after.reduce(0, +) - before.reduce(0, +)
      #expect(gain > 20, "\(before) \(after)")
    }
  }

  @Test("what was learned is kept in a file, which stays within its bounds")
  func file() throws {
    let target = try TinyDrafter.target(threads: 1)
    let trained = try TinyDrafter.tinyLM.load(target)
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var configuration = HeadAdaptation.Configuration()
    configuration.rows = 8
    let first = try HeadAdaptation(path: path, configuration: configuration)
    _ = try generate(target, trained, first)
    #expect(first.rowCount == 8)
    try first.save()
    let again = try HeadAdaptation(path: path, configuration: configuration)
    #expect(again.updates == first.updates)
    #expect(again.rowCount == 8)
    let wide = try HeadAdaptation()
    _ = try generate(target, trained, wide)
    #expect(wide.rowCount > 8)
  }

  @Test("a file of something else is refused, and names what was expected")
  func otherFile() throws {
    let path = TinyDrafter.tinyLM.folder + "/model.safetensors"
    let error = #expect(throws: StoreError.self) { _ = try HeadAdaptation(path: path) }
    #expect(error.map { "\($0)" }?.contains("weights F32 (rows, hidden)") == true)
  }

  @Test("what was learned for another drafter is refused, and not lost")
  func otherDrafter() throws {
    let target = try TinyDrafter.target(threads: 1)
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        TensorInfo(name: "weights", type: .f32, shape: [1, 7]),
        TensorInfo(name: "tokens", type: .i32, shape: [1]),
      ])
    try writer.append([Float](repeating: 1, count: 7), to: "weights")
    try writer.append([Int32(3)], to: "tokens")
    try writer.finish()
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let adaptation = try HeadAdaptation(path: path)
    let error = #expect(throws: StoreError.self) {
      _ = try generate(target, try TinyDrafter.tinyLM.load(target), adaptation)
    }
    #expect(error.map { "\($0)" }?.contains("rows of 7: it was learned for another one") == true)
    try adaptation.save()
    let after = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(after == before)
  }
}
