import Foundation
import LanguageModels
import ModelFiles
import Testing

@testable import DrafterTraining

/// Runs in processes of their own, which end early.
@Suite struct KilledRunTests {
  private static func configuration() -> RunConfiguration {
    var configuration = RunConfiguration()
    configuration.steps = 150
    configuration.learningRate = 0.02
    configuration.validateEvery = 20
    configuration.checkpointMinutes = 0
    return configuration
  }

  private static func train(in folder: String) throws -> TinyTrainer {
    let pool = try ComputePool(threads: 2)
    let trainer = TinyTrainer(pool: pool)
    let run = try TrainingRun(
      trainer: trainer, configuration: configuration(), folder: folder, pool: pool,
      provenance: .sample)
    try run.run()
    return trainer
  }

  @Test("A run that is killed at any moment goes on bit for bit")
  func killed() async throws {
    let (folder, whole) = (try TemporaryFolder(), try TemporaryFolder())
    let expected = try Self.train(in: whole.path)
    for _ in 0..<5 {
      let milliseconds = Int.random(in: 1...120)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = folder.path as String, milliseconds = milliseconds as Int] in
        let killer = Thread {
          usleep(UInt32(milliseconds) * 1000)
          kill(getpid(), SIGKILL)
        }
        killer.start()
        _ = try Self.train(in: path)
        // Finished too early.
        sleep(10)
      }
    }
    let trainer = try Self.train(in: folder.path)
    #expect(trainer.asked.count < 150)
    #expect(trainer.weights == expected.weights)
    #expect(try folder.text(of: "drafter/model") == whole.text(of: "drafter/model"))
    let steps = try folder.text(of: "loss.csv").split(separator: "\n").dropFirst().map {
      Int($0.prefix { $0 != "," })
    }
    #expect(steps == Array(0...150))
  }

  @Test("Files that may not grow end the run with an error that says so, and a good checkpoint")
  func fileSizeLimit() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .exitCode(3)) { [path = folder.path as String] in
      signal(SIGXFSZ, SIG_IGN)
      // The table comes to this size after some steps; the checkpoint stays below it.
      var limit = rlimit(rlim_cur: 5200, rlim_max: 5200)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      do {
        _ = try Self.train(in: path)
      } catch let error as TrainingError {
        if case .file(let file, "File too large") = error, file.hasSuffix("loss.csv") { exit(3) }
      }
    }
    let state = try #require(try Checkpoint(folder: folder.path).open()).state
    #expect((10..<150).contains(state.step))
    let (whole, expected) = (try TemporaryFolder(), try Self.train(in: folder.path))
    #expect(try Self.train(in: whole.path).weights == expected.weights)
  }
}
