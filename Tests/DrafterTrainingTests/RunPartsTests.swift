import Foundation
import Testing

@testable import DrafterTraining

@Suite struct RunPartsTests {
  @Test("A configuration keeps the defaults of fields that are missing")
  func configuration() throws {
    let json = Data(#"{"steps": 7, "learningRate": 0.5, "seed": 18446744073709551615}"#.utf8)
    var expected = RunConfiguration()
    expected.steps = 7
    expected.learningRate = 0.5
    expected.seed = .max
    let read = try JSONDecoder().decode(RunConfiguration.self, from: json)
    #expect(read == expected)
    let again = try JSONDecoder().decode(
      RunConfiguration.self, from: JSONEncoder().encode(expected))
    #expect(again == expected)
  }

  private static let mistakes: [(String, String)] = [
    (#""steps": -1"#, "steps: expected at least 0, found -1"),
    (#""accumulation": 0"#, "accumulation: expected at least 1"),
    (#""learningRate": 0"#, "learningRate: expected a number above 0, found 0.0"),
    (#""minimumRateShare": 1.5"#, "minimumRateShare: expected 0 to 1"),
    (#""warmupShare": 1"#, "warmupShare: expected at least 0, below 1, found 1.0"),
    (#""beta2": 1"#, "beta2: expected at least 0, below 1"),
    (#""weightDecay": -1"#, "weightDecay: expected at least 0"),
    (#""clip": -1"#, "clip: expected at least 0"),
    (#""validateEvery": -1"#, "validateEvery: expected at least 0"),
  ]

  @Test("Values that make no sense are refused, and the error names the field")
  func mistakes() throws {
    for (field, says) in Self.mistakes {
      let configuration = try JSONDecoder().decode(
        RunConfiguration.self, from: Data("{\(field)}".utf8))
      let error = try #require(throws: TrainingError.self) { try configuration.check() }
      #expect("\(error)".hasPrefix(says), "\(error)")
    }
    try RunConfiguration().check()
  }

  @Test("Data files are known by name, size and checksum, a folder's in order")
  func dataFiles() throws {
    let folder = try TemporaryFolder()
    for (name, text) in [("b.jsonl", "b"), ("a.jsonl", "")] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    }
    let files = try Provenance.DataFile.files(at: folder.path)
    #expect(files.map(\.name) == ["a.jsonl", "b.jsonl"])
    #expect(files.map(\.bytes) == [0, 1])
    #expect(
      files[1].sha256 == "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d")
    #expect(try Provenance.DataFile.files(at: "\(folder.path)/b.jsonl") == [files[1]])
    #expect(throws: (any Error).self) { try Provenance.DataFile.files(at: "/nowhere") }
  }

  @Test("Versions name the compiler, the system and the BLAS")
  func versions() {
    let versions = Provenance.Versions.current(nunchi: "1.2.3")
    #expect(versions.nunchi == "1.2.3")
    #expect(versions.swift.hasPrefix("6."))
    #expect(versions.blas.contains("OpenBLAS"))
    #expect(!versions.system.isEmpty)
  }

  private func progress(step: Int) -> TrainingEvent {
    .step(
      TrainingProgress(
        step: step, steps: 100, tokens: 640, loss: 2.5,
        terms: [TrainingFigure(name: "ce", value: 2.25)], rate: 0.001, gradientNorm: 0.5,
        tokensPerSecond: 1234.4, secondsLeft: 130))
  }

  @Test("Progress is one line over and over on a terminal, and a line now and then elsewhere")
  func reporter() {
    var text = ""
    let terminal = TrainingReporter(isTerminal: true, secondsBetweenSteps: 0) { text += $0 }
    let line =
      "step 1/100  loss 2.5000 (ce 2.25)  rate 1.00e-03  gradient 0.5  1234 tokens/s  3 min left"
    terminal.report(progress(step: 1))
    #expect(text == "\r\u{1B}[K" + line)
    terminal.report(.checkpoint(step: 1))
    terminal.closeLine()
    #expect(text == "\r\u{1B}[K" + line + "\ncheckpoint after step 1\n")

    text = ""
    let log = TrainingReporter(isTerminal: false, secondsBetweenSteps: 1000) { text += $0 }
    for step in 1...100 { log.report(progress(step: step)) }
    let steps = text.split(separator: "\n").map { $0.prefix { $0 != "/" } }
    #expect(steps == ["step 1", "step 100"])
  }

  @Test("Durations are told in the unit that fits")
  func durations() {
    let cases: [(Double, String)] = [
      (0, "0 s"), (98.2, "99 s"), (100, "2 min"), (3600, "60 min"), (11_000, "3 h 04 min"),
      (.infinity, "unknown time"),
    ]
    for (seconds, text) in cases { #expect(TrainingProgress.duration(seconds) == text) }
  }
}
