import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

/// Makes and runs training runs of the tiny trainer in one folder.
struct TinyRuns {
  let folder: TemporaryFolder
  let pool: ComputePool
  var configuration = RunConfiguration()
  var provenance = Provenance.sample

  init() throws {
    folder = try TemporaryFolder()
    pool = try ComputePool(threads: 2)
    configuration.steps = 12
    configuration.warmupShare = 0.2
    configuration.accumulation = 2
    configuration.learningRate = 0.05
    configuration.validateEvery = 5
    configuration.checkpointMinutes = 0
  }

  var trainer: TinyTrainer { TinyTrainer(pool: pool, seed: configuration.seed) }

  func run(
    _ trainer: any Trainer, isCancelled: @escaping () -> Bool = { false },
    report: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingRun.Outcome {
    let run = try TrainingRun(
      trainer: trainer, configuration: configuration, folder: folder.path, pool: pool,
      provenance: provenance, isCancelled: isCancelled, report: report)
    return try run.run()
  }

  func state() throws -> RunState {
    try #require(try Checkpoint(folder: folder.path).open()).state
  }

  /// The table without the seconds, which differ.
  func table() throws -> [[Substring]] {
    try folder.text(of: "loss.csv").split(separator: "\n").map { line in
      var cells = line.split(separator: ",", omittingEmptySubsequences: false)
      cells.remove(at: 2)
      return cells
    }
  }
}

@Suite struct TrainingRunTests {
  private var runs: TinyRuns

  init() throws {
    runs = try TinyRuns()
  }

  @Test("A run lowers the loss and leaves checkpoint, table, pictures and the best drafter")
  func whole() throws {
    let trainer = runs.trainer
    var events: [String] = []
    let outcome = try runs.run(trainer, report: { events.append("\($0)") })
    #expect(outcome == .finished)
    #expect(trainer.asked == Array(0..<24))
    let files = [
      "checkpoint.safetensors", "drafter", "loss.csv", "loss.png", "loss.svg", "state.json",
    ]
    #expect(runs.folder.names == files)
    let state = try runs.state()
    #expect(state.step == 12)
    #expect(state.tokens == 12 * 2 * 8)
    let first = try #require(state.firstFigures?.first?.value)
    let best = try #require(state.best)
    #expect(best.value < 0.7 * first)
    #expect(events.filter { $0.hasPrefix("validation after step") }.count == 4)
    #expect(events.filter { $0.hasPrefix("step ") }.count == 12)

    let lines = try runs.folder.text(of: "loss.csv").split(separator: "\n")
    #expect(
      lines[0] == "step,tokens,seconds,rate,gradient norm,loss,\"half, of it\","
        + "validation loss,validation acceptance length")
    #expect(lines.count == 14)
    #expect(lines[1].hasPrefix("0,0,0.00,,,,,0."))
    #expect(lines[2].hasPrefix("1,16,"))
    #expect(lines[2].hasSuffix(",0.5,,"))
    #expect(lines[6].hasPrefix("5,80,") && !lines[6].hasSuffix(","))

    let data = Data(try runs.folder.text(of: "drafter/nunchi.json").utf8)
    let provenance = try JSONDecoder().decode(Provenance.self, from: data)
    #expect(provenance.data == Provenance.sample.data)
    #expect(provenance.method == "tiny")
    #expect(provenance.configuration == runs.configuration)
    #expect(provenance.figures.first == TrainingFigure(name: "step", value: Double(best.step)))
  }

  @Test("A run ends when so many validations were no better, and stays ended")
  func patience() throws {
    var runs = runs
    runs.configuration.steps = 40
    runs.configuration.validateEvery = 2
    runs.configuration.patience = 3
    let trainer = runs.trainer
    // Best before the fifth step.
    trainer.validation = { $0 == 2 ? 0.1 : 1 }
    #expect(try runs.run(trainer) == .finished)
    let state = try runs.state()
    #expect(state.best?.step == 4 && state.step == 10)
    let again = runs.trainer
    again.validation = trainer.validation
    #expect(try runs.run(again) == .finished)
    #expect(again.asked.isEmpty)
  }

  @Test("A run of no steps prepares, validates and exports")
  func noSteps() throws {
    var runs = runs
    runs.configuration.steps = 0
    let trainer = runs.trainer
    #expect(try runs.run(trainer) == .finished)
    #expect(trainer.preparations == 1 && trainer.asked.isEmpty && trainer.validations == 1)
    #expect(runs.folder.names.contains("drafter"))
  }

  @Test("The same run gives the same bits")
  func repeatable() throws {
    let other = try TinyRuns()
    let trainers = [runs.trainer, other.trainer]
    _ = try runs.run(trainers[0])
    _ = try other.run(trainers[1])
    #expect(trainers[0].weights == trainers[1].weights)
    #expect(try runs.table() == other.table())
  }

  private struct Abandoned: Error {}

  @Test("A run that is abandoned or cancelled at any micro-batch goes on bit for bit")
  func resume() throws {
    let whole = try TinyRuns()
    let expected = whole.trainer
    _ = try whole.run(expected)

    var random = SystemRandomNumberGenerator()
    var places: [Int] = []
    var trainer = runs.trainer
    var outcome = TrainingRun.Outcome.stopped(step: 0)
    while outcome != .finished {
      trainer = runs.trainer
      let place = Int.random(in: 1...5, using: &random)
      let isCancellation = Bool.random(using: &random)
      places.append(isCancellation ? place : -place)
      var batches = 0
      trainer.before = { _ in
        batches += 1
        if !isCancellation && batches > place { throw Abandoned() }
      }
      do {
        outcome = try runs.run(trainer, isCancelled: { isCancellation && batches >= place })
      } catch is Abandoned {}
    }
    #expect(trainer.weights == expected.weights, "\(places)")
    #expect(try runs.table() == whole.table(), "\(places)")
    #expect(
      try runs.folder.text(of: "drafter/model") == whole.folder.text(of: "drafter/model"),
      "\(places)")
    let (state, other) = (try runs.state(), try whole.state())
    #expect(state.tokens == other.tokens)
    #expect(state.best?.value == other.best?.value)
    // One that was abandoned in its first step has left no trace.
    let resumptions = places.dropFirst().filter { $0 != -1 }.count
    #expect(state.provenance.resumptions.count == resumptions, "\(places)")
  }

  @Test("A cancelled run says where it is and has not touched the step that was under way")
  func cancelled() throws {
    let trainer = runs.trainer
    let outcome = try runs.run(trainer, isCancelled: { trainer.asked.count == 7 })
    #expect(outcome == .stopped(step: 3))
    #expect(try runs.state().step == 3)
    #expect(trainer.parameters[0].gradient.values.allSatisfy { $0 == 0 })
  }

  @Test("A run that is finished stays as it is")
  func finished() throws {
    let trainer = runs.trainer
    _ = try runs.run(trainer)
    let table = try runs.folder.text(of: "loss.csv")
    let again = runs.trainer
    #expect(try runs.run(again) == .finished)
    #expect(again.asked.isEmpty)
    #expect((trainer.preparations, again.preparations) == (1, 0))
    #expect(again.weights == trainer.weights)
    #expect(try runs.folder.text(of: "loss.csv") == table)
  }

  @Test("A finished run is taken further by more steps, along the longer course")
  func further() throws {
    var runs = runs
    _ = try runs.run(runs.trainer)
    let begun = try runs.table()
    runs.configuration.steps = 20
    runs.configuration.validateEvery = 4
    runs.configuration.patience = 9
    let trainer = runs.trainer
    var events: [String] = []
    #expect(try runs.run(trainer, report: { events.append("\($0)") }) == .finished)
    #expect(events.prefix(2) == ["taken further: from 12 to 20 steps", "resumed after step 12"])
    #expect(trainer.asked == Array(24..<40))
    let state = try runs.state()
    #expect(state.step == 20)
    #expect(state.provenance.configuration == runs.configuration)
    #expect(state.provenance.resumptions.map(\.stepsBefore) == [12])
    let table = try runs.table()
    #expect(Array(table.prefix(begun.count)) == begun)
    #expect(table.dropFirst(2).map { $0[0] } == (1...20).map { "\($0)" })
    let rate = runs.configuration.schedule.rate(at: 12)
    #expect(table[14][2] == String(format: "%.6g", rate))

    runs.configuration.steps = 19
    let error = #expect(throws: TrainingError.self) { try runs.run(runs.trainer) }
    #expect("\(String(describing: error))".contains("steps"))
    runs.configuration.steps = 30
    runs.configuration.learningRate = 0.5
    #expect(throws: TrainingError.self) { try runs.run(runs.trainer) }
  }

  @Test(
    "A run says which step's drafter it hands over where that is not the last",
    arguments: [
      ([0.1, 1, 1, 1], "no validation was better than the one before the first step (loss 0.1)"),
      ([1, 0.5, 0.7, 0.6], "the drafter is that of step 5, the best by validation (loss 0.5)"),
      ([1, 0.5, 0.4, 0.3], nil),
    ])
  func handedOver(_ losses: [Double], notice: String?) throws {
    var notices: [String] = []
    func run() throws {
      let trainer = runs.trainer
      trainer.validation = { losses[$0] }
      _ = try runs.run(
        trainer, report: { if case .notice(let text) = $0 { notices.append(text) } })
    }
    try run()
    #expect(notices.count == (notice == nil ? 0 : 1), "\(notices)")
    if let notice { #expect(notices.first?.hasPrefix(notice) == true, "\(notices)") }
    // Asked again, it says so again.
    let first = notices
    try run()
    #expect(notices == first + first)
  }

  @Test("A table that was deleted is begun anew")
  func deletedTable() throws {
    _ = try runs.run(runs.trainer, isCancelled: { true })
    let trainer = runs.trainer
    _ = try runs.run(trainer, isCancelled: { trainer.asked.count == 6 })
    try FileManager.default.removeItem(atPath: "\(runs.folder.path)/loss.csv")
    var notices: [String] = []
    _ = try runs.run(
      runs.trainer, report: { if case .notice(let text) = $0 { notices.append(text) } })
    #expect(notices.count == 1 && notices[0].contains("loss.csv: shorter"), "\(notices)")
    let steps = try runs.table().dropFirst().map { $0[0] }
    #expect(steps == (4...12).map { "\($0)" })
  }

  @Test("The drafter is the best one by the figure that was asked for")
  mutating func best() throws {
    let losses = [0.5, 0.25, 0.75, 0.25]
    func train() throws -> (best: RunState.Best?, model: String, weights: [String]) {
      let trainer = runs.trainer
      var weights: [String] = []
      trainer.validation = { index in
        weights.append(trainer.weights.description)
        return losses[index]
      }
      _ = try runs.run(trainer)
      return (try runs.state().best, try runs.folder.text(of: "drafter/model"), weights)
    }
    let lowest = try train()
    #expect(lowest.best?.step == 5)
    #expect(lowest.model == lowest.weights[1])
    let fresh = try TinyRuns()
    var configuration = runs.configuration
    configuration.bestIsHighest = true
    runs = fresh
    runs.configuration = configuration
    let highest = try train()
    #expect(highest.best?.step == 10)
    #expect(highest.model == highest.weights[2])
  }

  @Test("Without validation the last weights are the drafter")
  mutating func noValidation() throws {
    runs.configuration.validateEvery = 0
    let trainer = runs.trainer
    _ = try runs.run(trainer)
    #expect(trainer.validations == 0)
    #expect(try runs.folder.text(of: "drafter/model") == trainer.weights.description)
  }

  @Test("Without gnuplot there is a line instead of a picture")
  func noGnuplot() {
    let picture = LossPicture(folder: runs.folder.path, columns: [], title: "t")
    let problem = picture.draw(environment: ["PATH": "/nowhere"])
    #expect(
      problem == "no picture of loss: the program 'gnuplot' is needed to draw loss, "
        + "but it is not in PATH")
    // There is no table to draw.
    let other = picture.draw() ?? ""
    #expect(other.hasPrefix("no picture of loss: line "), "\(other)")
    #expect(runs.folder.names.isEmpty)
    #expect(!other.contains("\n"))
  }
}
