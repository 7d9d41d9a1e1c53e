import Foundation
import Testing

@testable import Evaluation

@Suite struct PromptSetTests {
  @Test(
    "our own prompts to continue are as many as told, all different, and end within a text",
    arguments: [("ko", 40), ("ja", 40), ("de", 40), ("en", 20)])
  func promptSets(language: String, count: Int) throws {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let path = root.appendingPathComponent("Benchmarks/prompts/continuation-\(language).jsonl").path
    let questions = try Suite(path: path).questions
    #expect(questions.count == count)
    #expect(Set(questions.map(\.category)) == [language])
    #expect(Set(questions.map(\.turns)).count == count)
    for question in questions {
      #expect(question.id.hasPrefix(language))
      // A space at the end would be a token that the text to come does not begin with.
      #expect(question.turns[0].last?.isWhitespace == false, "\(question.id)")
    }
  }
}
