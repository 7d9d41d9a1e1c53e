import Foundation
import Testing

@testable import Evaluation
@testable import Nunchi
@testable import Plotting
@testable import Speculation

@Suite struct ExperimentPlotsTests {
  /// Plain decoding and every arm, in every cell and group; all of them twice as fast as plain.
  static func rows(
    _ definition: ExperimentDefinition, groups: [String?] = [nil]
  ) -> [ExperimentRow] {
    let plain =
      [promptStep(verify: 1)]
      + Array(repeating: round(drafted: 0, accepted: 0, verify: 1), count: 4)
    let drafted = [
      promptStep(verify: 1), round(drafted: 2, accepted: 1, verify: 0.75, draft: 0.25),
      round(drafted: 2, accepted: 1, verify: 0.75, draft: 0.25),
    ]
    let all = ["1", "2", "3"].flatMap { records($0, plain: plain, drafter: drafted) }
    let arms: [ExperimentArm?] = [nil] + definition.arms
    return definition.cells.flatMap { cell in
      groups.flatMap { group in
        arms.map { arm in
          ExperimentRow(
            experiment: definition.name, cell: cell, arm: arm, group: group,
            records: all.filter { $0.configuration == (arm == nil ? "plain" : "d") },
            plain: all.filter { $0.configuration == "plain" })
        }
      }
    }
  }

  private func draw(
    _ definitions: [ExperimentDefinition], _ rows: [ExperimentRow],
    costs: [String: VerificationCosts] = [:], _ body: ((String) throws -> String) throws -> Void
  ) throws {
    try withTemporaryFile { path in
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      let plots = ExperimentPlots(
        definitions: definitions, rows: rows, costs: costs, folder: folder, language: .en,
        command: "nunchi experiment e")
      let (sections, problems) = try plots.draw()
      #expect(problems.isEmpty)
      #expect(sections.allSatisfy { $0.figure != nil && $0.command == "nunchi experiment e" })
      try body { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
    }
  }

  @Test("of several experiments acceptance and speedup are against the draft length alone")
  func basic() throws {
    var definitions: [ExperimentDefinition] = []
    for (name, x) in [
      ("p", ExperimentDefinition.Axis.promptLength), ("m", .maxTokens), ("n", .draftLength),
    ] {
      var definition = ExperimentDefinition()
      (definition.name, definition.x, definition.targets) = (name, x, ["t"])
      definition.promptLengths = x == .promptLength ? [64, 128] : [64]
      definition.maxTokens = x == .maxTokens ? [32, 48] : [32]
      definition.draftLengths = x == .draftLength ? [1, 2, 4, 8] : []
      definitions.append(definition)
    }
    try draw(definitions, definitions.flatMap { Self.rows($0) }) { file in
      for name in ["acceptance_rate.csv", "speedup.csv"] {
        let lines = try file(name).split(separator: "\n")
        #expect(lines.map { $0.split(separator: ",")[0] } == ["n", "1", "2", "4", "8"])
        #expect(lines[0] == "n,auto,low,high")
      }
      for name in ["prompt_length_effect.svg", "max_tokens_effect.svg", "n_effect.svg"] {
        #expect(try file(name).contains("<svg"))
      }
    }
  }

  @Test("the break-even line is V(2) as it was measured, each target's own")
  func breakEven() throws {
    var definition = ExperimentDefinition()
    (definition.name, definition.x, definition.targets) = ("s", .target, ["small", "large"])
    (definition.draftModels, definition.draftLengths) = (["x"], [1, 4])
    func costs(_ two: Double) throws -> VerificationCosts {
      try VerificationCosts(points: [.init(rows: 1, seconds: 1), .init(rows: 2, seconds: two)])
    }
    let measured = ["small": try costs(1.5), "large": try costs(1.25)]
    try draw([definition], Self.rows(definition), costs: measured) { file in
      let lines = try file("break_even.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      #expect(lines.dropFirst().map { "\($0[0]) \($0[4])" } == ["small x 1.5", "large x 1.25"])
      let picture = try file("break_even.svg")
      #expect(picture.contains("small: break-even, V(2) = 1.50"))
      #expect(picture.contains("large: break-even, V(2) = 1.25"))
    }
    // Where nobody measured it there is no line.
    try draw([definition], Self.rows(definition)) { file in
      let picture = try file("break_even.svg")
      #expect(!picture.contains("V(2)"))
    }
  }

  @Test("ranges have room for points and error bars at the edges")
  func ranges() {
    let linear = GnuplotPicture.padded([1, 4, 32])
    #expect(linear.lowerBound < 1 && linear.upperBound > 32)
    let logarithmic = GnuplotPicture.padded([1, 4, 32], isLogarithmic: true)
    #expect(logarithmic.lowerBound > 0 && logarithmic.lowerBound < 1 && logarithmic.upperBound > 32)
    for one in [GnuplotPicture.padded([5]), GnuplotPicture.padded([0]), GnuplotPicture.padded([])] {
      #expect(one.lowerBound < one.upperBound)
    }
    #expect(GnuplotPicture.fromZero([1, 2.5]).upperBound > 2.5)
    #expect(GnuplotPicture.fromZero([]).upperBound > 0)
    // A half of a bar's group is 0.5 wide.
    #expect(GnuplotPicture.bars(["a", "b"], hasErrors: true).contains("set xrange [-0.6:1.6]"))
    #expect(GnuplotPicture.bars(["a", "b"], hasErrors: true).contains("norotate"))
    for (count, angle) in [(9, 35), (30, 90)] {
      let long = Array(repeating: "translation-from-english", count: count)
      #expect(
        GnuplotPicture.bars(long, hasErrors: true).contains("rotate by \(angle) right"))
    }
  }

  @Test("names of points that lie close together lie beside each other")
  func labels() throws {
    let points = (0..<8).map { index in
      PlotLabels.Point(
        x: 0.5 + 0.001 * Double(index), y: 0.5, text: "language \(index)", colour: 1)
    }
    let commands = PlotLabels.commands(points, x: 0...1, y: 0...1)
    #expect(commands.count == 8)
    let boxes = try commands.map { command in
      let match = try #require(command.firstMatch(of: /at first ([0-9.e-]+),([0-9.e-]+) center/))
      return (x: try #require(Double(match.1)) * 780, y: try #require(Double(match.2)) * 380)
    }
    for one in boxes.indices {
      #expect((0...780).contains(boxes[one].x) && (0...380).contains(boxes[one].y))
      for other in boxes.indices where other < one {
        // Ten letters of 8 pixels, a line of 19.
        #expect(
          abs(boxes[one].x - boxes[other].x) >= 80 || abs(boxes[one].y - boxes[other].y) >= 19)
      }
    }
  }
}
