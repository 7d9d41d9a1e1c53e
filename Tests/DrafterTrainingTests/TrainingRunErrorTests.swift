import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

@Suite struct TrainingRunErrorTests {
  private var runs: TinyRuns
  private var path: String { runs.folder.path }

  init() throws {
    runs = try TinyRuns()
  }

  private func trainingError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) throws -> TrainingError {
    try #require(throws: TrainingError.self, sourceLocation: sourceLocation, performing: body)
  }

  @Test("A loss, term or gradient that is no number names step and term; the run can go on")
  func notFinite() throws {
    let whole = try TinyRuns()
    let expected = whole.trainer
    _ = try whole.run(expected)

    let cases: [(step: Int, term: String, damage: (TinyTrainer) -> Void)] = [
      (3, "loss", { $0.lossScale = { $0 == 5 ? .nan : 1 } }),
      (5, "half, of it", { $0.term = { $0 == 8 ? -.infinity : 1 } }),
      (
        7, "gradient of 'second.weight'",
        { trainer in
          trainer.before = { if $0 == 12 { trainer.parameters[2].gradient.data[3] = .infinity } }
        }
      ),
      // What trainers call the loss of a validation, after the steps before it.
      (10, "validation loss", { $0.validation = { _ in .nan } }),
    ]
    for (step, term, damage) in cases {
      let trainer = runs.trainer
      damage(trainer)
      let error = try trainingError { _ = try runs.run(trainer) }
      guard case .notFinite(step, term, let found) = error else {
        Issue.record("\(error)")
        continue
      }
      #expect(!found.isFinite)
      #expect(try runs.state().step == (term == "validation loss" ? 9 : step - 1))
    }
    let trainer = runs.trainer
    _ = try runs.run(trainer)
    #expect(trainer.weights == expected.weights)
  }

  @Test("Weights that became infinite are not saved")
  func weights() throws {
    let trainer = runs.trainer
    trainer.before = { if $0 == 6 { trainer.parameters[1].value.data[0] = -.infinity } }
    trainer.lossScale = { _ in 0 }
    let error = try trainingError { _ = try runs.run(trainer) }
    guard case .notFinite = error else {
      Issue.record("\(error)")
      return
    }
    #expect(try runs.state().step == 3)
  }

  @Test("A run is resumed only with what it was begun with; the error names the field")
  func otherRun() throws {
    let trainer = runs.trainer
    _ = try runs.run(trainer, isCancelled: { trainer.asked.count == 4 })
    typealias Change = (String, (inout TinyRuns) -> any Trainer)
    let changes: [Change] = [
      (
        "learningRate: the run in this folder was begun with 0.05, found 0.01",
        {
          $0.configuration.learningRate = 0.01
          return $0.trainer
        }
      ),
      (
        "steps: the run in this folder was begun with 12, found 11, which is fewer",
        {
          $0.configuration.steps = 11
          return $0.trainer
        }
      ),
      (
        "hidden: the run in this folder was begun with 16, found 32",
        {
          let trainer = $0.trainer
          trainer.options = ["hidden": "32"]
          return trainer
        }
      ),
      (
        "sha256 of data file 'a.jsonl': the run in this folder was begun with aa, found bb",
        {
          $0.provenance.data[0].sha256 = "bb"
          return $0.trainer
        }
      ),
      (
        "number of data files: the run in this folder was begun with 1, found 2",
        {
          $0.provenance.data.append($0.provenance.data[0])
          return $0.trainer
        }
      ),
      (
        "seed 'data': the run in this folder was begun with 7, found 8",
        {
          $0.provenance.seeds["data"] = 8
          return $0.trainer
        }
      ),
      (
        "target sha256: the run in this folder was begun with cc, found ee",
        {
          $0.provenance.target?.sha256 = "ee"
          return $0.trainer
        }
      ),
      (
        "shape of 'first.weight': the run in this folder was begun with [16, 4], found [8, 4]",
        { TinyTrainer(pool: $0.pool, hidden: 8) }
      ),
    ]
    for (says, change) in changes {
      var other = runs
      let trainer = change(&other)
      let error = try trainingError { _ = try other.run(trainer) }
      #expect("\(error)".contains(says), "\(error)")
    }
    var other = runs
    other.configuration.checkpointMinutes = 1
    other.provenance.versions.blas = "another BLAS"
    var notices: [String] = []
    let outcome = try other.run(
      other.trainer, report: { if case .notice(let text) = $0 { notices.append(text) } })
    #expect(outcome == .finished)
    #expect(notices.count == 1 && notices[0].hasSuffix("another BLAS: bits may differ"))
  }

  @Test("Too little memory is found out before the moments are allocated")
  func memory() throws {
    let trainer = runs.trainer
    trainer.workingBytes = 1 << 60
    let error = try trainingError { _ = try runs.run(trainer) }
    guard case .notEnoughMemory("training of tiny", let needed, let available) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(needed > 1 << 60 && available < 1 << 60)
    #expect(runs.folder.names.isEmpty)
  }

  @Test("A folder in which another run trains, or that is none, is refused")
  func folders() throws {
    let trainer = runs.trainer
    trainer.before = { _ in
      let error = try trainingError { _ = try runs.run(runs.trainer) }
      #expect("\(error)".contains("another process trains in this folder"), "\(error)")
    }
    _ = try runs.run(trainer)
    let file = "\(path)/loss.csv"
    let error = try trainingError { _ = try RunFolder(file) }
    #expect("\(error)".hasPrefix("\(file): cannot be made a folder"), "\(error)")
  }

  @Test("A damaged checkpoint is refused")
  func damaged() throws {
    _ = try runs.run(runs.trainer)
    let checkpoint = URL(fileURLWithPath: "\(path)/checkpoint.safetensors")
    let bytes = try Data(contentsOf: checkpoint)
    try bytes.dropLast(5).write(to: checkpoint)
    #expect(throws: ModelFileError.self) { try runs.run(runs.trainer) }
    let info = TensorInfo(name: "t", type: .f32, shape: [0])
    let writer = try SafetensorsWriter(
      path: checkpoint.path, tensors: [info], metadata: ["state": "{}"])
    try writer.finish()
    let error = try trainingError { _ = try runs.run(runs.trainer) }
    #expect("\(error)".contains("metadata 'state': expected the state"), "\(error)")
  }

  private struct ExportFailed: Error {}

  @Test("An export that fails, or one that was interrupted, leaves the drafter before it")
  func export() throws {
    let folder = try RunFolder(path)
    func write(_ text: String) throws {
      try folder.replaceDrafter {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\($0)/model"))
        if text == "bad" { throw ExportFailed() }
      }
    }
    try write("one")
    #expect(throws: ExportFailed.self) { try write("bad") }
    #expect(try runs.folder.text(of: "drafter/model") == "one")
    try write("two")
    #expect(try runs.folder.text(of: "drafter/model") == "two")
    #expect(rename("\(path)/drafter", "\(path)/drafter.old") == 0)
    let elsewhere = try TemporaryFolder()
    try FileManager.default.moveItem(
      atPath: "\(path)/drafter.old", toPath: "\(elsewhere.path)/drafter.old")
    _ = try RunFolder(elsewhere.path)
    #expect(try elsewhere.text(of: "drafter/model") == "two")
  }

  #if os(Linux)
    @Test("A full disk ends the run; the last good checkpoint stays and the run goes on from it")
    func fullDisk() throws {
      let whole = try TinyRuns()
      let expected = whole.trainer
      _ = try whole.run(expected)
      let trainer = runs.trainer
      let part = "\(path)/checkpoint.safetensors.part"
      trainer.before = {
        // Every write to this device fails as on a full disk.
        if $0 == 8 {
          try FileManager.default.createSymbolicLink(
            atPath: part, withDestinationPath: "/dev/full")
        }
      }
      let error = try #require(throws: ModelFileError.self) { try runs.run(trainer) }
      guard case .diskFull = error else {
        Issue.record("\(error)")
        return
      }
      #expect(try runs.state().step == 4)
      let again = runs.trainer
      _ = try runs.run(again)
      #expect(again.weights == expected.weights)
    }
  #endif
}
