import Foundation
import LanguageModels
import ModelFiles
import Sampling
import Speculation
import Testing

@testable import Drafters

@Suite("EAGLE against PyTorch") struct EagleGoldenTests {
  private let chain = DraftModelConfiguration(shape: .chain, length: 8)

  /// How far q's logarithms are from the golden's, at most.
  private func error(
    _ version: EagleVersion, exact: Bool, chunks: [Int] = []
  ) throws -> Double {
    let golden = try EagleGolden.read(version)
    let target = try EagleGolden.target()
    let drafter = try EagleDrafter(
      weights: EagleGolden.weights(version, target: target, exact: exact), capacity: 64,
      configuration: chain)
    let sequence = try EagleSequence(target, drafter)
    try sequence.begin(golden.prompt, chunks: chunks, then: golden.first)
    let tree = try sequence.draft(nodes: 8, depth: golden.drafts.count)
    #expect(tree.parents == Array(-1..<golden.drafts.count - 1))
    #expect(tree.tokens == golden.drafts.map(\.token))
    var worst = 0.0
    for (proposal, draft) in zip(tree.proposals, golden.drafts) {
      for (token, logarithm) in draft.logarithms.enumerated() {
        let q = proposal.probability(of: Int32(token))
        if let logarithm {
          worst = max(worst, abs(log(q) - logarithm))
        } else {
          #expect(q == 0)
        }
      }
    }
    return worst
  }

  // Keys and values in half precision leave 2e-4.
  private let exactTolerance = 0.002
  // Activations in int8, weights too: a few per cent of logits of about 1.5.
  private let quantizedTolerance = 0.1

  @Test(
    "three drafts after a prompt have PyTorch's probabilities", arguments: EagleVersion.allCases)
  func drafts(version: EagleVersion) throws {
    let found = try error(version, exact: true)
    #expect(found < exactTolerance)
    let pieces = try error(version, exact: true, chunks: [1, 4, 11])
    #expect(pieces == found)
  }

  @Test("quantised weights keep close to them", arguments: EagleVersion.allCases)
  func quantized(version: EagleVersion) throws {
    let found = try error(version, exact: false)
    #expect(found > 0 && found < quantizedTolerance)
  }
}
