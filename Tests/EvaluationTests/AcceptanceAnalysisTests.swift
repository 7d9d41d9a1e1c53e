import Testing

@testable import Evaluation
@testable import Nunchi

@Suite struct KoreanWordsTests {
  @Test(
    "a word's particle or ending is told by its longest form",
    arguments: [
      ("학교에서", 2, KoreanWords.Part.particle), ("학교는", 2, .particle), ("사람들에게", 2, .particle),
      ("갑니다", 1, .ending), ("예쁘지만", 2, .ending), ("먹었습니다", 1, .ending), ("친구와", 2, .particle),
    ])
  func parts(word: String, stem: Int, part: KoreanWords.Part) {
    let found = KoreanWords.ending(of: word)
    #expect(found?.stem == stem)
    #expect(found?.part == part)
  }

  @Test("a word of one syllable, or without anything of the kind, is all stem")
  func none() {
    #expect(KoreanWords.ending(of: "에") == nil)
    #expect(KoreanWords.ending(of: "서울") == nil)
    #expect(KoreanWords.ending(of: "") == nil)
  }
}

@Suite struct AcceptanceAnalysisTests {
  /// 학 in three tokens of a byte each, as byte-level vocabularies have it.
  private static let bytes: [Int32: [UInt8]] = [
    1: Array("The".utf8), 2: Array(" 학교".utf8), 3: Array("에서".utf8), 4: [0xED], 5: [0x95],
    6: [0x99], 7: Array(" 42".utf8), 8: Array(".".utf8), 9: Array("\n".utf8), 10: Array("은".utf8),
  ]

  private func round(_ drafted: [Int32], accepted: Int, _ tokens: [Int32]) -> StepTrace {
    var step = StepTrace(phase: .round, position: 5)
    step.drafted = drafted
    step.parents = drafted.indices.map { $0 - 1 }
    step.sources = drafted.map { _ in "d" }
    step.accepted = Array(0..<accepted)
    step.tokens = tokens
    return step
  }

  private var steps: [StepTrace] {
    var prompt = StepTrace(phase: .prompt, position: 4)
    prompt.tokens = [1]
    return [
      prompt,
      // 학교 accepted; 은 drafted, 에서 wanted.
      round([2, 10], accepted: 1, [2, 3]),
      // Everything accepted; nothing was drafted for the last one.
      round([7, 8], accepted: 2, [7, 8, 9]),
      // A first byte accepted, the second drafted wrong.
      round([4, 6, 6], accepted: 1, [4, 5]),
      round([], accepted: 0, [6]),
    ]
  }

  @Test("tokens are counted by what they are in their text, as counted by hand")
  func byHand() {
    let analysis = AcceptanceAnalysis(steps, bytes: Self.bytes)
    typealias Count = AcceptanceAnalysis.Count
    #expect(
      analysis.scripts == [
        "Hang": Count(tokens: 2, drafted: 2, accepted: 1),
        "digits": Count(tokens: 1, drafted: 1, accepted: 1),
        "punctuation": Count(tokens: 1, drafted: 1, accepted: 1),
        "space": Count(tokens: 1, drafted: 0, accepted: 0),
        "part of a character": Count(tokens: 3, drafted: 2, accepted: 1),
      ])
    #expect(
      analysis.positions == [
        // 학교, 42, the line break, and the byte after it.
        "word-initial": Count(tokens: 4, drafted: 3, accepted: 3),
        "word-internal": Count(tokens: 4, drafted: 3, accepted: 1),
        "inside a character": Count(tokens: 2, drafted: 1, accepted: 0),
      ])
    #expect(
      analysis.korean == [
        // 학교, and the three bytes of 학.
        "stem": Count(tokens: 4, drafted: 3, accepted: 2),
        "particle": Count(tokens: 1, drafted: 1, accepted: 0),
      ])
    #expect(
      analysis.rejections == [
        .init(drafted: "은", wanted: "에서", count: 1),
        .init(drafted: "\u{FFFD}", wanted: "\u{FFFD}", count: 1),
      ])
    #expect(analysis.scripts["Hang"]?.acceptanceRate == 0.5)
  }

  @Test("calibration is that of candidates for the next token, verified or not")
  func calibration() {
    var first = round([7], accepted: 1, [7, 8])
    var tree = DraftTree()
    tree.add(7, score: 0.9, source: "d")
    tree.add(8, score: 0.25, source: "d")
    first.proposals = [DrafterProposal(drafter: "d", tree: tree, seconds: 0)]
    var second = first
    second.tokens = [9]
    let found = ScoreCalibration.all([first, second])
    #expect(found.map(\.drafter) == ["d"])
    let bins = found[0].bins
    #expect(bins[9] == .init(count: 2, score: 0.9, accepted: 0.5))
    #expect(bins[2] == .init(count: 2, score: 0.25, accepted: 0))
    let error: Double = 0.5 * 0.4 + 0.5 * 0.25
    #expect(abs(found[0].error - error) < 1e-12)
  }
}
