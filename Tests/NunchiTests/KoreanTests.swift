import Drafters
import Foundation
import Sampling
import Speculation
import Testing
import Tokenization

@testable import Nunchi

/// Speculation on Hangul, whose syllables are several tokens of one or two bytes to SmolLM2's
/// tokenizer: drafts end within them.
@Suite(.serialized) struct KoreanTests {
  private static let prompts: [(name: String, text: String)] = [
    ("syllables of three tokens", "뷁쀍뙗 뷁쀍뙗 뷁쀍뙗 뷁쀍뙗 뷁쀍뙗 뷁쀍"),
    ("composed (NFC)", "가나다라마바사 가나다라마바사 가나다라마바사 가나다라".precomposedStringWithCanonicalMapping),
    (
      "decomposed (NFD)",
      "가나다라마바사 가나다라마바사 가나다라마바사 가나다라".decomposedStringWithCanonicalMapping
    ),
    ("compatibility jamo", "ㅋㅋㅋㅎㅎ ㅠㅠ ㅋㅋㅋㅎㅎ ㅠㅠ ㅋㅋㅋㅎㅎ ㅠㅠ ㅋㅋㅋ"),
    (
      "old jamo",
      "\u{1112}\u{119E}\u{11AB} \u{1112}\u{119E}\u{11AB} \u{1112}\u{119E}\u{11AB} \u{1112}"
    ),
    ("mixed scripts", "Swift로 漢字와 한글을 にほんご랑 Swift로 漢字와 한글을 にほんご랑 Swift로 漢字와"),
    ("ends within a syllable", "안녕하세요 안녕하세요 안녕하세요 뷁"),
  ]

  private func tokens(_ index: Int, _ model: Model) -> [Int32] {
    let tokens = model.tokens(of: Self.prompts[index].text)
    return index == Self.prompts.count - 1 ? tokens.dropLast() : tokens
  }

  @Test("a stream never shows half a syllable, wherever drafts end", arguments: prompts.indices)
  func stream(index: Int) async throws {
    let model = try await TestModels.smol.value
    let prompt = tokens(index, model)
    let generator = try TextGenerator(model: model, contextLength: 256)
    func generate(_ drafter: DrafterChoice, _ length: Int) throws -> (
      pieces: [String], result: GenerationResult
    ) {
      try generator.begin(
        prompt: prompt,
        options: GenerationOptions(
          drafter: drafter, draftLength: length, maxTokens: 48, ignoresEndOfText: true))
      var pieces: [String] = []
      while let piece = try generator.next() { pieces.append(piece) }
      return (pieces, generator.result)
    }
    let plain = try generate(.none, 0)
    var endsInside = 0
    for length in 1...5 {
      let (pieces, result) = try generate(DrafterChoice(named: "suffix,recycling"), length)
      #expect(result.tokens == plain.result.tokens, "\(length)")
      #expect(Array(pieces.joined().utf8) == Array(plain.pieces.joined().utf8), "\(length)")
      // What the model itself leaves incomplete is shown when more can't complete it.
      for piece in pieces.dropLast() where !plain.result.text.contains("\u{FFFD}") {
        #expect(!piece.contains("\u{FFFD}"), "\(length): \(piece)")
      }
      var written = 0
      for trace in result.traces {
        written += trace.tokens.count
        let text = model.tokenizer.decode(Array(result.tokens.prefix(written)))
        if trace.tokens.count > 1, text.hasSuffix("\u{FFFD}") { endsInside += 1 }
      }
    }
    if index < 3 { #expect(endsInside > 0, "no draft ended within a syllable: nothing is shown") }
  }

  @Test("composed and decomposed text are other tokens, and each is continued as it is")
  func normalForms() async throws {
    let model = try await TestModels.smol.value
    let (composed, decomposed) = (tokens(1, model), tokens(2, model))
    #expect(composed != decomposed)
    for prompt in [composed, decomposed] {
      let text = model.tokenizer.decode(prompt)
      #expect(model.tokens(of: text) == prompt)
    }
  }

  @Test("sampled with a seed, Korean is the same with every drafter", arguments: prompts.indices)
  func sampled(index: Int) async throws {
    let model = try await TestModels.smol.value
    let generator = try TextGenerator(model: model, contextLength: 256)
    func generate(_ drafter: DrafterChoice) throws -> [Int32] {
      try generator.begin(
        prompt: tokens(index, model),
        options: GenerationOptions(
          drafter: drafter, draftLength: 4,
          sampling: try SamplingParameters(temperature: 0.7, seed: 11), maxTokens: 24,
          ignoresEndOfText: true))
      while try generator.next() != nil {}
      return generator.result.tokens
    }
    let plain = try generate(.none)
    for name in ["suffix", "recycling", "prompt-lookup", "lookahead", "eagle"] {
      #expect(try generate(DrafterChoice(named: name)) == plain, "\(name)")
    }
  }
}
