import Foundation
import Testing

@testable import Evaluation

@Suite struct SuiteTests {
  private func read(_ text: String, path: String = "s.jsonl") throws -> Suite {
    try Suite(Data(text.utf8), path: path)
  }

  @Test("Spec-Bench's lines give conversations, whatever else stands in them")
  func specBench() throws {
    let suite = try read(
      """
      {"question_id": 81, "category": "writing", "turns": ["Write.", "Again, 짧게."]}

      {"question_id": "wmt_1", "category": "qa", "turns": ["Who?"], "reference": ["x", null]}
      """, path: "folder/question.jsonl")
    #expect(suite.name == "question.jsonl")
    #expect(
      suite.questions == [
        Question(id: "81", category: "writing", turns: ["Write.", "Again, 짧게."]),
        Question(id: "wmt_1", category: "qa", turns: ["Who?"]),
      ])
  }

  @Test("lines with a prompt need neither an id nor a category")
  func prompts() throws {
    let suite = try read("{\"prompt\": \"a\"}\r\n{\"prompt\": \"b\", \"category\": \"ko\"}")
    #expect(
      suite.questions == [
        Question(id: "1", category: "prompts", turns: ["a"]),
        Question(id: "2", category: "ko", turns: ["b"]),
      ])
  }

  @Test("a text has a prompt on each line that is not blank, and may begin with a byte order mark")
  func text() throws {
    let suite = try read("\u{FEFF}First one\r\n\n  \n안녕하세요?\n", path: "list.txt")
    #expect(suite.questions.map(\.turns) == [["First one"], ["안녕하세요?"]])
    #expect(suite.questions.map(\.id) == ["1", "4"])
  }

  @Test(
    "a bad line gives one error with the file, the line, the field, expected and found",
    arguments: [
      ("{\"prompt\": \"a\"", "s.jsonl, line 2: line: expected a JSON object, found text"),
      ("[1]", "line 2: line: expected a JSON object, found a list"),
      ("{}", "line 2: turns: expected turns or prompt, found neither"),
      ("{\"prompt\": \"a\", \"turns\": [\"b\"]}", "turns: expected turns or prompt, found both"),
      ("{\"prompt\": 3}", "prompt: expected text, found the number 3"),
      ("{\"prompt\": \" \\n\"}", "prompt: expected text, found an empty one"),
      ("{\"prompt\": null}", "prompt: expected text, found null"),
      ("{\"category\": \"qa\", \"turns\": []}", "turns: expected a list of at least one text"),
      ("{\"category\": \"qa\", \"turns\": \"a\"}", "turns: expected a list"),
      (
        "{\"category\": \"qa\", \"turns\": [\"a\", {}]}",
        "turns[1]: expected text, found an object"
      ),
      ("{\"turns\": [\"a\"]}", "category: expected text, found none"),
      ("{\"category\": \"\", \"turns\": [\"a\"]}", "category: expected text, found an empty text"),
      ("{\"category\": [], \"prompt\": \"a\"}", "category: expected text, found an empty list"),
      (
        "{\"question_id\": true, \"prompt\": \"a\"}",
        "question_id: expected a whole number or text, found true or false"
      ),
      ("{\"question_id\": 1.5, \"prompt\": \"a\"}", "question_id: expected a whole number"),
      (
        "{\"question_id\": 1, \"prompt\": \"a\"}",
        "question_id: expected an id of its own, found 1, which line 1 has"
      ),
      (String(repeating: "[", count: 1000), "line 2: line: expected a JSON object"),
    ])
  func hostile(line: String, message: String) throws {
    let error = #expect(throws: EvaluationError.self) {
      try read("{\"question_id\": 1, \"prompt\": \"good\"}\n\(line)\n")
    }
    let text = try #require(error).description
    #expect(text.contains(message))
    #expect(text.hasPrefix("s.jsonl, line 2: "))
    #expect(!text.contains("\n"))
  }

  @Test("bytes that are no UTF-8 name their line")
  func notText() throws {
    let error = #expect(throws: EvaluationError.self) {
      try Suite(Data("good\n".utf8) + Data([0xFF, 0xC0]), path: "list.txt")
    }
    #expect(error?.description == "list.txt, line 2: text: expected UTF-8, found other bytes")
  }

  @Test(
    "a suite without a question, and one that is not there, are errors", arguments: ["", "\n\n"])
  func empty(text: String) throws {
    #expect(throws: EvaluationError.noQuestions(path: "s.jsonl")) { try read(text) }
    #expect(throws: EvaluationError.self) { try Suite(path: "/nowhere/s.jsonl") }
  }

  @Test("a selection takes the first of each category, then the first of all")
  func selection() {
    let suite = Suite(
      name: "s",
      questions: zip(1..., "aababc").map {
        Question(id: "\($0)", category: String($1), turns: ["?"])
      })
    func ids(_ questions: [Question]) -> String { questions.map(\.id).joined() }
    #expect(ids(suite.selection()) == "123456")
    #expect(ids(suite.selection(perCategory: 1)) == "136")
    #expect(ids(suite.selection(limit: 2)) == "12")
    #expect(ids(suite.selection(perCategory: 2, limit: 4)) == "1235")
  }

  @Test("groups are the categories in order, MT-bench after its last one, and all")
  func groups() {
    let groups = CategoryGroup.groups(of: ["writing", "stem", "writing", "qa", "rag"])
    #expect(groups.map(\.name) == ["writing", "stem", "mt-bench", "qa", "rag", "overall"])
    #expect(groups[2].categories.isSuperset(of: ["writing", "stem", "coding"]))
    #expect(!groups[2].categories.contains("qa"))
    #expect(groups[5].categories == ["writing", "stem", "qa", "rag"])
    #expect(CategoryGroup.groups(of: ["ko", "ja"]).map(\.name) == ["ko", "ja", "overall"])
  }
}
