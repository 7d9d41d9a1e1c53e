import ModelFiles
import Nunchi
import Testing

@testable import Evaluation

@Suite struct PromptTextsTests {
  /// A token a character.
  private func texts(
    _ questions: [Question], longest: Int, limit: Int? = nil, byCategory: Bool = false
  ) throws -> PromptTexts {
    try PromptTexts(
      questions, longest: longest, limit: limit, byCategory: byCategory, suite: "s",
      encode: { $0.unicodeScalars.map { Int32($0.value) } },
      decode: { String(String.UnicodeScalarView($0.compactMap { Unicode.Scalar(UInt32($0)) })) })
  }

  private func questions(_ parts: [(String, String, String)]) -> [Question] {
    zip(1..., parts).map {
      Question(id: "\($0)", category: $1.1, language: $1.0, turns: [$1.2])
    }
  }

  @Test("each text stands in one prompt, once, whatever length is asked for")
  func packing() throws {
    let all = questions([
      ("en", "a", "0123456789"), ("en", "a", "abc"), ("ko", "a", "가나다라마바사아"),
      ("en", "b", "abc"), ("en", "b", "def"), ("ko", "b", "자차카타파하거너"),
    ])
    let longest = try texts(all, longest: 8)
    #expect(longest.texts.map(\.question.id) == ["1", "3", "2", "6"])
    // "abc" counts once, and "def" goes on with it; the rest of "0123456789" is nobody's.
    #expect(
      try longest.prompts(of: 8).map { $0.turns[0] }
        == ["01234567", "가나다라마바사아", "abc\n\ndef", "자차카타파하거너"])
    #expect(try longest.prompts(of: 2).map { $0.turns[0] } == ["01", "가나", "ab", "자차"])
    #expect(try texts(all, longest: 8, limit: 2).texts.map(\.question.id) == ["1", "3"])
    // Categories among themselves: "abc" is no longer than five tokens, and "def" too.
    #expect(
      try texts(all, longest: 8, byCategory: true).texts.map(\.question.id) == ["1", "3", "6"])
  }

  @Test("too little text is one error that tells how much there is and what to do")
  func tooLittle() throws {
    let all = questions([("en", "a", "0123456789"), ("en", "a", "abcdef")])
    let error = #expect(throws: EvaluationError.self) { try texts(all, longest: 12, limit: 2) }
    #expect(
      error?.description
        == "s: text: expected 2 prompts of 12 tokens that share no text, 24 tokens in all, found 20 "
        + "tokens, enough for 1; name longer texts with --suite, or ask for fewer with --limit")
    #expect(throws: EvaluationError.self) { try texts(all, longest: 21) }
    #expect(throws: EvaluationError.self) { try texts(all, longest: 8).prompts(of: 0) }
  }

  /// Whether a text has another one in it.
  private func contains(_ text: some RandomAccessCollection<Int32>, _ part: [Int32]) -> Bool {
    guard !part.isEmpty, text.count >= part.count else { return false }
    let text = Array(text)
    return (0...text.count - part.count).contains {
      text[$0] == part[0] && Array(text[$0..<$0 + part.count]) == part
    }
  }

  @Test(
    "no prompt has what follows it, and no two share text, in what comes with Nunchi",
    arguments: ExperimentDefinition.shipped.filter {
      (try? ExperimentDefinition(named: $0).promptLengths.isEmpty) == false
    } + ["multilingual/en", "multilingual/ko"])
  func shipped(name: String) async throws {
    let model = try await EvaluationModel.smol.value
    let definition = try? ExperimentDefinition(named: name)
    let lengths = definition?.promptLengths ?? [64, 256]
    let suite = try Suite(path: definition?.suite ?? name)
    let texts = try PromptTexts(
      suite.questions, longest: try #require(lengths.max()), limit: definition?.limit,
      suite: suite.name, encode: { model.tokens(of: $0) },
      decode: { model.tokenizer.decode($0) })
    for length in lengths {
      for text in texts.texts {
        let next = Array(text.tokens.dropFirst(length).prefix(12))
        #expect(!contains(text.tokens.prefix(length), next), "\(name), \(length)")
      }
    }
    // So long a run in common would be a passage that both have.
    var owners: [ArraySlice<Unicode.Scalar>: String] = [:]
    var shared: Set<String> = []
    for question in try texts.prompts(of: try #require(lengths.max())) {
      let characters = Array(question.turns[0].unicodeScalars)
      for start in 0..<max(0, characters.count - 80) {
        let owner = owners.updateValue(question.id, forKey: characters[start..<start + 80])
        if let owner, owner != question.id { shared.formUnion([owner, question.id]) }
      }
    }
    #expect(shared.isEmpty, "\(name)")
  }
}
