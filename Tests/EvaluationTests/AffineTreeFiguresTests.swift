import Foundation
import Nunchi
import Plotting
import Testing

@testable import Evaluation

@Suite struct AffineTreeFiguresTests {
  /// Proposes 5 with 6 and 7 under it, and 8 beside it.
  private static let tree: DraftTree = {
    var tree = DraftTree()
    let first = tree.add(5, source: "affine-tree")
    tree.add(6, under: first, source: "affine-tree")
    tree.add(7, under: first, source: "affine-tree")
    tree.add(8, source: "affine-tree")
    return tree
  }()

  /// A round in which the proposal was pruned to 5 alone, or to 5 and 6.
  private func round(verified: Int, accepted: Int, tokens: [Int32], position: Int) -> StepTrace {
    var trace = StepTrace(phase: .round, position: position)
    trace.proposals = [
      DrafterProposal(
        drafter: "affine-tree", tree: Self.tree, seconds: 0.01,
        figures: ["align seconds": 0.001, "predict seconds": 0.002, "prune seconds": 0.003])
    ]
    trace.drafted = Array(Self.tree.tokens.prefix(verified))
    trace.parents = Array(Self.tree.parents.prefix(verified))
    trace.accepted = Array(0..<accepted)
    trace.tokens = tokens
    (trace.draftSeconds, trace.verifySeconds) = (0.01, 0.03)
    (trace.acceptSeconds, trace.commitSeconds) = (0.01, 0.01)
    return trace
  }

  @Test("figures are those computed by hand")
  func byHand() {
    // The first round lost 7, which the whole tree held, by pruning; the second lost nothing.
    let answer = [
      promptStep(verify: 1),
      round(verified: 1, accepted: 1, tokens: [5, 7], position: 5),
      round(verified: 2, accepted: 2, tokens: [5, 6, 9], position: 7),
    ]
    let plain = records("1", plain: [promptStep(verify: 1)], drafter: [promptStep(verify: 1)])
    let method = MethodFigures([plain[1]], plain: [plain[0]])
    let figures = AffineTreeFigures(
      variant: "v", group: .parts, answers: [answer], method: method,
      memory: .init(overhead: 2_000_000, models: 1_000_000_000))
    func expect(_ found: Double, _ expected: Double, _ name: String) {
      #expect(abs(found - expected) < 1e-9, "\(name)")
    }
    #expect(figures.rounds == 2)
    expect(figures.proposed, 4, "proposed")
    expect(figures.verified, 1.5, "verified")
    expect(figures.accepted, 1.5, "accepted")
    expect(figures.acceptanceRate, 1, "acceptance rate")
    expect(figures.effectiveAcceptance, 3.0 / 8, "effective acceptance")
    expect(figures.acceptanceLength, 2.5, "acceptance length")
    expect(figures.prunedShare, 5.0 / 8, "pruned")
    // 5 and 7 could have been accepted, then 5 and 6.
    expect(figures.lostAcceptance, 1 - 3.0 / 4, "lost")
    expect(figures.draftMilliseconds, 4, "draft")
    expect(figures.alignMilliseconds, 1, "align")
    expect(figures.predictMilliseconds, 2, "predict")
    expect(figures.pruneMilliseconds, 3, "prune")
    expect(figures.verifyMilliseconds, 40, "verify")
    expect(figures.commitMilliseconds, 10, "commit")
    expect(figures.overheadShare, 0.003 / 0.06, "overhead")
    expect(figures.memoryOverhead, 0.002, "memory")
    #expect(figures.cells.count == AffineTreeFigures.columns.count)
  }

  @Test("the table is read again as it was written, and drawn; names have commas and quotes")
  func table() throws {
    let plain = records("1", plain: [promptStep(verify: 1)], drafter: [promptStep(verify: 1)])
    let figures = ["depth 2, 3 candidates", "the \"oracle\""].map {
      AffineTreeFigures(
        variant: $0, group: .parts, answers: [],
        method: MethodFigures([plain[1]], plain: [plain[0]]), memory: .init())
    }
    #expect(figures[0].cells[0] == "depth 2, 3 candidates")
    #expect(CSV.line(figures[1].cells).hasPrefix("\"the \"\"oracle\"\"\",parts,"))
    try withTemporaryFile { path in
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
      let table = ([AffineTreeFigures.columns] + figures.map(\.cells)).map(CSV.line).joined()
      try Data(table.utf8).write(to: folder.appendingPathComponent("results.csv"))
      for language in ReportLanguage.allCases {
        for picture in AffineTreeExperiment.pictures(
          figures, folder: folder.path, language: language)
        {
          #expect(picture.draw() == nil)
          let drawing = try String(
            contentsOf: folder.appendingPathComponent("\(picture.name).svg"), encoding: .utf8)
          #expect(drawing.contains("depth 2, 3 candidates") && drawing.contains("oracle"))
        }
      }
    }
  }
}
